// SPDX-License-Identifier: Apache-2.0
// Runs that would do nothing, or something that nobody asked for, and look like success.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mem/example_run.hpp"
#include "mem/two_tower.hpp"
#include "message_of.hpp"
#include "special_numbers.hpp"
#include "unlearn/contrast/siglip.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/mem/configurations.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/mem/with_loss.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace unlearn {
namespace {

using testing::all_noise;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::EndsWith;
using testing::Example;
using testing::Floats;
using testing::infinity_f;
using testing::message_of;
using testing::nan_f;
using ::testing::Not;
using testing::Pixels;
using testing::RunRng;
using testing::small_mem;
using ::testing::StartsWith;
using testing::two_words;
using testing::TwoTowers;

/// The message with which `mem` refuses `example`, which must be unchanged.
template <class Mem, class Any>
std::string refusal_of(const Mem& mem, Any& example) {
  const std::string before = example.everything();
  const std::string message = message_of<InvalidArgument>([&] { (void)example.run(mem); });
  EXPECT_EQ(example.everything(), before);
  return message;
}

/// The message with which small_mem() is refused after a change.
template <class Change>
std::string refusal_after(const Change& change, Pixels::Shape shape = {}) {
  Example<> example(shape);
  auto mem = small_mem();
  change(mem, example);
  return refusal_of(mem, example);
}

// --- Too few pairs -------------------------------------------------------------------------------

std::string too_few(const std::string& stage) {
  return "pairs in the smallest batch of the " + stage +
         " stage: expected at least 2, which the loss compares (raise batch_size, or give more "
         "pairs), got 1";
}

TEST(IdleRun, IsRefusedWhenABatchHasNothingToCompare) {
  const auto nothing = [](auto&, auto&) {};
  EXPECT_EQ(refusal_after(nothing, {.signals = 1}), too_few("surrogate"));
  EXPECT_EQ(refusal_after([](auto& mem, auto&) { mem.batch_size = 1; }), too_few("surrogate"));
  const auto without_training = [](auto& mem, auto&) { mem.surrogate_steps = 0; };
  EXPECT_EQ(refusal_after(without_training, {.signals = 1}), too_few("trigger"));
  const auto noise_alone = [](auto& mem, auto&) { mem.surrogate_steps = mem.trigger_rounds = 0; };
  EXPECT_EQ(refusal_after(noise_alone, {.signals = 1}), too_few("noise"));
  EXPECT_EQ(refusal_after(noise_alone, {.signals = 1, .captions = 3}), too_few("noise"))
      << "a noise pass visits signals, not captions";
}

// Five rows in batches of two are batches of 1, 2 and 2.
TEST(IdleRun, IsRefusedWhenTheSmallestBatchHasNothingToCompare) {
  const auto pairwise = [](auto& mem, auto&) { mem.batch_size = 2; };
  EXPECT_EQ(refusal_after(pairwise, {.signals = 5}), too_few("trigger"));
  for (const std::size_t signals : {2U, 4U, 6U}) {
    Example<> example({.signals = signals});
    auto mem = small_mem();
    mem.batch_size = 2;
    EXPECT_EQ(example.run(mem).stop, StopReason::round_limit) << signals;
  }
  for (std::size_t count = 2; count < 40; ++count) {
    for (std::size_t size = 3; size < 40; ++size) {
      EXPECT_GE((PassCut{.count = count, .batch_size = size}.smallest_batch()), 2U);
    }
  }
}

TEST(PassCut, KnowsItsSmallestBatch) {
  std::vector<Index> order(50);
  for (std::size_t count = 1; count <= order.size(); ++count) {
    for (std::size_t size = 1; size <= 12; ++size) {
      const PassCut cut{.count = count, .batch_size = size};
      std::size_t smallest = count;
      for (std::size_t b = 0; b < cut.batches(); ++b) {
        smallest = std::min(smallest, cut.batch(std::span(order).first(count), b).size());
      }
      EXPECT_EQ(cut.smallest_batch(), smallest) << count << " / " << size;
    }
  }
  EXPECT_EQ((PassCut{.count = 0, .batch_size = 4}.smallest_batch()), 0U);
}

TEST(IdleRun, IsNoneWithALossThatLearnsFromASinglePair) {
  Example<> example;
  auto mem = with_loss(small_mem(), SigLip{.bias = -1});
  mem.batch_size = 1;
  const RunResult result = example.run(mem);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_GT(result.loss, 0);
  EXPECT_THAT(all_noise(example.state), Not(Each(0)));
}

// --- Settings ------------------------------------------------------------------------------------

TEST(IdleRun, IsRefusedWhenAllOfItsLevelsAreLeftOut) {
  const std::string message =
      "levels of the run: expected surrogate_steps, descent.steps, or trigger_rounds with triggers "
      "in the state, got none of them";
  const auto only_triggers = [](auto& mem) {
    mem.surrogate_steps = 0;
    mem.descent.steps = 0;
  };
  EXPECT_EQ(refusal_after([&](auto& mem, auto&) {
              only_triggers(mem);
              mem.trigger_rounds = 0;
            }),
            message);
  EXPECT_EQ(refusal_after([&](auto& mem, auto& example) {
              only_triggers(mem);
              example.state = fresh_state(example.pairs);
            }),
            message);
  EXPECT_EQ(refusal_after([](auto& mem, auto&) { mem = training(0); }), message);
  Example<> example;
  auto mem = small_mem();
  only_triggers(mem);
  EXPECT_GT(example.run(mem).hypotheses, 0U);
}

TEST(IdleRun, IsOneOfNoRounds) {
  Example<> example;
  auto mem = small_mem();
  mem.rounds = 0;
  const std::string before = example.everything();
  const RunResult result = example.run(mem);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_EQ(result.rounds, 0U);
  EXPECT_EQ(example.everything(), before);
}

TEST(IdleRun, IsRefusedWhenTheNoiseCannotMove) {
  const std::string hint = " is 0 in integers: write ";
  EXPECT_THAT(refusal_after([](auto& mem, auto&) { mem.ball.radius = 8 / 255; }),
              StartsWith("radius of the ball: expected more than 0 (8 / 255" + hint));
  EXPECT_THAT(refusal_after([](auto& mem, auto&) { mem.descent.step = 1 / 255; }),
              StartsWith("step of the descent: expected more than 0 (1 / 255" + hint));
  EXPECT_THAT(refusal_after([](auto& mem, auto&) { mem.ball.radius = 1e-7; }),
              StartsWith("radius of the ball: expected at least one level"));
  EXPECT_THAT(refusal_after([](auto& mem, auto&) { mem.descent.step = 1e-7; }),
              StartsWith("step of the descent: expected at least one level"));
  Example<Floats> floats;
  EXPECT_THAT(refusal_of(MultiStepMinimizer<L2Ball>{.ball = {.radius = 0}}, floats),
              StartsWith("radius of the ball: expected more than 0"));
  Example<> example;
  auto mem = small_mem();
  mem.descent = {.step = 0, .steps = 0};
  mem.ball.radius = 0;
  EXPECT_EQ(example.run(mem).stop, StopReason::round_limit) << "without noise, they do not matter";
}

TEST(IdleRun, MayLeaveSomeChannelsWithoutNoise) {
  Example<Floats> example;
  const std::vector<double> radii{0, 0.1};
  const MultiStepMinimizer<LinfBall<PerChannel>> mem{
      .descent = {.step = 0.01, .steps = 2},
      .ball = {.radius = {.radii = radii, .plane = 1}},
      .rounds = 1,
      .surrogate_steps = 1};
  (void)example.run(mem);
  const auto noise = all_noise(example.state);
  for (std::size_t i = 0; i < noise.size(); i += 2) EXPECT_EQ(noise[i], 0);
  EXPECT_THAT(noise, Not(Each(0)));
}

TEST(IdleRun, IsRefusedWithAStopLossThatIsNaN) {
  EXPECT_THAT(refusal_after([](auto& mem, auto&) { mem.stop_loss = testing::nan; }),
              StartsWith("stop_loss: expected a number, got "));
}

TEST(IdleRun, IsRefusedOverSignalsWithoutNumbers) {
  EXPECT_EQ(refusal_after([](auto&, auto&) {}, {.elements = 0}),
            "elements of a signal: expected at least 1, got 0");
}

/// A source of 2^32 rows or signals.
template <bool Rows>
struct EndlessPairs : Pixels {
  using Pixels::Pixels;
  static constexpr std::size_t many = std::size_t{1} << 32U;
  [[nodiscard]] std::size_t rows() const { return Rows ? many : Pixels::rows(); }
  [[nodiscard]] std::size_t signals() const { return Rows ? Pixels::signals() : many; }
};

template <bool Rows>
std::string refusal_of_endless_pairs() {
  Pixels few;
  EndlessPairs<Rows> pairs;
  TwoTowers model(few.elements());
  auto state = fresh_state(few, two_words);
  RunRng rng(1);
  return message_of<InvalidArgument>([&] { (void)small_mem().minimize(model, pairs, state, rng); });
}

TEST(IdleRun, IsRefusedOverMoreRowsOrSignalsThanAnIndexCanNumber) {
  const std::string most = " of the pair source: expected at most 2^32 - 1";
  EXPECT_THAT(refusal_of_endless_pairs<true>(), StartsWith("rows" + most));
  EXPECT_THAT(refusal_of_endless_pairs<false>(), StartsWith("signals" + most));
}

// --- Triggers ------------------------------------------------------------------------------------

TEST(IdleRun, IsRefusedWhenTheFilterLeavesNoChoice) {
  const std::string message =
      "tokens that the filter allows: expected at least 2 to choose from (trigger_rounds = 0 "
      "leaves the search out), got ";
  const auto none = TokenFilter::only(Pixels::vocabulary, {});
  const auto one = TokenFilter::only(Pixels::vocabulary, std::vector<Token>{9});
  const auto two = TokenFilter::only(Pixels::vocabulary, std::vector<Token>{9, 10});
  EXPECT_EQ(refusal_after([&](auto& mem, auto&) { mem.filter = none; }), message + "0");
  EXPECT_EQ(refusal_after([&](auto& mem, auto&) { mem.filter = one; }), message + "1");
  for (const bool searches : {true, false}) {
    Example<> example;
    auto mem = small_mem();
    mem.filter = searches ? two : none;
    if (!searches) mem.trigger_rounds = 0;
    EXPECT_EQ(example.run(mem).hypotheses > 0, searches);
  }
}

TEST(IdleRun, IsRefusedWhenItStartsFromATokenThatTheModelDoesNotHave) {
  for (const Token token : {Token{Pixels::vocabulary}, Token{-1}}) {
    for (const std::uint32_t trigger_rounds : {2U, 0U}) {
      EXPECT_EQ(refusal_after([&](auto& mem, auto& example) {
                  mem.trigger_rounds = trigger_rounds;
                  example.state.triggers[3][1] = token;
                }),
                "token 1 of trigger 3: expected below the model's vocabulary of 50, and not "
                "negative, got " +
                    std::to_string(token));
    }
  }
}

TEST(IdleRun, IsRefusedWithMoreCandidatesThanTokens) {
  for (const std::size_t k : {std::size_t{51}, std::numeric_limits<std::size_t>::max()}) {
    EXPECT_EQ(refusal_after([&](auto& mem, auto&) { mem.search.candidates = k; }),
              "candidates of a HotFlip search: expected at most the vocabulary of 50, got " +
                  std::to_string(k));
  }
  EXPECT_EQ(refusal_after([](auto& mem, auto&) { mem.search.candidates = 0; }),
            "candidates of a HotFlip search: expected at least 1, got 0");
  Example<> example;
  auto mem = small_mem();
  mem.search.candidates = 50;
  EXPECT_EQ(example.run(mem).stop, StopReason::round_limit);
}

// --- The model -----------------------------------------------------------------------------------

enum class Fault { none, no_call, two_calls, no_output, adds, one_gap };

/// Does its gradients as `faults` say.
struct CarelessTowers : TwoTowers {
  using TwoTowers::TwoTowers;
  Fault of_signals = Fault::none;
  Fault of_texts = Fault::none;

