// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <string>

#include "mem/example_run.hpp"
#include "mem/two_tower.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/mem/with_loss.hpp"
#include "unlearn/models/augmented.hpp"
#include "unlearn/models/ensemble.hpp"
#include "unlearn/models/in_turn.hpp"

namespace unlearn {
namespace {

using testing::all_noise;
using testing::Example;
using testing::Floats;
using testing::small_mem;
using testing::text_of;
using testing::TwoTowers;

/// T(x) = gain · (x − ½) + ½, with the gain 1 or one that is drawn from ½ to 1½.
struct Contrast {
  bool drawn = true;

  [[nodiscard]] float gain(std::uint64_t seed) const {
    return drawn ? 0.5F + static_cast<float>(seed >> 32U) / 4294967296.0F : 1;
  }
  std::size_t elements(std::size_t n) const { return n; }
  void apply(std::span<const std::uint64_t> seeds, View<const float, 2> x, View<float, 2> y) const {
    for (std::size_t r = 0; r < seeds.size(); ++r) {
      std::ranges::transform(x.row(r), y.row(r).begin(), [g = gain(seeds[r])](float number) {
        return g == 1 ? number : g * (number - 0.5F) + 0.5F;
      });
    }
  }
  void pull_back(std::span<const std::uint64_t> seeds, View<const float, 2>,
                 View<const float, 2> dy, View<float, 2> dx) const {
    for (std::size_t r = 0; r < seeds.size(); ++r) {
      std::ranges::transform(dy.row(r), dx.row(r).begin(),
                             [g = gain(seeds[r])](float number) { return g * number; });
    }
  }
};

/// The bytes of a run of `mem` on `model`, which ends after `mem.rounds` rounds.
template <class Mem, class Model>
std::string bytes_of_run(const Mem& mem, Example<Floats>& example, Model& model) {
  const RunResult result = mem.minimize(model, example.pairs, example.state, example.rng);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_TRUE(is_finite(result.loss.value()));
  for (const float delta : all_noise(example.state)) {
    EXPECT_LE(std::abs(delta), static_cast<float>(mem.ball.radius));
  }
  return text_of(example.state, example.rng, example.model);
}

TEST(MemOverDecoratedModels, WithoutEffectHasTheBytesOfThePlainModel) {
  Example<Floats> plain;
  const std::string expected = bytes_of_run(small_mem(), plain, plain.model);

  Example<Floats> untransformed;
  Augmented augmented(untransformed.model, Contrast{.drawn = false});
  EXPECT_EQ(bytes_of_run(small_mem(), untransformed, augmented), expected);

  Example<Floats> alone;
  Ensemble of_one(alone.model);
  const auto mem = with_loss(small_mem(), of_one.averaged(InfoNce{}));
  EXPECT_EQ(bytes_of_run(mem, alone, of_one), expected);

  Example<Floats> always;
  InTurn one(always.model);
  EXPECT_EQ(bytes_of_run(small_mem(), always, one), expected);
}

/// Two runs, of which the second is stopped after a round and continued with other objects.
template <class Mem, class MakeModel>
void expect_resumable(Mem mem, const MakeModel& make) {
  Example<Floats> whole;
  TwoTowers second(whole.pairs.elements(), 9);
  auto model = make(whole.model, second);
  const std::string expected = bytes_of_run(mem, whole, model);

  Example<Floats> stopped;
  const Mem to_the_end = mem;
  mem.rounds = 1;
  std::stringstream saved;
  {
    TwoTowers other(stopped.pairs.elements(), 9);
    auto before = make(stopped.model, other);
    bytes_of_run(mem, stopped, before);
    before.save(saved);
  }
  stopped.model = TwoTowers(stopped.pairs.elements(), 33);
  TwoTowers other(stopped.pairs.elements(), 34);
  auto after = make(stopped.model, other);
  after.load(saved);
  EXPECT_EQ(bytes_of_run(to_the_end, stopped, after), expected);
}

TEST(MemOverDecoratedModels, AugmentedResumesToTheSameBytes) {
  expect_resumable(small_mem(), [](TwoTowers& first, TwoTowers&) {
    return Augmented(first, Contrast{}, {.draws = 2});
  });
}

TEST(MemOverDecoratedModels, AnEnsembleResumesToTheSameBytes) {
  const auto mem = with_loss(small_mem(), Ensemble<TwoTowers, TwoTowers>::LossOf<InfoNce>{});
  expect_resumable(mem,
                   [](TwoTowers& first, TwoTowers& second) { return Ensemble(first, second); });
}

TEST(MemOverDecoratedModels, ModelsInTurnResumeToTheSameBytes) {
  expect_resumable(small_mem(), [](TwoTowers& first, TwoTowers& second) {
    return InTurn({.steps_per_turn = small_mem().surrogate_steps}, first, second);
  });
}

/// The noise of a run that only descends, for models that are not trained.
template <class Mem, class Model>
Example<Floats> descended(Mem mem, Model& model) {
  Example<Floats> example({.elements = 60});
  mem.surrogate_steps = 0;
  mem.trigger_rounds = 0;
  mem.shuffle.enabled = false;  // the loss that is measured is the one that is minimised
  mem.batch_size = 6;
  mem.rounds = 12;
  mem.minimize(model, example.pairs, example.state, example.rng);
  return example;
}

double loss_of(TwoTowers& model, const Example<Floats>& example) {
  const std::vector<float> noise = all_noise(example.state);
  const std::size_t rows = example.pairs.rows();
  std::vector<float> clean(noise.size());
  std::vector<Index> indices(rows);
  TokenSequences sequences(FrontPlacement{}, 2);
  for (Index i = 0; i < rows; ++i) {
    indices[i] = i;
    sequences.add(i, example.pairs.caption(i), example.state.triggers[i]);
  }
  const std::array<std::size_t, 2> extents{rows, example.pairs.elements()};
  example.pairs.load_signals(indices, View<float, 2>(clean, extents));
  const FloatBatch batch{.clean = {clean.data(), extents}, .noise = {noise.data(), extents}};
  return info_nce_value(model.encode_signals(batch), model.encode_texts(sequences.batch()),
                        model.logit_scale());
}

TEST(MemOverDecoratedModels, NoiseOfAnEnsembleLowersTheMeanLossMoreThanThatOfEither) {
  constexpr std::size_t elements = 60;
  TwoTowers first(elements, 2);
  TwoTowers second(elements, 21);
  const auto mean_loss = [&](const Example<Floats>& example) {
    return (loss_of(first, example) + loss_of(second, example)) / 2;
  };
  Ensemble both(first, second);
  const auto mem = with_loss(small_mem(), both.averaged(InfoNce{}));
  const double of_both = mean_loss(descended(mem, both));
  EXPECT_LT(of_both, mean_loss(Example<Floats>({.elements = elements})));
  EXPECT_LT(of_both, mean_loss(descended(small_mem(), first)));
  EXPECT_LT(of_both, mean_loss(descended(small_mem(), second)));
}

}  // namespace
}  // namespace unlearn
