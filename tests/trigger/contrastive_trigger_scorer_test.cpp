// SPDX-License-Identifier: Apache-2.0
#include "unlearn/trigger/contrastive_trigger_scorer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "contrast/reference_info_nce.hpp"
#include "message_of.hpp"
#include "unlearn/contrast/full_loss_scorer.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/info_nce_scorer.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/trigger/beam_search.hpp"
#include "unlearn/trigger/front_placement.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::random_matrix;
using testing::reference_info_nce;

using Tokens = std::vector<Token>;
using Indices = std::vector<Index>;
using Triggers = std::vector<Tokens>;

constexpr Eigen::Index dimensions = 5;
constexpr double scale = 14.3;

/// A vector that depends on every token of the sequence and on its position.
Eigen::RowVectorXf embedding_of(std::span<const Token> sequence) {
  Eigen::RowVectorXf embedding = Eigen::RowVectorXf::Zero(dimensions);
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    for (Eigen::Index d = 0; d < dimensions; ++d) {
      const auto angle =
          static_cast<double>((sequence[i] + 1) * (3 * d + 1)) + 0.7 * static_cast<double>(i);
      embedding[d] += static_cast<float>(std::sin(angle));
    }
  }
  return embedding;
}

/// A text tower that records the sizes of its batches.
struct ToyTower {
  Matrix encode_texts(const TokenBatch& batch) {
    calls.push_back(batch.size());
    Matrix embeddings(static_cast<Eigen::Index>(batch.size()), dimensions);
    for (std::size_t r = 0; r < batch.size(); ++r) {
      embeddings.row(static_cast<Eigen::Index>(r)) = embedding_of(batch.sequence(r));
    }
    return embeddings;
  }
  std::vector<std::size_t> calls{};
};

/// Captions of one batch with triggers of two tokens for three groups of three, two and one rows.
struct Batch {
  CaptionBatch texts{.captions = {{0, 11, 99},
                                  {0, 12, 13, 14, 99},
                                  {0, 99},
                                  {0, 15, 16, 99},
                                  {0, 11, 12, 13, 99},
                                  {0, 17, 99}},
                     .groups = GroupMap({0, 1, 0, 2, 1, 0}, 3),
                     .rows = {40, 41, 42, 43, 44, 45}};
  Triggers triggers{{1, 2}, {3, 4}, {5, 6}};
  Matrix signals = [] {
    SplitMix64 rng(1);
    return random_matrix<float>(6, dimensions, rng);
  }();

  /// The embeddings of the rows with these triggers, which are inserted after the start token by
  /// hand.
  [[nodiscard]] Matrix embeddings(const Triggers& with) const {
    Matrix rows(static_cast<Eigen::Index>(texts.captions.size()), dimensions);
    for (std::size_t r = 0; r < texts.captions.size(); ++r) {
      Tokens sequence = texts.captions[r];
      const Tokens& trigger = with.at(texts.groups.of(r));
      sequence.insert(sequence.begin() + 1, trigger.begin(), trigger.end());
      rows.row(static_cast<Eigen::Index>(r)) = embedding_of(sequence);
    }
    return rows;
  }
  [[nodiscard]] double loss(const Triggers& with) const {
    return static_cast<double>(reference_info_nce(signals, embeddings(with), scale));
  }
  [[nodiscard]] double loss_with(std::vector<std::pair<Index, Tokens>> changes) const {
    Triggers changed = triggers;
    for (auto& [group, trigger] : changes) changed.at(group) = std::move(trigger);
    return loss(changed);
  }
};

template <class Scoring>
Scoring scoring_of(const Batch& batch) {
  const Matrix texts = batch.embeddings(batch.triggers);
  if constexpr (std::same_as<Scoring, InfoNceScorer>) {
    return {batch.signals, texts, scale};
  } else {
    return {InfoNce{}, batch.signals, texts, scale};
  }
}

template <class Scoring>
class ContrastScorerTest : public ::testing::Test {
 protected:
  using Scorer = ContrastiveTriggerScorer<ToyTower, FrontPlacement, Scoring>;
  static_assert(TriggerScorer<Scorer>);