  template <std::size_t Rank, class Gradient>
  static void spoil(Fault fault, View<float, Rank> out, const Gradient& gradient) {
    std::vector<float> written(out.size());
    if (fault != Fault::no_call) gradient(View<float, Rank>(written, out.extents()));
    if (fault == Fault::two_calls) gradient(View<float, Rank>(written, out.extents()));
    if (fault == Fault::no_output) return;
    const std::size_t gap = fault == Fault::one_gap ? out.size() - 1 : out.size();
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i == gap) continue;
      out.flat()[i] = (fault == Fault::adds ? out.flat()[i] : 0) + written[i];
    }
  }
  template <class S, class N, class Loss>
  void signal_gradient(const SignalBatch<S, N>& signals, LossPullback<Loss>& pullback,
                       View<float, 2> out) const {
    spoil(of_signals, out,
          [&](View<float, 2> to) { TwoTowers::signal_gradient(signals, pullback, to); });
  }
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback,
                     View<float, 3> out) const {
    spoil(of_texts, out, [&](View<float, 3> to) { TwoTowers::text_gradient(texts, pullback, to); });
  }
};

template <class Pairs>
std::string refusal_of_model(Fault of_signals, Fault of_texts, bool shared = false) {
  Example<Pairs, CarelessTowers> example;
  if (shared) example.share({.noise = GroupMap::universal(6), .triggers = GroupMap::universal(6)});
  example.model.of_signals = of_signals;
  example.model.of_texts = of_texts;
  auto mem = small_mem();
  mem.surrogate_steps = 0;
  if (of_texts == Fault::none) mem.trigger_rounds = 0;
  return message_of<InvalidArgument>([&] { (void)example.run(mem); });
}

