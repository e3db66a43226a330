// SPDX-License-Identifier: Apache-2.0
// Why a run ends, what it refuses, and what state it leaves if other parts fail.
#include "unlearn/mem/multi_step_minimizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "mem/example_run.hpp"
#include "mem/two_tower.hpp"
#include "message_of.hpp"
#include "stop_flag.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/observers/stop_on.hpp"

namespace unlearn {
namespace {

using testing::all_noise;
using testing::all_triggers;
using testing::AtSafePoints;
using testing::Diary;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::Example;
using ::testing::IsEmpty;
using testing::message_of;
using ::testing::Not;
using testing::Pixels;
using ::testing::SizeIs;
using testing::small_mem;
using testing::text_of;
using testing::two_words;
using testing::TwoTowers;

// --- Why it stops --------------------------------------------------------------------------------

TEST(MultiStepMinimizer, ConvergesAtTheFirstRoundWhoseLossIsBelowTheStopLoss) {
  auto mem = small_mem();
  mem.rounds = 8;
  mem.surrogate_steps = 10;
  Example<> straight;
  const auto trace = straight.run(mem).trace;
  ASSERT_LT(trace[5].of(noise_stage), std::min(trace[3].of(noise_stage), trace[4].of(noise_stage)));
  mem.stop_loss = std::nextafter(*trace[5].of(noise_stage), 1);
  Example<> example;
  const RunResult result = example.run(mem);
  EXPECT_EQ(result.stop, StopReason::converged);
  EXPECT_EQ(result.rounds, 6U);
  EXPECT_EQ(result.loss, trace[5].of(noise_stage));

  const std::string before = example.everything();
  EXPECT_EQ(example.run(mem).stop, StopReason::converged);
  EXPECT_EQ(example.everything(), before) << "there is nothing left to do";

  mem.stop_loss = *trace[5].of(noise_stage);
  Example<> below;
  EXPECT_GT(below.run(mem).rounds, 6U) << "an equal loss is not below";
}

TEST(MultiStepMinimizer, DoesNotConvergeWhileItRaisesTheLoss) {
  Example<> example;
  auto mem = small_mem();
  mem.descent.goal = Goal::maximize;
  mem.stop_loss = 1e9;
  const RunResult result = example.run(mem);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_EQ(result.rounds, 3U);
}

TEST(MultiStepMinimizer, StopsAfterTheBatchOrRoundAtWhichAnObserverAsksForIt) {
  Example<> by_batch;
  int batches = 0;
  Diary diary;
  const RunResult result = by_batch.run(
      small_mem(), [&](const BatchEnd&) { return ++batches == 5 ? Flow::stop : Flow::proceed; },
      diary);
  EXPECT_EQ(result.stop, StopReason::stopped_by_observer);
  EXPECT_EQ(batches, 5);
  EXPECT_EQ(result.rounds, 0U);
  EXPECT_THAT(result.trace, IsEmpty());
  EXPECT_EQ(result.loss, std::nullopt);
  EXPECT_THAT(std::span(diary.entries).last(3),
              ElementsAre("0/3 trigger 1/2", "last safe point", "end stopped_by_observer"));

  Example<> by_round;
  const RunResult after_round = by_round.run(small_mem(), [](const RoundEnd& event) {
    return event.losses.round == 1 ? Flow::stop : Flow::proceed;
  });
  EXPECT_EQ(after_round.stop, StopReason::stopped_by_observer);
  EXPECT_EQ(after_round.rounds, 2U);
  EXPECT_EQ(after_round.loss, after_round.trace[1].of(noise_stage));
}

TEST(MultiStepMinimizer, StopsBeforeItStartsOrAtASafePointWhenAnObserverAsksForIt) {
  Example<> at_once;
  const std::string before = at_once.everything();
  Diary diary;
  const RunResult nothing =
      at_once.run(small_mem(), [](const RunBegin&) { return Flow::stop; }, diary);
  EXPECT_EQ(nothing.stop, StopReason::stopped_by_observer);
  EXPECT_EQ(at_once.everything(), before);
  EXPECT_THAT(diary.entries, ElementsAre("begin 0/3", "end stopped_by_observer"));

  Example<> example;
  diary = {};
  const RunResult result =
      example.run(small_mem(), AtSafePoints{[](const auto& safe) {
                    return safe.state.progress.batch == 2 ? Flow::stop : Flow::proceed;
                  }},
                  diary);
  EXPECT_EQ(result.stop, StopReason::stopped_by_observer);
  EXPECT_EQ(result.train_steps, 2U);
  EXPECT_THAT(
      std::span(diary.entries).last(4),
      ElementsAre("0/3 surrogate 1/3", "safe point", "last safe point", "end stopped_by_observer"));
}

TEST(MultiStepMinimizer, SaysThatItWasThroughWhenItWasStoppedAtItsEnd) {
  Example<> example;
  const RunResult result = example.run(small_mem(), [](const RoundEnd& event) {
    return event.losses.round == 2 ? Flow::stop : Flow::proceed;
  });
  EXPECT_EQ(result.stop, StopReason::round_limit);
}

TEST(MultiStepMinimizer, StopsWhenAStopIsRequested) {
  testing::StopFlag flag;
  Example<> example;
  const RunResult result =
      example.run(small_mem(), stop_on(flag.get_token()), [&](const BatchEnd& event) {
        if (event.stage == noise_stage) flag.requested = true;
      });
  EXPECT_EQ(result.stop, StopReason::stopped_by_observer);
  EXPECT_EQ(example.state.progress.round, 1U) << "the first noise batch was not yet the last";
}

/// Fails in one call of one of its functions: it returns NaN or throws.
struct FaultyTowers : TwoTowers {
  using TwoTowers::TwoTowers;
  std::string function{};
  int call = 0;
  bool throws = false;
  mutable int calls = 0;

