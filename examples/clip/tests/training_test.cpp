// SPDX-License-Identifier: Apache-2.0
#include "clip/training/training.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "message_of.hpp"
#include "temporary_directory.hpp"
#include "tiny_clip.hpp"
#include "unlearn/checkpoint/checkpoint.hpp"
#include "unlearn/contrast/siglip.hpp"
#include "unlearn/mem/configurations.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/mem/with_loss.hpp"

namespace unlearn::clip {
namespace {

using testing::message_of, testing::read_file, testing::TemporaryDirectory, testing::write_file;

/// Two captions an image.
struct ToyPairs {
  using sample_type = std::uint8_t;

  ToyPairs(const ClipConfig& config, std::size_t images, std::uint64_t seed)
      : drawn(config, 2 * images, seed) {}

  [[nodiscard]] std::size_t rows() const { return drawn.rows; }
  [[nodiscard]] std::size_t signals() const { return drawn.rows / 2; }
  [[nodiscard]] std::size_t elements() const { return drawn.elements; }
  [[nodiscard]] Index signal_of(Index row) const { return row / 2; }
  void load_signals(std::span<const Index> indices, View<std::uint8_t, 2> out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(drawn.images().clean.row(indices[i]), out.row(i).begin());
    }
  }
  [[nodiscard]] std::span<const Token> caption(Index row) const {
    return drawn.texts().sequence(row);
  }

  testing::DrawnPairs drawn;
};

class Training : public ::testing::Test {
 protected:
  [[nodiscard]] ClipEncoder encoder() const {
    ClipEncoderOptions options;
    options.optimizer.learning_rate = schedule_of(plan, pairs.rows());
    return ClipEncoder(Clip(config, 1), options);
  }

  [[nodiscard]] static std::string bytes_of(ClipEncoder& model) {
    std::ostringstream out;
    model.save(out);
    return out.str();
  }

  ClipConfig config = testing::tiny_vit();
  ToyPairs pairs{config, 12, 1};
  ToyPairs others{config, 6, 2};
  TrainingPlan plan{.epochs = 4, .batch_size = 8, .learning_rate = 1e-3};
  TemporaryDirectory directory;
};

TEST_F(Training, CountsItsSteps) {
  EXPECT_EQ(plan.steps_per_epoch(24), 3U);
  EXPECT_EQ(plan.steps_per_epoch(31), 3U);
  EXPECT_EQ(plan.steps_per_epoch(5), 1U);
  EXPECT_EQ(schedule_of(plan, 24).steps, 12U);
}

TEST_F(Training, MinimisesTheLossOfTheWholeRun) {
  Clip clip(config, 1);
  clip->add_logit_bias();
  ClipEncoder model(clip, {.optimizer = {.learning_rate = {.rate = 1e-3}}});
  auto run = with_loss(mem(), SigLip{});
  run.rounds = 3;
  run.surrogate_steps = 20;
  run.batch_size = 24;
  run.search.candidates = 2;
  run.descent.steps = 2;
  run.stop_loss = 0;
  run.placement.context = static_cast<std::size_t>(config.context_length);
  auto state = fresh_state(pairs, std::vector<Token>{3, 4});
  std::mt19937_64 rng(5);
  const RunResult result = run.minimize(model, pairs, state, rng);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_LT(result.trace.back().of(surrogate_stage).value(),
            0.8 * result.trace.front().of(surrogate_stage).value());
  // At scale 10 and bias −10 nearly the whole loss is that of the pairs themselves: at most 20.
  EXPECT_LT(result.trace.front().of(noise_stage), 20);
  EXPECT_GT(std::abs(model.logit_bias() + 10), 1e-3);
}

TEST_F(Training, LearnsAndLogsEveryEpoch) {
  plan.epochs = 12;
  ClipEncoder model = encoder();
  TrainingState state;
  std::mt19937_64 rng(5);
  const std::string log = directory / "log.csv";
  const RunResult result =
      training_of(plan, pairs.rows()).train(model, pairs, state, rng, EpochLog(log, model, others));
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_EQ(result.train_steps, 36U);
  EXPECT_LT(result.trace.back().of(surrogate_stage).value(),
            0.8 * result.trace.front().of(surrogate_stage).value());

  std::istringstream lines(read_file(log));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "epoch,loss,learning_rate,i2t_hit10,i2t_medr,t2i_hit10,t2i_medr");
  int epoch = 0;
  while (std::getline(lines, line)) EXPECT_TRUE(line.starts_with(std::to_string(++epoch) + ","));
  EXPECT_EQ(epoch, 12);
  const Retrieval found = evaluate(model, others);
  std::ostringstream end;
  end << ",0," << found.signal_to_text.hit_at_k << ',' << found.signal_to_text.median_rank << ','
      << found.text_to_signal.hit_at_k << ',' << found.text_to_signal.median_rank << '\n';
  EXPECT_TRUE(read_file(log).ends_with(end.str())) << end.str();
}