TEST(IdleRun, IsRefusedWithAModelThatDoesNotCallThePullbackOnce) {
  for (const auto& [fault, calls] : {std::pair{Fault::no_call, "0"}, {Fault::two_calls, "2"}}) {
    for (const bool shared : {false, true}) {
      EXPECT_EQ(refusal_of_model<Pixels>(fault, Fault::none, shared),
                std::string("calls of the pullback by the model's signal_gradient: expected 1, "
                            "between the forward and the backward pass, got ") +
                    calls);
      EXPECT_EQ(refusal_of_model<Floats>(Fault::none, fault, shared),
                std::string("calls of the pullback by the model's text_gradient: expected 1, "
                            "between the forward and the backward pass, got ") +
                    calls);
    }
  }
}

TEST(IdleRun, IsRefusedWithAModelThatDoesNotWriteItsGradient) {
  const auto message = [](const std::string& function, const std::string& place) {
    return "gradient from the model's " + function +
           ": expected a value assigned to every element of `out` (0 where the input has no "
           "effect), got element " +
           place + " left out, or added to";
  };
  for (const Fault fault : {Fault::no_output, Fault::adds}) {
    for (const bool shared : {false, true}) {
      EXPECT_EQ(refusal_of_model<Pixels>(fault, Fault::none, shared),
                message("signal_gradient", "0 of row 0"));
      EXPECT_EQ(refusal_of_model<Floats>(fault, Fault::none, shared),
                message("signal_gradient", "0 of row 0"));
      EXPECT_EQ(refusal_of_model<Pixels>(Fault::none, fault, shared),
                message("text_gradient", "0 of row 0"));
    }
  }
  // Batches have three rows, of six numbers, or of two tokens of width 3.
  EXPECT_EQ(refusal_of_model<Pixels>(Fault::one_gap, Fault::none),
            message("signal_gradient", "5 of row 2"));
  EXPECT_EQ(refusal_of_model<Pixels>(Fault::none, Fault::one_gap),
            message("text_gradient", "5 of row 2"));
}