  /// Returns 1; NaN in the call that fails.
  float factor(const char* in) const {
    if (function != in || ++calls != call) return 1;
    if (throws) throw std::runtime_error("out of memory on the device");
    return not_a_number<float>();
  }
  Matrix encode_signals(const PixelBatch& signals) const {
    return factor("encode_signals") * TwoTowers::encode_signals(signals);
  }
  Matrix encode_texts(const TokenBatch& texts) const {
    return factor("encode_texts") * TwoTowers::encode_texts(texts);
  }
  template <class Loss>
  void signal_gradient(const PixelBatch& signals, LossPullback<Loss>& pullback,
                       View<float, 2> out) const {
    TwoTowers::signal_gradient(signals, pullback, out);
    out.row(0)[1] *= factor("signal_gradient");
  }
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback,
                     View<float, 3> out) const {
    // A framework may hide the NaN in its gradients. Then only the loss shows it.
    if (const float spoilt = factor("loss of the texts"); is_nan(spoilt)) {
      (void)pullback(Matrix(spoilt * TwoTowers::encode_texts(texts)));
      std::ranges::fill(out.flat(), 1.0F);
      return;
    }
    TwoTowers::text_gradient(texts, pullback, out);
    out[1][1][0] *= factor("text_gradient");
  }
  double train_step(const PixelBatch& signals, const TokenBatch& texts) {
    const double loss = TwoTowers::train_step(signals, texts);
    return loss * static_cast<double>(factor("train_step"));
  }
};
using Faulty = Example<Pixels, FaultyTowers>;

void make_faulty(Faulty& example, const char* function, int call, bool throws) {
  example.model.function = function;
  example.model.call = call;
  example.model.throws = throws;
}

TEST(MultiStepMinimizer, StopsAtALossOrGradientThatIsNotFiniteAndKeepsTheLastGoodState) {
  struct Case {
    const char* function;
    int call;
    std::string_view stage;
    std::uint32_t rounds;
    bool shared = false;
  };
  for (const Case& at :
       {Case{"train_step", 1, surrogate_stage, 0}, Case{"train_step", 5, surrogate_stage, 1},
        Case{"text_gradient", 2, trigger_stage, 0}, Case{"text_gradient", 3, trigger_stage, 1},
        Case{"loss of the texts", 2, trigger_stage, 0}, Case{"encode_signals", 1, trigger_stage, 0},
        Case{"signal_gradient", 1, noise_stage, 0}, Case{"signal_gradient", 3, noise_stage, 0},
        Case{"signal_gradient", 8, noise_stage, 1}, Case{"encode_signals", 3, noise_stage, 0},
        Case{"text_gradient", 2, trigger_stage, 0, true},
        Case{"signal_gradient", 3, noise_stage, 0, true},
        Case{"signal_gradient", 8, noise_stage, 1, true}}) {
    Faulty example;
    if (at.shared) {
      example.share({.noise = GroupMap::universal(6), .triggers = GroupMap::universal(6)});
    }
    make_faulty(example, at.function, at.call, false);
    std::string noise_and_triggers;
    const auto now = [&] {
      return ::testing::PrintToString(all_noise(example.state)) +
             ::testing::PrintToString(all_triggers(example.state.triggers));
    };
    noise_and_triggers = now();
    RunProgress progress;
    Diary diary;
    const RunResult result = example.run(small_mem(), AtSafePoints{[&](const auto& safe) {
                                           noise_and_triggers = now();
                                           progress = safe.state.progress;
                                         }},
                                         diary);
    SCOPED_TRACE(std::string(at.function) + " " + std::to_string(at.call));
    EXPECT_EQ(result.stop, StopReason::not_finite);
    EXPECT_EQ(diary.entries.back(), "end not_finite");
    EXPECT_EQ(result.rounds, at.rounds);
    EXPECT_THAT(result.trace, SizeIs(at.rounds));
    EXPECT_EQ(example.state.progress.stage, at.stage);
    EXPECT_EQ(example.state.progress.batch, progress.batch);
    EXPECT_EQ(now(), noise_and_triggers);
    EXPECT_EQ(result.loss.has_value(), at.rounds > 0);
  }
}

// Call 1 computes the loss of the batch. Call 2 computes those of the candidates, where NaN only
// means that a candidate is not chosen.
TEST(MultiStepMinimizer, TakesNoTriggerWhoseLossIsNotFinite) {
  struct NotANumberAt20 : TwoTowers {
    using TwoTowers::TwoTowers;
    Matrix encode_texts(const TokenBatch& texts) const {
      Matrix embedded = TwoTowers::encode_texts(texts);
      for (std::size_t r = 0; r < texts.size(); ++r) {
        if (std::ranges::any_of(texts.sequence(r).subspan(1, 2), [](Token t) { return t > 20; })) {
          embedded(static_cast<Eigen::Index>(r), 0) = not_a_number<float>();
        }
      }
      return embedded;
    }
  };
  Example<Pixels, NotANumberAt20> example;
  auto mem = small_mem();
  mem.search.candidates = 30;
  const RunResult result = example.run(mem);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_THAT(all_triggers(example.state.triggers), Each(::testing::Le(20)));
  EXPECT_NE(example.state.triggers, TriggerTable(6, two_words));
}

// --- Misuse --------------------------------------------------------------------------------------

/// The message with which `mem` refuses `example`, which must be unchanged.
template <class Mem, class Any>
std::string refusal(const Mem& mem, Any& example) {
  const std::string before = example.everything();
  const std::string message = message_of<InvalidArgument>([&] { (void)example.run(mem); });
  EXPECT_EQ(example.everything(), before);
  return message;
}

TEST(MultiStepMinimizer, RefusesSettingsThatCannotBe) {
  const auto refused = [](auto change) {
    Example<> example;
    auto mem = small_mem();
    change(mem);
    return refusal(mem, example);
  };
  EXPECT_EQ(refused([](auto& mem) { mem.batch_size = 0; }),
            "batch size: expected at least 1, got 0");
  EXPECT_EQ(refused([](auto& mem) { mem.encode_rows = 0; }),
            "encode_rows: expected at least 1, got 0");
  EXPECT_EQ(refused([](auto& mem) { mem.descent.steps = -1; }),
            "steps of the descent: expected at least 0, got -1");
  EXPECT_EQ(refused([](auto& mem) { mem.box = {.low = 1, .high = 0}; }),
            "high end of a Box: expected at least its low end, 1.000000, got 0.000000");
}

TEST(MultiStepMinimizer, RefusesAStateOfAnotherShape) {
  const auto refused = [](auto change) {
    Example<> example;
    change(example.state);
    return refusal(small_mem(), example);
  };
  using Noise = MemoryNoiseStore<std::int8_t>;
  EXPECT_EQ(refused([](auto& state) { state.scope.noise = GroupMap::per_row(5); }),
            "rows of the noise scope: expected 6, got 5");
  EXPECT_EQ(refused([](auto& state) { state.scope.triggers = GroupMap::per_row(7); }),
            "rows of the trigger scope: expected 6, got 7");
  EXPECT_EQ(refused([](auto& state) { state.scope.noise = GroupMap::universal(6); }),
            "groups of the noise store: expected 1, got 6");
  EXPECT_EQ(refused([](auto& state) { state.noise = Noise(6, 5); }),
            "elements of a noise: expected 6, got 5");
  EXPECT_EQ(refused([](auto& state) { state.triggers = TriggerTable(5, two_words); }),
            "groups of the trigger table: expected 6, got 5");
  EXPECT_EQ(refused([](auto& state) { state.progress.round = 4; }),
            "round of the state to go on from: expected at most the round limit of 3, got 4");
}

TEST(MultiStepMinimizer, RefusesNoPairsAtAll) {
  Example<> example({.signals = 0});
  EXPECT_EQ(refusal(small_mem(), example), "rows of the pair source: expected at least 1, got 0");
}

TEST(MultiStepMinimizer, RefusesToGoOnInAStageThatNowHasFewerBatches) {
  const auto refused = [](std::string_view stage, auto change) {
    Example<> example;
    auto mem = small_mem();
    mem.batch_size = 2;
    (void)example.run(mem, [&](const BatchEnd& event) {
      return event.stage == stage && event.batch == 1 ? Flow::stop : Flow::proceed;
    });
    change(mem);
    return refusal(mem, example);
  };
  const std::string batch = "batch of the state to go on from: expected below the stage's ";
  EXPECT_EQ(refused(surrogate_stage, [](auto& mem) { mem.surrogate_steps = 2; }),
            batch + "2, got 2");
  EXPECT_EQ(refused(trigger_stage, [](auto& mem) { mem.trigger_rounds = 0; }), batch + "0, got 2");
  EXPECT_EQ(refused(noise_stage, [](auto& mem) { mem.batch_size = 3; }), batch + "2, got 2");
}

/// A model that cannot learn.
struct Frozen {
  TwoTowers towers;
  explicit Frozen(std::size_t elements) : towers(elements) {}
  Matrix encode_signals(const PixelBatch& signals) { return towers.encode_signals(signals); }
  Matrix encode_texts(const TokenBatch& texts) { return towers.encode_texts(texts); }
  void signal_gradient(const PixelBatch& signals, auto& pullback, View<float, 2> out) {
    towers.signal_gradient(signals, pullback, out);
  }
  void text_gradient(const TokenBatch& texts, auto& pullback, View<float, 3> out) {
    towers.text_gradient(texts, pullback, out);
  }
  View<const float, 2> token_embeddings() { return towers.token_embeddings(); }
  double logit_scale() { return TwoTowers::scale; }
  void save(std::ostream& out) const { towers.save(out); }
};
static_assert(!Trainable<Frozen, PixelBatch>);

TEST(MultiStepMinimizer, RefusesToTrainAModelThatCannotLearn) {
  Example<Pixels, Frozen> example;
  auto mem = small_mem();
  EXPECT_EQ(refusal(mem, example),
            "surrogate_steps for a model without train_step: expected 0, got 3");
  mem.surrogate_steps = 0;
  EXPECT_EQ(example.run(mem).stop, StopReason::round_limit);
  EXPECT_THAT(all_noise(example.state), Not(Each(0)));
}

TEST(MultiStepMinimizer, RefusesWhatItsPoliciesRefuse) {
  const TokenFilter filter(10);
  const auto refused = [](auto change) {
    Example<> example;
    auto mem = small_mem();
    mem.surrogate_steps = 0;
    change(mem);
    return message_of<InvalidArgument>([&] { (void)example.run(mem); });
  };
  EXPECT_EQ(refused([&](auto& mem) { mem.filter = filter; }),
            "vocabulary of the token filter: expected 50, got 10");
  EXPECT_EQ(refused([&](auto& mem) { mem.beam.width = 0; }),
            "width of a beam search: expected at least 1, got 0");
  EXPECT_EQ(refused([&](auto& mem) { mem.ball.radius = 0.5 / 255; }),
            "radius on the pixel lattice: expected a whole number of levels of 1/255, "
            "got 0.500000");
}

// --- Exceptions of other parts -------------------------------------------------------------------

TEST(MultiStepMinimizer, PassesOnWhatTheModelThrowsWithTheStateOfTheLastCompleteBatch) {
  for (const char* function :
       {"train_step", "encode_texts", "encode_signals", "text_gradient", "signal_gradient"}) {
    for (int call = 1; call <= 12; ++call) {
      SCOPED_TRACE(function + std::to_string(call));
      Faulty example;
      make_faulty(example, function, call, true);
      std::string last = text_of(example.state);
      auto at_safe_points = AtSafePoints{[&](const auto& safe) { last = text_of(safe.state); }};
      try {
        (void)example.run(small_mem(), at_safe_points);
        EXPECT_LT(example.model.calls, call) << "or it would have thrown";
        continue;
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "out of memory on the device");
      }
      EXPECT_EQ(text_of(example.state), last);
      EXPECT_EQ(example.run(small_mem()).stop, StopReason::round_limit) << "it can go on";
    }
  }
}

