// SPDX-License-Identifier: Apache-2.0
#include "unlearn/contrast/info_nce_scorer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "contrast/reference_info_nce.hpp"
#include "contrast/replaced_captions.hpp"
#include "message_of.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"

namespace unlearn {
namespace {

using testing::captions_in_turn;
using ::testing::Each;
using testing::message_of;
using testing::random_matrix;
using testing::reference_info_nce;
using testing::scores;
using testing::turned_axes;
using testing::with_rows;

using Indices = std::vector<Index>;

/// Compares every candidate's loss to the whole loss, recomputed in long double.
void expect_exact(const Matrix& signals, const Matrix& texts, double scale,
                  const std::vector<Index>& replaced, const Matrix& embeddings) {
  const InfoNceScorer scoring(signals, texts, scale);
  const std::vector<double> losses = scores(scoring, replaced, embeddings);
  for (std::size_t m = 0; m < replaced.size(); ++m) {
    Matrix changed = texts;
    changed.row(replaced[m]) = embeddings.row(static_cast<Eigen::Index>(m));
    const auto expected = static_cast<double>(reference_info_nce(signals, changed, scale));
    EXPECT_NEAR(losses[m], expected, 1e-10 * expected)
        << "candidate " << m << " of caption " << replaced[m] << " of " << scoring.size()
        << " at scale " << scale;
  }
}

TEST(InfoNceScorer, ScoresAreTheWholeLossRecomputed) {
  SplitMix64 rng(1);
  for (const double scale : {1.0, 14.3, 100.0, 1000.0}) {
    for (const std::size_t size : {2U, 3U, 8U, 33U}) {
      const std::vector<Index> replaced = captions_in_turn(size, 3);
      expect_exact(random_matrix<float>(size, 6, rng), random_matrix<float>(size, 6, rng), scale,
                   replaced, random_matrix<float>(replaced.size(), 6, rng));
    }
  }
}

TEST(InfoNceScorer, ScoresAreExactInALargeBatch) {
  SplitMix64 rng(2);
  for (const double scale : {1.0, 14.3, 100.0}) {
    expect_exact(random_matrix<float>(128, 8, rng), random_matrix<float>(128, 8, rng), scale,
                 captions_in_turn(128, 1), random_matrix<float>(128, 8, rng));
  }
}

// Some candidates keep a loss of 1e-6, 1e-12 or 1e-43; others make it large.
TEST(InfoNceScorer, ScoresAreExactNearZero) {
  SplitMix64 rng(3);
  for (const std::size_t size : {2U, 3U, 8U, 128U}) {
    const Matrix signals = turned_axes<float>(size, size + 1, 0);
    const auto last = static_cast<Index>(size - 1);
    const std::vector<Index> replaced{0, 1, last / 2, last};
    const auto own_rows = [&](const Matrix& embeddings) {
      return Matrix(embeddings(replaced, Eigen::all));
    };
    double smallest = 1;
    for (const double angle : {0.0, 0.55, 0.6, 0.7}) {
      const Matrix texts = turned_axes<float>(size, size + 1, angle);
      const InfoNceScorer scoring(signals, texts, 100);
      const auto expected = static_cast<double>(reference_info_nce(signals, texts, 100));
      EXPECT_NEAR(scoring.loss(), expected, 1e-10 * expected);
      smallest = std::min(smallest, scoring.loss());
      for (const double other_angle : {0.0, 0.5, 0.75}) {
        expect_exact(signals, texts, 100, replaced,
                     own_rows(turned_axes<float>(size, size + 1, other_angle)));
      }
      expect_exact(signals, texts, 100, replaced, random_matrix<float>(4, size + 1, rng));
    }
    EXPECT_LT(smallest, 1e-41);
  }
}

// One caption reduces the loss from 50 to 1e-43. No rounding error of the large terms may remain.
TEST(InfoNceScorer, OneGoodCaptionCanMendABatch) {
  const Matrix signals = turned_axes<float>(4, 5, 0);
  Matrix texts = signals;
  texts.row(2) = -signals.row(2);
  expect_exact(signals, texts, 100, {0, 1, 2, 3}, signals);
  EXPECT_LT(scores(InfoNceScorer(signals, texts, 100), {2}, signals.row(2))[0], 1e-42);
}

TEST(InfoNceScorer, ScoresDuplicateEmbeddingsAndRowsOfZeros) {
  SplitMix64 rng(4);
  Matrix signals = random_matrix<float>(6, 5, rng);
  Matrix texts = random_matrix<float>(6, 5, rng);
  signals.row(1) = signals.row(0);
  signals.row(4).setZero();
  texts.row(3) = texts.row(2);
  texts.row(5) = signals.row(0);
  Matrix candidates = with_rows(texts, {0, 1}, Matrix::Zero(2, 5));
  for (const double scale : {1.0, 100.0}) {
    expect_exact(signals, texts, scale, {0, 1, 2, 3, 4, 5}, candidates);
    expect_exact(signals, texts, scale, {3, 3, 3, 0, 0, 2}, candidates);
  }
}

TEST(InfoNceScorer, OnePairAloneHasNoLoss) {
  const Matrix signal{{1, 2}};
  InfoNceScorer scoring(signal, Matrix{{0, 1}}, 100);
  EXPECT_EQ(scoring.size(), 1U);
  EXPECT_EQ(scoring.loss(), 0);
  const std::vector<Index> replaced(9, 0);
  EXPECT_THAT(scores(scoring, replaced, Matrix::Ones(9, 2)),
              Each(::testing::Lt(std::numeric_limits<double>::min())));
  scoring.replace(std::vector<Index>{0}, Matrix{{1, 1}});
  EXPECT_EQ(scoring.loss(), 0);
}

TEST(InfoNceScorer, ScoresDoNotDependOnTheNumberOfThreads) {
  SplitMix64 rng(5);
  const Matrix signals = random_matrix<float>(9, 7, rng);
  const Matrix texts = random_matrix<float>(9, 7, rng);
  const std::vector<Index> replaced = captions_in_turn(9, 60);
  const Matrix embeddings = random_matrix<float>(replaced.size(), 7, rng);
  const InfoNceScorer one(signals, texts, 14.3, Parallel{.threads = 1});
  const std::vector<double> expected = scores(one, replaced, embeddings);
  for (const unsigned threads : {0U, 2U, 3U, 16U}) {
    const InfoNceScorer many(signals, texts, 14.3, Parallel{.threads = threads});
    EXPECT_EQ(scores(many, replaced, embeddings), expected) << threads;
  }
}

TEST(InfoNceScorer, WithNoCandidatesThereIsNothingToScore) {
  const Matrix axes = Matrix::Identity(3, 3);
  InfoNceScorer scoring(axes, axes, 2);
  EXPECT_TRUE(scores(scoring, {}, Matrix(0, 3)).empty());
  EXPECT_EQ(scoring.loss_with({}, Matrix(0, 3)), scoring.loss());
}

TEST(InfoNceScorer, LossWithReplacesAGroupAtOnce) {
  SplitMix64 rng(6);
  for (const double scale : {1.0, 14.3, 100.0}) {
    const Matrix signals = random_matrix<float>(8, 5, rng);
    const Matrix texts = random_matrix<float>(8, 5, rng);
    const std::vector<Index> replaced{6, 0, 3};
    const Matrix embeddings = random_matrix<float>(3, 5, rng);
    InfoNceScorer scoring(signals, texts, scale);
    const double before = scoring.loss();
    const double loss = scoring.loss_with(replaced, embeddings);
    const auto expected = static_cast<double>(
        reference_info_nce(signals, with_rows(texts, replaced, embeddings), scale));
    EXPECT_NEAR(loss, expected, 1e-12 * expected);
    EXPECT_EQ(scoring.loss(), before);
    scoring.replace(replaced, embeddings);
    EXPECT_EQ(scoring.loss(), loss);
  }
}

TEST(InfoNceScorer, AfterReplacingTheStateIsThatOfTheNewBatch) {
  SplitMix64 rng(7);
  const Matrix signals = random_matrix<float>(8, 5, rng);
  Matrix texts = random_matrix<float>(8, 5, rng);
  InfoNceScorer scoring(signals, texts, 14.3);
  const InfoNceScorer copy = scoring;
  const double before = scoring.loss();
  for (const std::vector<Index>& replaced : {std::vector<Index>{2}, {7, 0, 3}, {3, 2, 1, 0}}) {
    const Matrix embeddings = random_matrix<float>(replaced.size(), 5, rng);
    texts = with_rows(texts, replaced, embeddings);
    scoring.replace(replaced, embeddings);
    const InfoNceScorer fresh(signals, texts, 14.3);
    EXPECT_NEAR(scoring.loss(), fresh.loss(), 1e-13 * fresh.loss());

    const std::vector<Index> captions = captions_in_turn(8, 2);
    const Matrix candidates = random_matrix<float>(16, 5, rng);
    const std::vector<double> expected = scores(fresh, captions, candidates);
    const std::vector<double> losses = scores(scoring, captions, candidates);
    for (std::size_t m = 0; m < losses.size(); ++m) {
      EXPECT_NEAR(losses[m], expected[m], 1e-13 * expected[m]);
    }
  }
  EXPECT_EQ(copy.loss(), before);
}

TEST(InfoNceScorer, AnswersNanForWhatIsNotFinite) {
  SplitMix64 rng(8);
  const Matrix signals = random_matrix<float>(20, 5, rng);
  const Matrix texts = random_matrix<float>(20, 5, rng);
  Matrix embeddings = random_matrix<float>(3, 5, rng);
  embeddings(1, 4) = testing::nan_f;
  const InfoNceScorer scoring(signals, texts, 14.3);
  const std::vector<double> losses = scores(scoring, {4, 5, 6}, embeddings);
  EXPECT_TRUE(is_finite(losses[0]) && is_nan(losses[1]) && is_finite(losses[2]));
  EXPECT_TRUE(is_nan(scoring.loss_with(std::vector<Index>{5}, embeddings.row(1))));

  // A caption that is not finite makes the loss of the batch NaN, unless it is the one that is
  // replaced.
  Matrix bad = texts;
  bad(5, 0) = testing::infinity_f;
  const InfoNceScorer spoilt(signals, bad, 14.3);
  EXPECT_TRUE(is_nan(spoilt.loss()));
  const std::vector<double> mended = scores(spoilt, {4, 5, 6}, texts.middleRows(4, 3));
  EXPECT_TRUE(is_nan(mended[0]) && is_nan(mended[2]));
  EXPECT_NEAR(mended[1], scoring.loss(), 1e-12 * scoring.loss());
}

TEST(InfoNceScorer, NamesWhatIsWrong) {
  const Matrix three = Matrix::Identity(3, 3);
  const Matrix two = three.topRows(2);
  EXPECT_EQ(message_of<InvalidArgument>([&] { InfoNceScorer(three, two, 1); }),
            "text embeddings: expected 3 x 3, got 2 x 3");
  EXPECT_EQ(message_of<InvalidArgument>([&] { InfoNceScorer(Matrix(0, 3), Matrix(0, 3), 1); }),
            "pairs of embeddings: expected at least 1, got 0");

  InfoNceScorer scoring(three, three, 10);
  const double before = scoring.loss();
  std::vector<double> losses(2);
  const auto every_call_says = [&](const std::vector<Index>& replaced, const Matrix& embeddings,
                                   const std::string& message) {
    EXPECT_EQ(message_of<InvalidArgument>([&] { (void)scoring.loss_with(replaced, embeddings); }),
              message);
    EXPECT_EQ(message_of<InvalidArgument>([&] { scoring.replace(replaced, embeddings); }), message);
  };
  const std::string rows = "rows of candidate embeddings: expected 2, got 3";
  const std::string columns = "columns of candidate embeddings: expected 3, got 2";
  const std::string index = "caption to replace: expected below the number of pairs, got 3";
  every_call_says({0, 1}, three, rows);
  every_call_says({0, 1}, Matrix(2, 2), columns);
  every_call_says({0, 3}, two, index);
  every_call_says({1, 1}, two, "captions to replace: expected each at most once, got 1");
  EXPECT_EQ(message_of<InvalidArgument>([&] { scoring.score(Indices{0, 1}, three, losses); }),
            rows);
  EXPECT_EQ(
      message_of<InvalidArgument>([&] { scoring.score(Indices{0, 1}, Matrix(2, 2), losses); }),
      columns);
  EXPECT_EQ(message_of<InvalidArgument>([&] { scoring.score(Indices{0, 3}, two, losses); }), index);

  losses.resize(1);
  EXPECT_EQ(message_of<InvalidArgument>([&] { scoring.score(Indices{0, 1}, two, losses); }),
            "losses of candidates: expected 2, got 1");
  EXPECT_EQ(scoring.loss(), before);
}

}  // namespace
}  // namespace unlearn