// --- Signals outside the box ---------------------------------------------------------------------

/// Float signals of which one number is another, and a count of the loads.
struct SpoiltPairs : Floats {
  using Floats::Floats;
  float spoilt = 0.5F;
  void load_signals(std::span<const Index> indices, View<float, 2> out) const {
    Floats::load_signals(indices, out);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (indices[i] == 4) out.row(i)[2] = spoilt;
    }
  }
};

TEST(SignalsOfARun, MustBeInTheBox) {
  for (const bool shared : {false, true}) {
    for (const bool trains : {false, true}) {
      for (const float spoilt : {1.0000001F, -255.0F, nan_f, infinity_f}) {
        Example<SpoiltPairs> example;
        if (shared) {
          example.share({.noise = GroupMap::universal(6), .triggers = GroupMap::universal(6)});
        }
        example.pairs.spoilt = spoilt;
        auto mem = small_mem();
        mem.trigger_rounds = 0;
        mem.surrogate_steps = trains ? 2 : 0;
        EXPECT_THAT(message_of<InvalidArgument>([&] { (void)example.run(mem); }),
                    AllOf(StartsWith("signal 4, number 2: expected 0 to 1, as the box says "),
                          EndsWith(is_finite(spoilt) ? (spoilt > 0 ? "got 1.0000001" : "got -255")
                                                     : (is_nan(spoilt) ? "got nan" : "got inf"))));
        example.pairs.spoilt = 1;
        EXPECT_EQ(example.run(mem).stop, StopReason::round_limit) << "it can go on";
      }
    }
  }
}