TEST(MultiStepMinimizer, GoesOnToTheSameBytesAfterWhatAnObserverThrew) {
  Example<> straight;
  int batches = 0;
  (void)straight.run(small_mem(), [&](const BatchEnd&) { ++batches; });
  for (int at = 1; at <= batches; ++at) {
    Example<> example;
    int seen = 0;
    EXPECT_THROW((void)example.run(small_mem(),
                                   [&](const BatchEnd&) {
                                     if (++seen == at) throw std::runtime_error("observer");
                                   }),
                 std::runtime_error);
    EXPECT_EQ(example.run(small_mem()).stop, StopReason::round_limit);
    EXPECT_EQ(example.everything(), straight.everything()) << at;
  }
}

/// Fails to load a signal once.
struct FaultyPairs : Pixels {
  using Pixels::Pixels;
  mutable int loads = 0;
  int fails_at = 0;
  void load_signals(std::span<const Index> indices, View<std::uint8_t, 2> out) const {
    if (++loads == fails_at) throw std::runtime_error("cannot read image");
    Pixels::load_signals(indices, out);
  }
};

TEST(MultiStepMinimizer, PassesOnWhatTheSourceThrowsWithTheStateOfTheLastCompleteBatch) {
  for (int load = 1; load <= 12; ++load) {
    Example<FaultyPairs> example;
    example.pairs.fails_at = load;
    std::string last = text_of(example.state);
    EXPECT_EQ(message_of<std::runtime_error>([&] {
                (void)example.run(small_mem(), AtSafePoints{[&](const auto& safe) {
                                    last = text_of(safe.state);
                                  }});
              }),
              "cannot read image");
    EXPECT_EQ(text_of(example.state), last) << load;
  }
}

}  // namespace
}  // namespace unlearn
