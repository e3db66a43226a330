// SPDX-License-Identifier: Apache-2.0
#include "unlearn/contrast/siglip_scorer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "contrast/reference_info_nce.hpp"
#include "contrast/reference_siglip.hpp"
#include "contrast/replaced_captions.hpp"
#include "message_of.hpp"
#include "special_numbers.hpp"
#include "unlearn/contrast/full_loss_scorer.hpp"
#include "unlearn/contrast/siglip.hpp"
#include "unlearn/core/finite.hpp"

namespace unlearn {
namespace {

using testing::captions_in_turn;
using testing::message_of;
using testing::nan;
using testing::random_matrix;
using testing::reference_siglip;
using testing::scores;
using testing::turned_axes;
using testing::with_rows;
using Indices = std::vector<Index>;

/// Every candidate's loss against the whole loss, recomputed in long double.
void expect_exact(const Matrix& signals, const Matrix& texts, double scale, double bias,
                  const Indices& replaced, const Matrix& embeddings) {
  const SigLipScorer scorer(signals, texts, scale, bias);
  const std::vector<double> losses = scores(scorer, replaced, embeddings);
  for (std::size_t m = 0; m < replaced.size(); ++m) {
    Matrix changed = texts;
    changed.row(replaced[m]) = embeddings.row(static_cast<Eigen::Index>(m));
    const auto expected = static_cast<double>(reference_siglip(signals, changed, scale, bias));
    EXPECT_NEAR(losses[m], expected, 1e-11 * expected)
        << "candidate " << m << " of caption " << replaced[m] << " of " << scorer.size()
        << " at scale " << scale << " and bias " << bias;
  }
}

TEST(SigLipScorer, ScoresAreTheWholeLossRecomputed) {
  SplitMix64 rng(1);
  for (const double bias : {-10.0, 0.0, 5.0}) {
    for (const double scale : {1.0, 10.0, 100.0, 1000.0}) {
      for (const std::size_t size : {1U, 2U, 8U, 33U}) {
        const Indices replaced = captions_in_turn(size, 3);
        expect_exact(random_matrix<float>(size, 6, rng), random_matrix<float>(size, 6, rng), scale,
                     bias, replaced, random_matrix<float>(replaced.size(), 6, rng));
      }
    }
  }
}

TEST(SigLipScorer, ScoresAreExactNearZero) {
  SplitMix64 rng(2);
  const Matrix signals = turned_axes<float>(12, 13, 0);
  const Indices replaced{0, 5, 11, 5};
  double smallest = 1;
  for (const double angle : {0.0, 0.3, 0.7}) {
    const Matrix texts = turned_axes<float>(12, 13, angle);
    const SigLipScorer scorer(signals, texts, 200, -100);
    smallest = std::min(smallest, scorer.loss());
    expect_exact(signals, texts, 200, -100, replaced, Matrix(signals(replaced, Eigen::all)));
    expect_exact(signals, texts, 200, -100, replaced, random_matrix<float>(4, 13, rng));
  }
  EXPECT_LT(smallest, 1e-41);
  EXPECT_GT(smallest, 0);
}

// The loss falls from 25 to 1e-43 by one caption: no trace of the large terms may be left.
TEST(SigLipScorer, OneGoodCaptionCanMendABatch) {
  const Matrix signals = turned_axes<float>(4, 5, 0);
  Matrix texts = signals;
  texts.row(2) = -signals.row(2);
  expect_exact(signals, texts, 200, -100, {0, 1, 2, 3}, signals);
  EXPECT_LT(scores(SigLipScorer(signals, texts, 200, -100), {2}, signals.row(2))[0], 1e-41);
}

TEST(SigLipScorer, IsTheFullLossScorerThroughAWholeSearch) {
  SplitMix64 rng(3);
  for (const double scale : {1.0, 10.0, 100.0}) {
    const Matrix signals = random_matrix<float>(9, 6, rng);
    const Matrix texts = random_matrix<float>(9, 6, rng);
    const SigLip loss{.bias = -3};
    FullLossScorer full(loss, signals, texts, scale);
    auto fast = loss.scorer(signals, texts, scale, Parallel{});
    for (int step = 0; step < 3; ++step) {
      EXPECT_NEAR(fast.loss(), full.loss(), 1e-12 * full.loss());
      const Indices replaced{4, 0, 4, 8, 1};
      const Matrix embeddings = random_matrix<float>(5, 6, rng);
      const std::vector<double> expected = scores(full, replaced, embeddings);
      const std::vector<double> losses = scores(fast, replaced, embeddings);
      for (std::size_t m = 0; m < replaced.size(); ++m) {
        EXPECT_NEAR(losses[m], expected[m], 1e-12 * expected[m]);
      }
      const Indices group{4, 0, 8};
      const Matrix three = embeddings.topRows(3);
      const double together = fast.loss_with(group, three);
      EXPECT_NEAR(together, full.loss_with(group, three), 1e-12 * full.loss());
      fast.replace(group, three);
      full.replace(group, three);
      EXPECT_EQ(fast.loss(), together);
    }
  }
}

TEST(SigLipScorer, AfterReplacingTheStateIsThatOfTheNewBatch) {
  SplitMix64 rng(4);
  const Matrix signals = random_matrix<float>(8, 5, rng);
  Matrix texts = random_matrix<float>(8, 5, rng);
  SigLipScorer scorer(signals, texts, 10, -3);
  const SigLipScorer copy = scorer;
  const double before = scorer.loss();
  for (const Indices& replaced : {Indices{2}, {7, 0, 3}, {3, 2, 1, 0}}) {
    const Matrix embeddings = random_matrix<float>(replaced.size(), 5, rng);
    texts = with_rows(texts, replaced, embeddings);
    scorer.replace(replaced, embeddings);
    expect_exact(signals, texts, 10, -3, captions_in_turn(8, 2), random_matrix<float>(16, 5, rng));
    const Indices captions = captions_in_turn(8, 2);
    const Matrix candidates = random_matrix<float>(16, 5, rng);
    const std::vector<double> expected =
        scores(SigLipScorer(signals, texts, 10, -3), captions, candidates);
    const std::vector<double> losses = scores(scorer, captions, candidates);
    for (std::size_t m = 0; m < losses.size(); ++m) {
      EXPECT_NEAR(losses[m], expected[m], 1e-13 * expected[m]);
    }
  }
  EXPECT_EQ(copy.loss(), before);
}

TEST(SigLipScorer, ScoresDoNotDependOnTheNumberOfThreads) {
  SplitMix64 rng(5);
  const Matrix signals = random_matrix<float>(9, 7, rng);
  const Matrix texts = random_matrix<float>(9, 7, rng);
  const Indices replaced = captions_in_turn(9, 60);
  const Matrix embeddings = random_matrix<float>(replaced.size(), 7, rng);
  const std::vector<double> expected =
      scores(SigLipScorer(signals, texts, 10, -3, Parallel{.threads = 1}), replaced, embeddings);
  for (const unsigned threads : {0U, 2U, 3U, 16U}) {
    const SigLipScorer many(signals, texts, 10, -3, Parallel{.threads = threads});
    EXPECT_EQ(scores(many, replaced, embeddings), expected) << threads;
  }
}

TEST(SigLipScorer, WithNoCandidatesThereIsNothingToScore) {
  const Matrix axes = Matrix::Identity(3, 3);
  const SigLipScorer scorer(axes, axes, 2, 0);
  EXPECT_TRUE(scores(scorer, {}, Matrix(0, 3)).empty());
  EXPECT_EQ(scorer.loss_with({}, Matrix(0, 3)), scorer.loss());
}

TEST(SigLipScorer, AnswersNanForWhatIsNotFinite) {
  SplitMix64 rng(6);
  const Matrix signals = random_matrix<float>(20, 5, rng);
  const Matrix texts = random_matrix<float>(20, 5, rng);
  Matrix embeddings = random_matrix<float>(3, 5, rng);
  embeddings(1, 4) = testing::nan_f;
  const SigLipScorer scorer(signals, texts, 10, -3);
  const std::vector<double> losses = scores(scorer, {4, 5, 6}, embeddings);
  EXPECT_TRUE(is_finite(losses[0]) && is_nan(losses[1]) && is_finite(losses[2]));
  EXPECT_TRUE(is_nan(scorer.loss_with(Indices{5}, embeddings.row(1))));
  for (const double wrong : {nan, testing::infinity}) {
    EXPECT_TRUE(is_nan(SigLipScorer(signals, texts, wrong, -3).loss()));
    EXPECT_TRUE(is_nan(SigLipScorer(signals, texts, 10, -wrong).loss()));
  }

  // A caption that is not finite spoils the batch until it is the one that is replaced.
  Matrix bad = texts;
  bad(5, 0) = testing::infinity_f;
  SigLipScorer spoilt(signals, bad, 10, -3);
  EXPECT_TRUE(is_nan(spoilt.loss()));
  const std::vector<double> mended = scores(spoilt, {4, 5, 6}, texts.middleRows(4, 3));
  EXPECT_TRUE(is_nan(mended[0]) && is_nan(mended[2]));
  EXPECT_NEAR(mended[1], scorer.loss(), 1e-12 * scorer.loss());
  spoilt.replace(Indices{5}, texts.row(5));
  EXPECT_EQ(spoilt.loss(), scorer.loss());
}

TEST(SigLipScorer, NamesWhatIsWrong) {
  const Matrix three = Matrix::Identity(3, 3);
  const Matrix two = three.topRows(2);
  EXPECT_EQ(message_of<InvalidArgument>([&] { SigLipScorer(three, two, 1, 0); }),
            "text embeddings: expected 3 x 3, got 2 x 3");
  EXPECT_EQ(message_of<InvalidArgument>([&] { SigLipScorer(Matrix(0, 3), Matrix(0, 3), 1, 0); }),
            "pairs of embeddings: expected at least 1, got 0");

  SigLipScorer scorer(three, three, 10, 0);
  const double before = scorer.loss();
  const auto every_call_says = [&](const Indices& replaced, const Matrix& embeddings,
                                   const std::string& message) {
    EXPECT_EQ(message_of<InvalidArgument>([&] { (void)scorer.loss_with(replaced, embeddings); }),
              message);
    EXPECT_EQ(message_of<InvalidArgument>([&] { scorer.replace(replaced, embeddings); }), message);
  };
  const std::string rows = "rows of candidate embeddings: expected 2, got 3";
  const std::string index = "caption to replace: expected below the number of pairs, got 3";
  every_call_says({0, 1}, three, rows);
  every_call_says({0, 3}, two, index);
  every_call_says({0, 1}, Matrix(2, 2), "columns of candidate embeddings: expected 3, got 2");
  every_call_says({1, 1}, two, "captions to replace: expected each at most once, got 1");
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)scores(scorer, {0, 1}, three); }), rows);
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)scores(scorer, {0, 3}, two); }), index);
  std::vector<double> losses(1);
  EXPECT_EQ(message_of<InvalidArgument>([&] { scorer.score(Indices{0, 1}, two, losses); }),
            "losses of candidates: expected 2, got 1");
  EXPECT_EQ(scorer.loss(), before);
}

}  // namespace
}  // namespace unlearn