TEST(SignalsOfARun, MayLeaveTheUnitIntervalInAnotherBox) {
  Example<SpoiltPairs> example;
  example.pairs.spoilt = 7;
  auto mem = small_mem();
  mem.box = {.low = 0, .high = 7};
  EXPECT_EQ(example.run(mem).stop, StopReason::round_limit);
  mem.box = {.low = -infinity_f, .high = infinity_f};
  example.pairs.spoilt = nan_f;
  example.state.progress = {};
  EXPECT_THAT(message_of<InvalidArgument>([&] { (void)example.run(mem); }),
              StartsWith("signal 4, number 2: expected -inf to inf"));
}

/// Shows one good and then only bad numbers: a source must not, but so the test sees what is read.
struct ChangingPairs : Floats {
  using Floats::Floats;
  mutable std::vector<int> loads = std::vector<int>(6);
  void load_signals(std::span<const Index> indices, View<float, 2> out) const {
    Floats::load_signals(indices, out);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (++loads[indices[i]] > 1) out.row(i)[0] = 2;
    }
  }
};

TEST(SignalsOfARun, AreCheckedWhenTheyAreFirstLoadedAndNotAgain) {
  Example<ChangingPairs> example;
  EXPECT_EQ(example.run(small_mem()).stop, StopReason::round_limit);
  EXPECT_THAT(example.pairs.loads, Each(::testing::Gt(1)));
}

struct WrongSignal : Floats {
  using Floats::Floats;
  [[nodiscard]] Index signal_of(Index row) const { return row == 5 ? 6 : row; }
  void load_signals(std::span<const Index> /*indices*/, View<float, 2> out) const {
    std::ranges::fill(out.flat(), 0.5F);
  }
};

TEST(SignalsOfARun, MustBeOfTheSource) {
  WrongSignal pairs;
  TwoTowers model(pairs.elements());
  const Floats right;
  auto state = fresh_state(right, two_words);
  RunRng rng(1);
  EXPECT_EQ(
      message_of<InvalidArgument>([&] { (void)small_mem().minimize(model, pairs, state, rng); }),
      "signal of a row: expected below the source's 6, got 6");
}

}  // namespace
}  // namespace unlearn
