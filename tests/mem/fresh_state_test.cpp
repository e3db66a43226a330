// SPDX-License-Identifier: Apache-2.0
#include "unlearn/mem/fresh_state.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>

#include "mem/two_tower.hpp"

namespace unlearn {
namespace {

using testing::all_noise;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::two_words;
using testing::TwoTowerPairs;

using Pixels = TwoTowerPairs<std::uint8_t>;
using Floats = TwoTowerPairs<float>;
static_assert(std::same_as<noise_of_t<Pixels>, std::int8_t>);
static_assert(std::same_as<noise_of_t<Floats>, float>);

TEST(FreshState, HasNoNoiseAndTheSameTriggerEverywhere) {
  Pixels pairs({.signals = 3, .captions = 2, .elements = 5});
  const RunState<MemoryNoiseStore<std::int8_t>> state = fresh_state(pairs, two_words);
  EXPECT_EQ(state.noise.groups(), 3U) << "one for each signal";
  EXPECT_THAT(all_noise(state), SizeIs(15));
  EXPECT_THAT(all_noise(state), Each(0));
  EXPECT_EQ(state.triggers.groups(), 6U) << "one for each row";
  for (Index row = 0; row < 6; ++row) {
    EXPECT_THAT(state.triggers[row], ElementsAre(5, 6));
    EXPECT_EQ(state.scope.noise.of(row), row % 3);
    EXPECT_EQ(state.scope.triggers.of(row), row);
  }
}

TEST(FreshState, OfFloatSignalsHasNoiseOfFloats) {
  Floats pairs;
  const RunState<MemoryNoiseStore<float>> state = fresh_state(pairs);
  EXPECT_THAT(all_noise(state), Each(0.0F));
}

TEST(FreshState, HasNoTriggersUnlessItIsGivenOne) {
  Pixels pairs;
  const auto state = fresh_state(pairs);
  EXPECT_EQ(state.triggers.groups(), 6U);
  EXPECT_EQ(state.triggers.length(), 0U);
}

TEST(FreshState, FollowsTheScopeItIsGiven) {
  Pixels pairs({.signals = 3, .captions = 2, .elements = 5});
  const auto state =
      fresh_state(pairs, two_words,
                  {.noise = GroupMap::universal(6), .triggers = GroupMap({0, 1, 1, 1, 0, 0}, 2)});
  EXPECT_EQ(state.noise.groups(), 1U);
  EXPECT_EQ(state.noise.elements(), 5U);
  EXPECT_EQ(state.triggers.groups(), 2U);
  EXPECT_THAT(state.triggers[1], ElementsAre(5, 6));
  EXPECT_THAT(state.scope.noise.rows_of(0), SizeIs(6));
  EXPECT_THAT(state.scope.triggers.rows_of(1), ElementsAre(1, 2, 3));
}

TEST(FreshState, StandsAtTheVeryBeginning) {
  Pixels pairs;
  const RunProgress progress = fresh_state(pairs).progress;
  EXPECT_EQ(progress.round, 0U);
  EXPECT_EQ(progress.stage, "") << "the first one";
  EXPECT_EQ(progress.batch, 0U);
  EXPECT_EQ(progress.training.steps, 0U);
  EXPECT_EQ(progress.loss_sum, 0);
  EXPECT_THAT(progress.trace, IsEmpty());
}

// --- The parts of a state ------------------------------------------------------------------------

RoundLosses losses_of(std::initializer_list<StageLoss> stages) { return {.stages = stages}; }

TEST(RoundLosses, EndWithTheLastStageThatRan) {
  const StageLoss surrogate{.stage = "surrogate", .mean = 1};
  const StageLoss trigger{.stage = "trigger", .mean = 2};
  const StageLoss noise{.stage = "noise", .mean = 3};
  EXPECT_EQ(losses_of({surrogate, trigger, noise}).last(), 3);
  EXPECT_EQ(losses_of({surrogate, trigger}).last(), 2);
  EXPECT_EQ(losses_of({surrogate, noise}).last(), 3);
  EXPECT_EQ(losses_of({surrogate}).last(), 1);
  EXPECT_EQ(RoundLosses{}.last(), std::nullopt) << "no stage ran";
}

TEST(RoundLosses, AreFoundByTheNameOfTheStage) {
  const RoundLosses losses =
      losses_of({{.stage = "surrogate", .mean = 1}, {.stage = "noise", .mean = 3}});
  EXPECT_EQ(losses.of("surrogate"), 1);
  EXPECT_EQ(losses.of("noise"), 3);
  EXPECT_EQ(losses.of("trigger"), std::nullopt) << "left out";
}

TEST(Stage, HasAName) {
  EXPECT_EQ(surrogate_stage, "surrogate");
  EXPECT_EQ(trigger_stage, "trigger");
  EXPECT_EQ(noise_stage, "noise");
}

}  // namespace
}  // namespace unlearn