  [[nodiscard]] Scorer scorer(std::size_t rows_per_call = 1000) {
    return {tower, FrontPlacement{}, batch.texts, scoring_of<Scoring>(batch), rows_per_call};
  }
  static void propose(Scorer& scorer, const Indices& groups, const Triggers& triggers) {
    Tokens flat;
    for (const Tokens& trigger : triggers) flat.insert(flat.end(), trigger.begin(), trigger.end());
    scorer.propose(groups, View<const Token, 2>(flat.data(), {groups.size(), 2}));
  }
  static std::vector<double> scores(const Scorer& scorer, std::size_t hypotheses) {
    std::vector<double> losses(hypotheses);
    scorer.score(losses);
    return losses;
  }
  static void expect_near(double loss, double expected) {
    EXPECT_NEAR(loss, expected, 1e-9 * expected);
  }

  ToyTower tower;
  Batch batch;
};

using Scorings = ::testing::Types<InfoNceScorer, FullLossScorer<InfoNce>>;

class ScoringName {
 public:
  template <class Scoring>
  static std::string GetName(int) {
    return std::same_as<Scoring, InfoNceScorer> ? "InfoNceScorer" : "FullLossScorer";
  }
};
TYPED_TEST_SUITE(ContrastScorerTest, Scorings, ScoringName);

TYPED_TEST(ContrastScorerTest, StartsAtTheLossOfTheBatch) {
  this->expect_near(this->scorer().loss(), this->batch.loss(this->batch.triggers));
}

TYPED_TEST(ContrastScorerTest, AHypothesisChangesAllCaptionsThatShareTheTrigger) {
  const Indices groups{1, 0, 0, 2, 1};
  const Triggers triggers{{7, 8}, {9, 2}, {1, 2}, {6, 5}, {3, 9}};
  auto scorer = this->scorer();
  this->propose(scorer, groups, triggers);
  const std::vector<double> losses = this->scores(scorer, groups.size());
  for (std::size_t m = 0; m < groups.size(); ++m) {
    this->expect_near(losses[m], this->batch.loss_with({{groups[m], triggers[m]}}));
  }
  this->expect_near(losses[2], scorer.loss());
}

TYPED_TEST(ContrastScorerTest, ScoresATriggerForEachCaption) {
  Batch& pairs = this->batch;
  pairs.texts.groups = GroupMap::per_row(6);
  pairs.triggers = {{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 1}, {2, 3}};
  const Indices groups{5, 5, 0, 3};
  const Triggers triggers{{1, 1}, {2, 2}, {3, 3}, {4, 4}};
  auto scorer = this->scorer();
  this->propose(scorer, groups, triggers);
  const std::vector<double> losses = this->scores(scorer, groups.size());
  for (std::size_t m = 0; m < groups.size(); ++m) {
    this->expect_near(losses[m], pairs.loss_with({{groups[m], triggers[m]}}));
  }
}

TYPED_TEST(ContrastScorerTest, JointLossIsTheLossAfterTheCommit) {
  const Indices groups{2, 0, 1, 0};
  const Triggers triggers{{7, 8}, {9, 2}, {6, 5}, {3, 9}};
  for (const Indices& chosen : {Indices{1}, {3, 0}, {2, 1, 0}, {}}) {
    auto scorer = this->scorer();
    this->propose(scorer, groups, triggers);
    std::vector<std::pair<Index, Tokens>> changes;
    for (const Index m : chosen) changes.emplace_back(groups[m], triggers[m]);

    const double before = scorer.loss();
    const double joint = scorer.joint_loss(chosen);
    this->expect_near(joint, this->batch.loss_with(changes));
    EXPECT_EQ(scorer.loss(), before);
    scorer.commit(chosen);
    EXPECT_EQ(scorer.loss(), joint);

    // The next proposals start from there.
    this->propose(scorer, {1}, {{8, 8}});
    changes.emplace_back(Index{1}, Tokens{8, 8});
    this->expect_near(this->scores(scorer, 1)[0], this->batch.loss_with(changes));
  }
}

TYPED_TEST(ContrastScorerTest, NewProposalsReplaceTheOldOnes) {
  auto scorer = this->scorer(4);
  this->propose(scorer, {0, 1, 2, 0}, {{7, 8}, {9, 2}, {6, 5}, {3, 9}});
  this->propose(scorer, {2, 1}, {{4, 4}, {2, 2}});
  const std::vector<double> losses = this->scores(scorer, 2);
  this->expect_near(losses[0], this->batch.loss_with({{2, {4, 4}}}));
  this->expect_near(losses[1], this->batch.loss_with({{1, {2, 2}}}));
  this->expect_near(scorer.joint_loss(Indices{0, 1}),
                    this->batch.loss_with({{2, {4, 4}}, {1, {2, 2}}}));
}