/// Stops after the given number of optimiser steps, as a kill would, but for the checkpoint.
auto stop_after(std::uint64_t steps) {
  return [steps](const BatchEnd& event) {
    return event.round * 3 + event.batch + 1 >= steps ? Flow::stop : Flow::proceed;
  };
}

TEST_F(Training, ResumedEndsInTheSameBytes) {
  ClipEncoder straight = encoder();
  {
    TrainingState state;
    std::mt19937_64 rng(5);
    (void)training_of(plan, pairs.rows())
        .train(straight, pairs, state, rng, EpochLog(directory / "a.csv", straight, others));
  }
  for (const std::uint64_t steps : {1U, 3U, 7U}) {
    const std::string run = directory / ("run" + std::to_string(steps));
    const std::string log = directory / ("b" + std::to_string(steps) + ".csv");
    for (const bool again : {false, true}) {
      ClipEncoder model = encoder();
      TrainingState state;
      std::mt19937_64 rng(again ? 99 : 5);
      auto checkpoint = checkpoint_to(run);
      EXPECT_EQ(checkpoint.restore(state, rng, model), again);
      EpochLog epochs(log, model, others);
      if (again) {
        (void)training_of(plan, pairs.rows()).train(model, pairs, state, rng, epochs, checkpoint);
        EXPECT_TRUE(bytes_of(model) == bytes_of(straight)) << steps;
      } else {
        (void)training_of(plan, pairs.rows())
            .train(model, pairs, state, rng, epochs, stop_after(steps), checkpoint);
        EXPECT_EQ(model.optimizer().steps(), steps);
      }
    }
    EXPECT_EQ(read_file(log), read_file(directory / "a.csv")) << steps;
  }
}

TEST_F(Training, EvaluationDoesNotDependOnHowMuchIsLoadedAtOnce) {
  ClipEncoder model = encoder();
  const Retrieval whole = evaluate(model, pairs);
  const Retrieval pieces = evaluate(model, pairs, 10, 5);
  EXPECT_EQ(whole.signal_to_text.median_rank, pieces.signal_to_text.median_rank);
  EXPECT_EQ(whole.text_to_signal.median_rank, pieces.text_to_signal.median_rank);
  EXPECT_DOUBLE_EQ(whole.text_to_signal.hit_at_k, pieces.text_to_signal.hit_at_k);
}

TEST_F(Training, AForeignLogIsNotOverwritten) {
  const std::string log = directory / "log.csv";
  ClipEncoder model = encoder();
  EpochLog epochs(log, model, others);
  const RunBegin resumed{.first_round = 2, .rounds = 4};
  EXPECT_EQ(
      message_of<FileError>([&] { epochs(resumed); }),
      "file '" + log + "', contents: expected a readable file, got No such file or directory");
  write_file(log, "name,price\n");
  EXPECT_EQ(message_of<FileError>([&] { epochs(resumed); }),
            "file '" + log + "', header: expected a column 'epoch', got none");
  write_file(log,
             "epoch,loss,learning_rate,i2t_hit10,i2t_medr,t2i_hit10,t2i_medr\n1,2,3,4,5,6,7\n");
  EXPECT_EQ(message_of<FileError>([&] { epochs(resumed); }),
            "file '" + log + "', epochs: expected 2, got 1");
  write_file(log,
             "epoch,loss,learning_rate,i2t_hit10,i2t_medr,t2i_hit10,t2i_medr\n1,2,3,4,5,6,7\n"
             "3,2,3,4,5,6,7\n");
  EXPECT_EQ(message_of<FileError>([&] { epochs(resumed); }),
            "file '" + log + "', line 3: expected epoch 2, got 3");
}

}  // namespace
}  // namespace unlearn::clip
