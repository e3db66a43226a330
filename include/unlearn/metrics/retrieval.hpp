// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/product.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/core/unit_rows.hpp"

namespace unlearn {

/// What a retrieval counts as a hit.
struct RetrievalOptions {
  std::size_t captions_per_signal = 1;  ///< m; texts i·m to i·m + m − 1 are signal i's
  std::size_t k = 10;                   ///< the last rank that counts as a hit
  double tie_tolerance = 1e-12;         ///< closer cosine similarities count as equal
};

/// How well the queries of one direction find their correct candidates.
struct RetrievalScore {
  double hit_at_k = 0;          ///< percentage of the queries with a rank of at most k
  std::size_t median_rank = 0;  ///< counted from 1; rounded down for an even number of queries
};

/// The result of retrieval(): both directions.
struct Retrieval {
  RetrievalScore signal_to_text;  ///< the rank of a signal is that of the best of its m captions
  RetrievalScore text_to_signal;  ///< the rank of a caption is that of its signal
};

namespace detail {

/// Counts the candidates of one query above, or at, the best score of a correct candidate. The
/// distribution of the query's rank follows from these counts.
struct RankCounts {
  double best = 0;              ///< the best score of a correct candidate
  std::size_t correct = 0;      ///< how many correct candidates have it
  std::size_t wrong_above = 0;  ///< how many wrong candidates have a better score
  std::size_t wrong_tied = 0;   ///< how many wrong candidates have the same score

  /// No wrong candidate has been counted yet.
  RankCounts(std::span<const double> correct_scores, double tolerance)
      : best(std::ranges::max(correct_scores)) {
    for (const double score : correct_scores) {
      if (score >= best - tolerance) ++correct;
    }
  }

  void count_wrong(double score, double tolerance) {
    if (score > best + tolerance) {
      ++wrong_above;
    } else if (score >= best - tolerance) {
      ++wrong_tied;
    }
  }

  /// Adds the wrong candidates that another piece of the work has counted.
  void merge(const RankCounts& other) {
    wrong_above += other.wrong_above;
    wrong_tied += other.wrong_tied;
  }
};

/// The counts of all queries, in both directions.
struct AllRankCounts {
  std::vector<RankCounts> of_signal;  ///< [N]
  std::vector<RankCounts> of_text;    ///< [N·m]

