// SPDX-License-Identifier: Apache-2.0
#include "unlearn/metrics/retrieval.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// A query for the oracle: one score per candidate, and which candidates are correct.
struct Query {
  std::vector<double> scores;
  std::vector<bool> correct;
};

/// The ranks that a query takes over all orders of its equal scores, each as often as in `orders`.
std::vector<std::size_t> ranks_in_all_orders(const Query& query) {
  std::vector<std::size_t> order(query.scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<std::size_t> ranks;
  do {
    const auto rises = [&](std::size_t a, std::size_t b) {
      return query.scores[a] < query.scores[b];
    };
    if (std::adjacent_find(order.begin(), order.end(), rises) != order.end()) continue;
    const auto first = std::find_if(order.begin(), order.end(), [&](std::size_t candidate) {
      return query.correct[candidate];
    });
    ranks.push_back(static_cast<std::size_t>(first - order.begin()) + 1);
  } while (std::next_permutation(order.begin(), order.end()));
  return ranks;
}

/// floor(numpy.median(ranks)) and 100 * numpy.mean(ranks <= k).
RetrievalScore numpy_score(std::vector<std::size_t> ranks, std::size_t k) {
  std::sort(ranks.begin(), ranks.end());
  const std::size_t n = ranks.size();
  const auto hits = std::upper_bound(ranks.begin(), ranks.end(), k) - ranks.begin();
  return {.hit_at_k = 100.0 * static_cast<double>(hits) / static_cast<double>(n),
          .median_rank = (ranks[(n - 1) / 2] + ranks[n / 2]) / 2};
}

/// The score over all orders of the ties of each query. All queries have the same weight.
RetrievalScore oracle(const std::vector<Query>& queries, std::size_t k) {
  std::size_t weight = 1;
  std::vector<std::vector<std::size_t>> ranks;
  for (const Query& query : queries) {
    ranks.push_back(ranks_in_all_orders(query));
    weight = std::lcm(weight, ranks.back().size());
  }
  std::vector<std::size_t> mixture;
  for (const std::vector<std::size_t>& of_query : ranks) {
    for (const std::size_t rank : of_query) {
      mixture.insert(mixture.end(), weight / of_query.size(), rank);
    }
  }
  return numpy_score(mixture, k);
}

/// The oracle's result for both directions, with dot products of unit vectors in double.
Retrieval oracle(const Matrix& signals, const Matrix& texts, const RetrievalOptions& options) {
  const auto unit = [](const auto& row) -> Eigen::VectorXd {
    return row.template cast<double>().transpose().normalized();
  };
  std::vector<Query> of_signals(static_cast<std::size_t>(signals.rows()));
  std::vector<Query> of_texts(static_cast<std::size_t>(texts.rows()));
  for (std::size_t i = 0; i < of_signals.size(); ++i) {
    for (std::size_t j = 0; j < of_texts.size(); ++j) {
      const double cosine = unit(signals.row(static_cast<Eigen::Index>(i)))
                                .dot(unit(texts.row(static_cast<Eigen::Index>(j))));
      // Much larger than the tolerance, and much smaller than the distances in these tests.
      const double score = std::round(cosine * 1e9);
      const bool correct = j / options.captions_per_signal == i;
      of_signals[i].scores.push_back(score);
      of_signals[i].correct.push_back(correct);
      of_texts[j].scores.push_back(score);
      of_texts[j].correct.push_back(correct);
    }
  }
  return {.signal_to_text = oracle(of_signals, options.k),
          .text_to_signal = oracle(of_texts, options.k)};
}

/// Ranks without ties: one more than the number of candidates with a higher score.
Retrieval plain_ranks(const Matrix& signals, const Matrix& texts, const RetrievalOptions& options) {
  const Eigen::MatrixXd scores = signals.cast<double>().rowwise().normalized() *
                                 texts.cast<double>().rowwise().normalized().transpose();
  const auto m = static_cast<Eigen::Index>(options.captions_per_signal);
  std::vector<std::size_t> of_signals;
  std::vector<std::size_t> of_texts;
  for (Eigen::Index i = 0; i < signals.rows(); ++i) {
    const double best = scores.row(i).segment(i * m, m).maxCoeff();
    of_signals.push_back(static_cast<std::size_t>((scores.row(i).array() > best).count()) + 1);
  }
  for (Eigen::Index j = 0; j < texts.rows(); ++j) {
    const double own = scores(j / m, j);
    of_texts.push_back(static_cast<std::size_t>((scores.col(j).array() > own).count()) + 1);
  }
  return {.signal_to_text = numpy_score(of_signals, options.k),
          .text_to_signal = numpy_score(of_texts, options.k)};
}

Matrix random_matrix(Eigen::Index rows, Eigen::Index columns, std::mt19937_64& rng) {
  Matrix matrix(rows, columns);
  for (float& number : matrix.reshaped()) {
    number = static_cast<float>(uniform_below(1U << 20U, rng)) * 0x1p-19F - 1.0F;
  }
  return matrix;
}

/// Texts that are close to their signal, so that ranks are low but not all 1.
Matrix captions_of(const Matrix& signals, Eigen::Index m, std::mt19937_64& rng) {
  Matrix texts = 3 * random_matrix(signals.rows() * m, signals.cols(), rng);
  for (Eigen::Index j = 0; j < texts.rows(); ++j) texts.row(j) += signals.row(j / m);
  return texts;
}

void expect_score(const RetrievalScore& actual, const RetrievalScore& expected) {
  EXPECT_NEAR(actual.hit_at_k, expected.hit_at_k, 1e-9);
  EXPECT_EQ(actual.median_rank, expected.median_rank);
}

void expect_retrieval(const Retrieval& actual, const Retrieval& expected) {
  expect_score(actual.signal_to_text, expected.signal_to_text);
  expect_score(actual.text_to_signal, expected.text_to_signal);
}

TEST(Retrieval, IsPerfectWhenEveryTextPointsAlongItsSignal) {
  const Matrix signals = Matrix::Identity(6, 6);
  Matrix texts(12, 6);
  for (Eigen::Index j = 0; j < 12; ++j)
    texts.row(j) = signals.row(j / 2) * static_cast<float>(j + 1);
  const Retrieval result = retrieval(signals, texts, {.captions_per_signal = 2, .k = 1});
  expect_retrieval(result, {.signal_to_text = {100, 1}, .text_to_signal = {100, 1}});
}

TEST(Retrieval, CountsARankOfExactlyKAsAHit) {
  // Each of the two signals finds its own text second.
  Matrix signals(2, 2);
  signals << 1, 0, 0, 1;
  Matrix texts(2, 2);
  texts << 1, 1, 2, 1;
  const Retrieval at_1 = retrieval(signals, texts, {.k = 1});
  const Retrieval at_2 = retrieval(signals, texts, {.k = 2});
  EXPECT_DOUBLE_EQ(at_1.signal_to_text.hit_at_k, 0);
  EXPECT_DOUBLE_EQ(at_2.signal_to_text.hit_at_k, 100);
}

TEST(Retrieval, AgreesWithPlainRanksWithoutTies) {
  // An odd and an even number of queries each way, one tile and several.
  struct Sizes {
    Eigen::Index signals, captions;
  };
  std::mt19937_64 rng(1);
  for (const Sizes sizes :
       {Sizes{1, 1}, Sizes{37, 1}, Sizes{38, 1}, Sizes{21, 3}, Sizes{257, 5}, Sizes{600, 2}}) {
    SCOPED_TRACE(std::to_string(sizes.signals) + " x " + std::to_string(sizes.captions));
    const Matrix signals = random_matrix(sizes.signals, 24, rng);
    const Matrix texts = captions_of(signals, sizes.captions, rng);
    const RetrievalOptions options{.captions_per_signal = static_cast<std::size_t>(sizes.captions),
                                   .k = 7};
    expect_retrieval(retrieval(signals, texts, options), plain_ranks(signals, texts, options));
  }
}

TEST(Retrieval, AgreesWithTheEnumerationOfAllOrdersOfTies) {
  // Entries of -1, 0 and 1 in two dimensions: few directions, and rows of zeros among them.
  std::mt19937_64 rng(2);
  for (int trial = 0; trial < 200; ++trial) {
    SCOPED_TRACE(trial);
    const auto m = static_cast<Eigen::Index>(1 + uniform_below(3, rng));
    const auto count = static_cast<Eigen::Index>(1 + uniform_below(m == 1 ? 5 : 2, rng));
    const auto draw = [&](Eigen::Index rows) {
      Matrix matrix(rows, 2);
      for (float& number : matrix.reshaped()) {
        number = static_cast<float>(uniform_below(3, rng)) - 1.0F;
      }
      return matrix;
    };
    const Matrix signals = draw(count);
    const Matrix texts = draw(count * m);
    const RetrievalOptions options{.captions_per_signal = static_cast<std::size_t>(m),
                                   .k = 1 + uniform_below(4, rng)};
    expect_retrieval(retrieval(signals, texts, options), oracle(signals, texts, options));
  }
}

TEST(Retrieval, GivesEqualEmbeddingsTheRandomLevel) {
  // 512 dimensions, so that a product's last bits do depend on its place in a tile.
  std::mt19937_64 rng(3);
  const Matrix signals = random_matrix(1, 512, rng).replicate(1000, 1);
  const Matrix texts = signals.row(0).replicate(5000, 1);
  const Retrieval result = retrieval(signals, texts, {.captions_per_signal = 5, .k = 10});

  EXPECT_NEAR(result.text_to_signal.hit_at_k, 1, 1e-9);
  EXPECT_EQ(result.text_to_signal.median_rank, 500U);

  // Of 5 correct in 5,000: P(rank > r) = C(5000 - r, 5) / C(5000, 5), half of it between 647, 648.
  double none_in_10 = 1;
  for (int c = 0; c < 5; ++c) none_in_10 *= (4990.0 - c) / (5000.0 - c);
  EXPECT_NEAR(result.signal_to_text.hit_at_k, 100 * (1 - none_in_10), 1e-9);
  EXPECT_EQ(result.signal_to_text.median_rank, 647U);
}

TEST(Retrieval, FindsTheMedianThroughTheRoundingOfProbabilities) {
  // Half of the queries have any rank from 1 to t, the others rank 100: the median is between t and
  // 100, although the sum of t times 1 / t need not be 1.
  const std::array<double, 1> best{0.5};
  const detail::RankCounts query(best, 0);
  for (std::size_t t = 1; t < 60; ++t) {
    for (const std::size_t half : {1U, 3U, 10U}) {
      std::vector<detail::RankCounts> queries(2 * half, query);
      for (std::size_t i = 0; i < half; ++i) queries[i].wrong_tied = t - 1;
      for (std::size_t i = half; i < 2 * half; ++i) queries[i].wrong_above = 99;
      EXPECT_EQ(detail::score_of(queries, 200, 1).median_rank, (t + 100) / 2) << t << " " << half;
    }
  }
}

TEST(Retrieval, TreatsARowOfZerosAsUnlikeEverything) {
  // Signal 0 is zero: all three texts tie at 0. Signals 1 and 2 find theirs at once.
  Matrix signals = Matrix::Identity(3, 3);
  signals.row(0).setZero();
  const Matrix texts = Matrix::Identity(3, 3);
  const Retrieval result = retrieval(signals, texts, {.k = 2});
  EXPECT_NEAR(result.signal_to_text.hit_at_k, 100 * (2.0 / 3 + 1 + 1) / 3, 1e-9);
  // Text 0 has similarity 0 to all three signals.
  EXPECT_NEAR(result.text_to_signal.hit_at_k, 100 * (2.0 / 3 + 1 + 1) / 3, 1e-9);
}

TEST(Retrieval, DoesNotDependOnNorms) {
  std::mt19937_64 rng(4);
  const Matrix signals = random_matrix(30, 8, rng);
  const Matrix texts = captions_of(signals, 2, rng);
  const RetrievalOptions options{.captions_per_signal = 2, .k = 3};
  const Matrix large = signals * 0x1p30F;
  const Matrix small = texts * 0x1p-30F;
  expect_retrieval(retrieval(large, small, options), retrieval(signals, texts, options));
}

TEST(Retrieval, TiesWhatLiesWithinTheTolerance) {
  // Signal 0 scores 1 for the wrong text 1 and cos(0.01) = 1 - 5e-5 for its own, text 0; signal 1
  // finds its own second, at 0 against 0.01.
  Matrix signals(2, 2);
  signals << 1, 0, 0, 1;
  Matrix texts(2, 2);
  texts << std::cos(0.01F), std::sin(0.01F), 1, 0;
  const auto hit_at_1 = [&](double tolerance) {
    const RetrievalOptions options{.k = 1, .tie_tolerance = tolerance};
    return retrieval(signals, texts, options).signal_to_text.hit_at_k;
  };
  EXPECT_DOUBLE_EQ(hit_at_1(4e-5), 0);
  EXPECT_DOUBLE_EQ(hit_at_1(6e-5), 25);

  // The opposite: 1 for its own, and a little less for the wrong one.
  texts.row(0).swap(texts.row(1));
  EXPECT_DOUBLE_EQ(hit_at_1(4e-5), 100);
  EXPECT_DOUBLE_EQ(hit_at_1(6e-5), 75);
}

TEST(Retrieval, TiesEqualScoresWithoutATolerance) {
  const Matrix signals{{1, 0}, {1, 0}};
  const RetrievalOptions options{.k = 1, .tie_tolerance = 0};
  EXPECT_DOUBLE_EQ(retrieval(signals, signals, options).signal_to_text.hit_at_k, 50);
}

TEST(Retrieval, CountsCorrectCandidatesThatTieWithTheBest) {
  // The scores of both captions of signal 0 are within the tolerance of each other; text 2 ties
  // with them.
  Matrix signals(2, 2);
  signals << 1, 0, 0, 1;
  Matrix texts(4, 2);
  texts << 1, 0, std::cos(0.01F), std::sin(0.01F), 1, 0, 0, 1;
  const RetrievalOptions options{.captions_per_signal = 2, .k = 1, .tie_tolerance = 6e-5};
  // Signal 0: 2 of 3 in first place are correct. Signal 1: its second caption alone is best.
  EXPECT_NEAR(retrieval(signals, texts, options).signal_to_text.hit_at_k, 100 * (2.0 / 3 + 1) / 2,
              1e-9);
}

TEST(Retrieval, IsTheSameForEveryNumberOfThreads) {
  std::mt19937_64 rng(5);
  const Matrix signals = random_matrix(700, 16, rng);
  const Matrix texts = captions_of(signals, 2, rng);
  const RetrievalOptions options{.captions_per_signal = 2, .k = 9};
  const Retrieval one = retrieval(Parallel{1}, signals, texts, options);
  for (const unsigned threads : {2U, 3U, 8U}) {
    const Retrieval many = retrieval(Parallel{threads}, signals, texts, options);
    EXPECT_EQ(many.signal_to_text.hit_at_k, one.signal_to_text.hit_at_k);
    EXPECT_EQ(many.signal_to_text.median_rank, one.signal_to_text.median_rank);
    EXPECT_EQ(many.text_to_signal.hit_at_k, one.text_to_signal.hit_at_k);
    EXPECT_EQ(many.text_to_signal.median_rank, one.text_to_signal.median_rank);
  }
}

TEST(Retrieval, AllowsAKBeyondTheNumberOfCandidates) {
  const Matrix signals = Matrix::Ones(3, 2);
  const Retrieval result = retrieval(signals, signals, {.k = 100});
  EXPECT_NEAR(result.signal_to_text.hit_at_k, 100, 1e-9);
  EXPECT_NEAR(result.text_to_signal.hit_at_k, 100, 1e-9);
}

TEST(Retrieval, NamesTheRowThatIsNotFinite) {
  const Matrix good = Matrix::Identity(4, 4);
  Matrix bad = good;
  bad(2, 1) = not_a_number<float>();
  EXPECT_THAT([&] { (void)retrieval(bad, good); },
              ThrowsMessage<InvalidArgument>(
                  HasSubstr("embedding of signal 2: expected finite numbers, got nan")));
  bad(2, 1) = positive_infinity<float>();
  EXPECT_THAT([&] { (void)retrieval(good, bad); },
              ThrowsMessage<InvalidArgument>(
                  HasSubstr("embedding of text 2: expected finite numbers, got inf")));
}

TEST(Retrieval, RejectsWhatDoesNotBelongTogether) {
  const Matrix two = Matrix::Identity(2, 3);
  const auto rejects = [](const Matrix& signals, const Matrix& texts, RetrievalOptions options,
                          const std::string& message) {
    EXPECT_THAT([&] { (void)retrieval(signals, texts, options); },
                ThrowsMessage<InvalidArgument>(HasSubstr(message)));
  };
  rejects(Matrix(0, 3), Matrix(0, 3), {}, "signals to retrieve: expected at least 1, got 0");
  rejects(two, two, {.captions_per_signal = 0}, "captions per signal: expected at least 1, got 0");
  rejects(two, two, {.captions_per_signal = 2}, "texts to retrieve: expected 4, got 2");
  // 2^63 captions for each of two signals: the product is 0 in 64 bits.
  rejects(two, Matrix(0, 3), {.captions_per_signal = std::size_t{1} << 63U}, "texts to retrieve");
  rejects(two, Matrix::Ones(2, 4), {}, "width of the texts' embeddings: expected 3, got 4");
  rejects(two, two, {.k = 0}, "k of hit@k: expected at least 1, got 0");
  rejects(two, two, {.tie_tolerance = -1}, "tie tolerance: expected at least 0, got -1");
  rejects(two, two, {.tie_tolerance = not_a_number<double>()},
          "tie tolerance: expected at least 0, got nan");
}

}  // namespace
}  // namespace unlearn
