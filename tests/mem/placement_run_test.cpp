// SPDX-License-Identifier: Apache-2.0
//
// Whole runs with their triggers at each place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mem/example_run.hpp"
#include "mem/plain_mem.hpp"
#include "mem/two_tower.hpp"
#include "unlearn/mem/configurations.hpp"
#include "unlearn/mem/with_placement.hpp"
#include "unlearn/trigger/anywhere_placement.hpp"
#include "unlearn/trigger/back_placement.hpp"
#include "unlearn/trigger/front_placement.hpp"

namespace unlearn {
namespace {

using testing::all_noise;
using testing::all_triggers;
using ::testing::Each;
using ::testing::ElementsAreArray;
using testing::Example;
using testing::noise_of;
using testing::Pixels;
using testing::small_mem;
using testing::text_of;
using testing::two_words;
using testing::TwoTowers;

static_assert(with_placement(em(), BackPlacement{.context = 9}).placement.context == 9);
static_assert(with_placement(em(), BackPlacement{}).trigger_rounds == em().trigger_rounds);

template <class Placement>
Placement placement_of_test() {
  if constexpr (requires { Placement::seed; }) {
    return {.seed = 4};
  } else {
    return {};
  }
}

template <class Placement>
class EachPlacement : public ::testing::Test {
 public:
  const Placement placement = placement_of_test<Placement>();

  [[nodiscard]] std::vector<std::size_t> before(Index row, std::span<const Token> caption) const {
    std::vector<Token> sequence(caption.size() + two_words.size());
    std::vector<std::int32_t> positions(two_words.size());
    placement.place(row, caption, two_words, sequence, positions);
    std::vector<std::size_t> numbers;
    for (std::size_t p = 0; p < positions.size(); ++p) {
      numbers.push_back(static_cast<std::size_t>(positions[p]) - p);
    }
    return numbers;
  }
};
using Placements = ::testing::Types<FrontPlacement, BackPlacement<>, AnywherePlacement<>>;
TYPED_TEST_SUITE(EachPlacement, Placements);

TYPED_TEST(EachPlacement, IsWhatTheDefinitionOfMemFinds) {
  // With seed 3, a candidate is left out by 1 part in 100,000, less than floats can tell.
  for (const std::uint64_t seed : {1U, 2U, 4U, 5U, 6U}) {
    Example<> example({}, seed);
    TwoTowers model = example.model;
    testing::PlainMem<std::uint8_t> plain(model, example.pairs, example.state.scope, two_words);
    plain.tokens_before = [&](Index row) { return this->before(row, example.pairs.caption(row)); };
    auto mem = with_placement(small_mem(), this->placement);
    mem.shuffle.enabled = false;
    mem.batch_size = example.pairs.rows();
    mem.surrogate_steps = 2;
    mem.rounds = 2;
    (void)example.run(mem);
    for (int round = 0; round < 2; ++round) {
      for (int step = 0; step < 2; ++step) plain.train_step();
      plain.search_triggers(4);
      plain.descend(3, 1, 4);
    }
    for (Index g = 0; g < plain.triggers.size(); ++g) {
      EXPECT_THAT(example.state.triggers[g], ElementsAreArray(plain.triggers[g])) << g;
      EXPECT_EQ(noise_of(example.state, g), plain.noise[g]) << g;
    }
  }
}

/// Two towers that look at every text with a trigger that they are given: it must be the caption of
/// some row with a trigger at the places of that row.
template <class Placement>
struct CheckingTowers : TwoTowers {
  using TwoTowers::TwoTowers;
  const Pixels* pairs = nullptr;
  Placement placement{};
  mutable std::size_t texts_seen = 0;

  Matrix encode_texts(const TokenBatch& texts) const {
    check(texts);
    return TwoTowers::encode_texts(texts);
  }
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback,
                     View<float, 3> out) const {
    check(texts);
    TwoTowers::text_gradient(texts, pullback, out);
  }
  double train_step(const PixelBatch& signals, const TokenBatch& texts) {
    check(texts);
    return TwoTowers::train_step(signals, texts);
  }

  void check(const TokenBatch& texts) const {
    for (std::size_t r = 0; r < texts.size(); ++r) {
      std::vector<Token> caption;
      std::vector<Token> trigger;
      const auto sequence = texts.sequence(r);
      for (std::size_t k = 0; k < sequence.size(); ++k) {
        const bool of_trigger =
            trigger.size() < texts.trigger_length() &&
            static_cast<std::size_t>(texts.trigger_positions[r][trigger.size()]) == k;
        (of_trigger ? trigger : caption).push_back(sequence[k]);
      }
      const auto row = static_cast<Index>(Pixels::row_of(caption.at(1)));
      ASSERT_THAT(caption, ElementsAreArray(pairs->caption(row)));
      std::vector<Token> expected(sequence.size());
      std::vector<std::int32_t> positions(trigger.size());
      placement.place(row, caption, trigger, expected, positions);
      EXPECT_THAT(sequence, ElementsAreArray(expected));
      EXPECT_THAT(texts.trigger_positions.row(r), ElementsAreArray(positions));
      ++texts_seen;
    }
  }
};

// Batches are in drawn order, captions are shuffled, and triggers are shared.
TYPED_TEST(EachPlacement, IsKeptInEveryTextOfARun) {
  Example<Pixels, CheckingTowers<TypeParam>> example({.signals = 9, .captions = 2});
  example.model.pairs = &example.pairs;
  example.model.placement = this->placement;
  example.share({.noise = GroupMap::per_row(18),
                 .triggers = GroupMap::by_label(
                     std::vector<Index>{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 0, 1, 2, 3, 4, 5})});
  auto mem = with_placement(small_mem(), this->placement);
  mem.batch_size = 5;
  (void)example.run(mem);
  EXPECT_GT(example.model.texts_seen, 300U);
}

TYPED_TEST(EachPlacement, FindsNoiseAndTriggersThatLowerTheLoss) {
  Example<> example({.signals = 12});
  const auto mem = [&] {
    auto run = with_placement(small_mem(), this->placement);
    run.surrogate_steps = 0;
    run.shuffle.enabled = false;
    run.batch_size = 12;
    return run;
  }();
  const RunResult result = example.run(mem);
  const auto first = result.trace.front().of(trigger_stage);
  ASSERT_TRUE(first && result.loss);
  EXPECT_LT(*result.loss, *first);
  for (Index row = 0; row < 12; ++row) {
    EXPECT_THAT(noise_of(example.state, row), ::testing::Contains(::testing::Ne(0))) << row;
  }
  EXPECT_NE(all_triggers(example.state.triggers), all_triggers(TriggerTable(12, two_words)));
}

TYPED_TEST(EachPlacement, GivesTheSameBytesForAnyNumberOfThreads) {
  const auto run = [&](unsigned threads) {
    Example<> example({.signals = 8, .elements = 2000});
    auto mem = with_placement(small_mem(), this->placement);
    mem.execution.threads = threads;
    (void)example.run(mem);
    return example.everything();
  };
  EXPECT_EQ(run(3), run(1));
}

// The default, spelled out: the same bytes as without it.
TEST(Placements, InFrontAreTheDefault) {
  Example<> expected;
  (void)expected.run(small_mem());
  Example<> example;
  (void)example.run(with_placement(small_mem(), FrontPlacement{}));
  EXPECT_EQ(example.everything(), expected.everything());
  Example<> behind;
  (void)behind.run(with_placement(small_mem(), BackPlacement{}));
  EXPECT_NE(behind.everything(), expected.everything());
}

}  // namespace
}  // namespace unlearn