  void merge(const AllRankCounts& other) {
    for (std::size_t i = 0; i < of_signal.size(); ++i) of_signal[i].merge(other.of_signal[i]);
    for (std::size_t j = 0; j < of_text.size(); ++j) of_text[j].merge(other.of_text[j]);
  }
};

/// The counts of the correct candidates alone.
template <class T>
AllRankCounts count_correct_candidates(View<const T, 2> signals, View<const T, 2> texts,
                                       const RetrievalOptions& options) {
  const std::size_t m = options.captions_per_signal;
  AllRankCounts counts;
  for (std::size_t i = 0; i < signals.extent(0); ++i) {
    const MatrixOf<double> products = times_transposed<double>(
        UnitRows(signals.slice(i, 1)).rows(), UnitRows(texts.slice(i * m, m)).rows());
    const std::span<const double> scores = View<const double, 2>(products).flat();
    counts.of_signal.emplace_back(scores, options.tie_tolerance);
    for (const double& score : scores) {
      counts.of_text.emplace_back(std::span(&score, 1), options.tie_tolerance);
    }
  }
  return counts;
}

/// Counts the wrong pairs of a tile of the scores. Each counts for its signal and for its text.
/// @param scores [rows, columns], from signal i0 and text j0 on
template <class Scores>
void count_wrong_pairs(const Scores& scores, std::size_t i0, std::size_t j0,
                       const RetrievalOptions& options, AllRankCounts& counts) {
  for (Eigen::Index row = 0; row < scores.rows(); ++row) {
    const std::size_t i = i0 + static_cast<std::size_t>(row);
    for (Eigen::Index column = 0; column < scores.cols(); ++column) {
      const std::size_t j = j0 + static_cast<std::size_t>(column);
      if (j / options.captions_per_signal == i) continue;
      counts.of_signal[i].count_wrong(scores(row, column), options.tie_tolerance);
      counts.of_text[j].count_wrong(scores(row, column), options.tie_tolerance);
    }
  }
}

/// Counts the wrong candidates of all queries.
template <ThreadedPolicy P, class T>
void count_wrong_candidates(const P& policy, View<const T, 2> signals, View<const T, 2> texts,
                            const RetrievalOptions& options, AllRankCounts& counts) {
  constexpr std::size_t tile = 256;
  const std::size_t rows = signals.extent(0);
  const std::size_t columns = texts.extent(0);
  std::vector<AllRankCounts> by_piece(piece_count(policy, rows, tile), counts);
  for_each_piece(policy, rows, tile, [&](std::size_t piece, std::size_t begin, std::size_t end) {
    for (std::size_t i0 = begin; i0 < end; i0 += tile) {
      const UnitRows queries(signals.slice(i0, std::min(tile, end - i0)));
      for (std::size_t j0 = 0; j0 < columns; j0 += tile) {
        const UnitRows candidates(texts.slice(j0, std::min(tile, columns - j0)));
        const MatrixOf<double> scores = times_transposed(queries.rows(), candidates.rows());
        count_wrong_pairs(scores, i0, j0, options, by_piece[piece]);
      }
    }
  });
  for (const AllRankCounts& piece : by_piece) counts.merge(piece);
}

/// Hit@k and median of the mixture of the rank distributions of all queries.
///
/// Of t tied candidates in random order, c are correct. If the first r − 1 are wrong, number r is
/// correct with probability c / (t − r + 1). The product of these factors is the probability
/// C(t − r, c − 1) / C(t, c) of retrieval().
inline RetrievalScore score_of(std::span<const RankCounts> queries, std::size_t candidates,
                               std::size_t k) {
  std::vector<double> found(candidates + 1);  // expected number of queries with each rank
  for (const RankCounts& query : queries) {
    double not_yet = 1;
    for (std::size_t wrong_before = 0; wrong_before <= query.wrong_tied; ++wrong_before) {
      const std::size_t left = query.correct + query.wrong_tied - wrong_before;
      const double here = not_yet * static_cast<double>(query.correct) / static_cast<double>(left);
      found[query.wrong_above + wrong_before + 1] += here;
      not_yet -= here;
    }
  }
  std::partial_sum(found.begin(), found.end(), found.begin());

  const auto count = static_cast<double>(queries.size());
  const double rounding = 1e-9 * count;
  const auto lower = std::ranges::lower_bound(found, count / 2 - rounding);
  const auto upper = std::ranges::upper_bound(found, count / 2 + rounding);
  const auto both = (lower - found.begin()) + (upper - found.begin());
  return {.hit_at_k = 100 * found[std::min(k, candidates)] / count,
          .median_rank = static_cast<std::size_t>(both / 2)};
}

/// @throws InvalidArgument for a number that is not finite; the message names its row
template <class T>
void require_finite_rows(std::string_view thing, View<const T, 2> rows) {
  for (std::size_t r = 0; r < rows.extent(0); ++r) {
    for (const T number : rows.row(r)) {
      if (is_finite(number)) continue;
      throw InvalidArgument(
          expectation(std::string(thing) + " " + std::to_string(r), "finite numbers", number));
    }
  }
}

}  // namespace detail

/// Hit@k and median rank of signals among texts, and of texts among signals, by cosine similarity.
///
/// The candidates of a query are ordered by similarity, best first. The rank of the query is the
/// place of its first correct candidate. Candidates with equal scores are in uniformly random
/// order, and the result is the exact expectation over these orders. Let g wrong candidates have a
/// better score than the best correct one, and let t candidates have that same score, c of them
/// correct. Then the rank is g + r with probability C(t − r, c − 1) / C(t, c), for r from 1 to
/// t − c + 1.
///
/// Hit@k is the expected percentage of queries with rank ≤ k. The median is that of the mixture of
/// the rank distributions of all queries. It is the mean, rounded down, of two ranks: the first at
/// which at least half of the queries are found, and the first at which more than half are (with a
/// tolerance of 1e-9 of all queries). Without ties it is floor(numpy.median(ranks)). If all
/// embeddings are equal, the result is that of random embeddings, not rank 1.
///
/// Embeddings are divided by max(‖x‖, 1e-12) and multiplied in double, tile by tile. The function
/// needs O(N·m) memory for each thread. The similarity of a row of zeros to every other row is 0.
/// Source: MEM (Liu et al., ACM MM 2024), the evaluation on clean test pairs.
///
/// @param policy      how many threads work; this does not change the result
/// @param signal_rows [N, D], the embeddings of the signals, of any norm
/// @param text_rows   [N·m, D], the embeddings of the captions, signal by signal
/// @param options     m, k, and the tolerance of a tie. With a tolerance of 0, equal embeddings may
///                    have different scores, because rounding depends on the place in a tile.
/// @returns both directions: hit@k in per cent, and the median rank counted from 1
/// @throws InvalidArgument for shapes that do not fit together, for a number that is not finite
/// (the
///         message names its row), for no signals, m = 0, k = 0, or a tolerance that is NaN or
///         negative
template <ThreadedPolicy Policy, FloatMatrix Signals, FloatMatrix Texts>
[[nodiscard]] Retrieval retrieval(const Policy& policy, const Signals& signal_rows,
                                  const Texts& text_rows, const RetrievalOptions& options = {}) {
  const View<const float, 2> signals = as_view(signal_rows);
  const View<const float, 2> texts = as_view(text_rows);
  const std::size_t count = signals.extent(0);
  require(count > 0, "signals to retrieve", "at least 1", count);
  require(options.captions_per_signal > 0, "captions per signal", "at least 1",
          options.captions_per_signal);
  require(options.k > 0, "k of hit@k", "at least 1", options.k);
  require(is_at_least(options.tie_tolerance, 0), "tie tolerance", "at least 0",
          options.tie_tolerance);
  const std::size_t m = options.captions_per_signal;
  require(texts.extent(0) % count == 0 && texts.extent(0) / count == m, "texts to retrieve",
          count * m, texts.extent(0));
  require_size("width of the texts' embeddings", signals.extent(1), texts.extent(1));
  detail::require_finite_rows("embedding of signal", signals);
  detail::require_finite_rows("embedding of text", texts);

  detail::AllRankCounts counts = detail::count_correct_candidates(signals, texts, options);
  detail::count_wrong_candidates(policy, signals, texts, options, counts);
  return {.signal_to_text = detail::score_of(counts.of_signal, texts.extent(0), options.k),
          .text_to_signal = detail::score_of(counts.of_text, count, options.k)};
}

/// The retrieval above on all cores.
template <FloatMatrix Signals, FloatMatrix Texts>
[[nodiscard]] Retrieval retrieval(const Signals& signal_rows, const Texts& text_rows,
                                  const RetrievalOptions& options = {}) {
  return retrieval(parallel, signal_rows, text_rows, options);
}

static_assert(std::is_trivially_copyable_v<RetrievalOptions>);
static_assert(std::is_aggregate_v<RetrievalOptions>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