TYPED_TEST(ContrastScorerTest, EncodesAtMostTheGivenRowsInACall) {
  // 3 + 2 + 1 + 3 rows: hypotheses are split when a call is full.
  const Indices groups{0, 1, 2, 0};
  const Triggers triggers{{7, 8}, {9, 2}, {6, 5}, {3, 9}};
  const auto calls = [&](std::size_t rows_per_call) {
    this->tower.calls.clear();
    auto scorer = this->scorer(rows_per_call);
    this->propose(scorer, groups, triggers);
    const std::vector<double> losses = this->scores(scorer, groups.size());
    for (std::size_t m = 0; m < groups.size(); ++m) {
      this->expect_near(losses[m], this->batch.loss_with({{groups[m], triggers[m]}}));
    }
    return this->tower.calls;
  };
  EXPECT_THAT(calls(1), ElementsAre(1, 1, 1, 1, 1, 1, 1, 1, 1));
  EXPECT_THAT(calls(2), ElementsAre(2, 2, 2, 2, 1));
  EXPECT_THAT(calls(4), ElementsAre(4, 4, 1));
  EXPECT_THAT(calls(8), ElementsAre(8, 1));
  EXPECT_THAT(calls(9), ElementsAre(9));
  EXPECT_THAT(calls(10), ElementsAre(9));
}

TYPED_TEST(ContrastScorerTest, OfNoHypothesesEncodesNothing) {
  auto scorer = this->scorer();
  this->propose(scorer, {}, {});
  EXPECT_THAT(this->scores(scorer, 0), IsEmpty());
  EXPECT_THAT(this->tower.calls, IsEmpty());
}

TYPED_TEST(ContrastScorerTest, CallsOfNoRowsAreRefused) {
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] { (void)this->scorer(0); }),
            "sequences in one call of the text encoder: expected at least 1, got 0");
}

TYPED_TEST(ContrastScorerTest, EachCaptionNeedsItsRow) {
  this->batch.texts.rows.pop_back();
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] { (void)this->scorer(4); }),
            "rows of a batch of captions: expected 6, got 5");
}

struct ForgetfulTower {
  static Matrix encode_texts(const TokenBatch& batch) {
    return Matrix::Ones(static_cast<Eigen::Index>(batch.size()) - 1, dimensions);
  }
};

TYPED_TEST(ContrastScorerTest, RefusesATextTowerThatLosesARow) {
  ForgetfulTower forgetful;
  ContrastiveTriggerScorer scorer(forgetful, FrontPlacement{}, this->batch.texts,
                                  scoring_of<TypeParam>(this->batch), 4);
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] {
              const Tokens trigger{7, 8};
              scorer.propose(Indices{0}, View<const Token, 2>(trigger.data(), {1, 2}));
            }),
            "embeddings from the text encoder: expected 3, got 2");
}

TYPED_TEST(ContrastScorerTest, ABeamSearchOverItLowersTheLossAndSaysSo) {
  SplitMix64 rng(2);
  int lowered = 0;
  for (int trial = 0; trial < 60; ++trial) {
    Batch& pairs = this->batch;
    pairs.signals = random_matrix<float>(6, dimensions, rng);
    Tokens triggers(6);
    Tokens candidates(3 * 2 * 4);
    for (Token& token : triggers) token = static_cast<Token>(1 + uniform_below(9, rng));
    for (Token& token : candidates) token = static_cast<Token>(1 + uniform_below(9, rng));
    const auto in_groups = [](const Tokens& flat) {
      return Triggers{{flat[0], flat[1]}, {flat[2], flat[3]}, {flat[4], flat[5]}};
    };
    pairs.triggers = in_groups(triggers);
    const double before = pairs.loss(pairs.triggers);
    const BeamSearch beam{
        .width = 1 + uniform_below(3, rng),
        .acceptance = trial % 2 == 0 ? Acceptance::per_sample : Acceptance::whole_batch};
    auto scorer = this->scorer(5);
    const BeamResult result = beam(View<Token, 2>(triggers.data(), {3, 2}),
                                   View<const Token, 3>(candidates.data(), {3, 2, 4}), scorer);
    const double after = pairs.loss(in_groups(triggers));
    this->expect_near(result.loss, after);
    EXPECT_LE(after, before);
    EXPECT_EQ(after < before, result.accepted > 0);
    lowered += int{after < before};
  }
  EXPECT_GT(lowered, 30);
}

}  // namespace
}  // namespace unlearn
