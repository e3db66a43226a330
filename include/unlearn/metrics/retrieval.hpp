// SPDX-License-Identifier: Apache-2.0
#pragma once

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
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/core/unit_rows.hpp"

namespace unlearn {

/// What counts as found.
struct RetrievalOptions {
  std::size_t captions_per_signal = 1;  ///< m: texts i·m to i·m + m - 1 belong to signal i
  std::size_t k = 10;                   ///< how far down the list a hit still counts
  double tie_tolerance = 1e-12;         ///< cosine similarities this close are equal
};

/// How well queries of one kind find what belongs to them.
struct RetrievalScore {
  double hit_at_k = 0;          ///< per cent of the queries with a rank of at most k
  std::size_t median_rank = 0;  ///< from 1; for an even number of queries floored
};

/// Retrieval in both directions.
struct Retrieval {
  RetrievalScore signal_to_text;  ///< a signal's rank is that of the best of its m captions
  RetrievalScore text_to_signal;  ///< a caption's rank is that of its one signal
};

namespace detail {

/// How the candidates of one query stand to the best of its correct ones.
struct Standing {
  double best = 0;              ///< the best score of a correct candidate
  std::size_t correct = 0;      ///< correct candidates that reach it
  std::size_t wrong_above = 0;  ///< wrong candidates that beat it
  std::size_t wrong_tied = 0;   ///< wrong candidates that tie with it

  /// Before any wrong candidate.
  Standing(std::span<const double> correct_scores, double tolerance)
      : best(std::ranges::max(correct_scores)) {
    for (const double score : correct_scores) {
      if (score >= best - tolerance) ++correct;
    }
  }

  void meet_wrong(double score, double tolerance) {
    if (score > best + tolerance) {
      ++wrong_above;
    } else if (score >= best - tolerance) {
      ++wrong_tied;
    }
  }

  /// Takes over the wrong candidates that another piece has met.
  void merge(const Standing& other) {
    wrong_above += other.wrong_above;
    wrong_tied += other.wrong_tied;
  }
};

/// The standings of all queries of both kinds.
struct Standings {
  std::vector<Standing> of_signal;  ///< [N]
  std::vector<Standing> of_text;    ///< [N·m]

  void merge(const Standings& other) {
    for (std::size_t i = 0; i < of_signal.size(); ++i) of_signal[i].merge(other.of_signal[i]);
    for (std::size_t j = 0; j < of_text.size(); ++j) of_text[j].merge(other.of_text[j]);
  }
};

/// Where every query stands before any wrong candidate.
template <class T>
Standings correct_standings(View<const T, 2> signals, View<const T, 2> texts,
                            const RetrievalOptions& options) {
  const std::size_t m = options.captions_per_signal;
  Standings standings;
  for (std::size_t i = 0; i < signals.extent(0); ++i) {
    const Eigen::VectorXd scores =
        UnitRows(texts.slice(i * m, m)).rows() * UnitRows(signals.slice(i, 1)).rows().transpose();
    standings.of_signal.emplace_back(std::span(scores.data(), m), options.tie_tolerance);
    for (const double& score : scores) {
      standings.of_text.emplace_back(std::span(&score, 1), options.tie_tolerance);
    }
  }
  return standings;
}

/// A tile of the scores, from signal i0 and text j0 on: each wrong pair counts for both of them.
template <class Scores>
void meet_tile(const Scores& scores, std::size_t i0, std::size_t j0,
               const RetrievalOptions& options, Standings& standings) {
  for (Eigen::Index row = 0; row < scores.rows(); ++row) {
    const std::size_t i = i0 + static_cast<std::size_t>(row);
    for (Eigen::Index column = 0; column < scores.cols(); ++column) {
      const std::size_t j = j0 + static_cast<std::size_t>(column);
      if (j / options.captions_per_signal == i) continue;
      standings.of_signal[i].meet_wrong(scores(row, column), options.tie_tolerance);
      standings.of_text[j].meet_wrong(scores(row, column), options.tie_tolerance);
    }
  }
}

/// Lets every query meet all its wrong candidates.
template <class T>
void meet_wrong_candidates(const Parallel& policy, View<const T, 2> signals, View<const T, 2> texts,
                           const RetrievalOptions& options, Standings& standings) {
  constexpr std::size_t tile = 256;
  const std::size_t rows = signals.extent(0);
  const std::size_t columns = texts.extent(0);
  std::vector<Standings> met(piece_count(policy, rows, tile), standings);
  for_each_piece(policy, rows, tile, [&](std::size_t piece, std::size_t begin, std::size_t end) {
    for (std::size_t i0 = begin; i0 < end; i0 += tile) {
      const UnitRows queries(signals.slice(i0, std::min(tile, end - i0)));
      for (std::size_t j0 = 0; j0 < columns; j0 += tile) {
        const UnitRows candidates(texts.slice(j0, std::min(tile, columns - j0)));
        const MatrixOf<double> scores = queries.rows() * candidates.rows().transpose();
        meet_tile(scores, i0, j0, options, met[piece]);
      }
    }
  });
  for (const Standings& of_piece : met) standings.merge(of_piece);
}

/// Hit@k and median of the mixture of all queries' distributions of ranks.
///
/// Down a query's t tied candidates in random order, the next one is correct with probability
/// c / (those left): that is C(t - r, c - 1) / C(t, c), term by term.
inline RetrievalScore score_of(std::span<const Standing> queries, std::size_t candidates,
                               std::size_t k) {
  std::vector<double> found(candidates + 1);  // expected number of queries, by rank
  for (const Standing& query : queries) {
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

template <class T>
void require_finite_rows(std::string_view thing, View<const T, 2> rows) {
  for (std::size_t r = 0; r < rows.extent(0); ++r) {
    for (const T number : rows.row(r)) {
      if (std::isfinite(number)) continue;
      throw InvalidArgument(
          expectation(std::string(thing) + " " + std::to_string(r), "finite numbers", number));
    }
  }
}

}  // namespace detail

/// Hit@k and median rank of signals among texts and of texts among signals, by cosine similarity.
///
/// A query's rank is the place of its first correct candidate, best first. Equal scores stand in
/// uniformly random order, and the result is the exact expectation over these orders: a query with
/// g wrong candidates above its best correct score and t candidates at it, c of them correct, has
/// rank g + r with probability C(t - r, c - 1) / C(t, c), for r = 1 .. t - c + 1. Hit@k is the
/// expected percentage of queries with rank ≤ k. The median is that of the mixture of all queries'
/// distributions: the floored mean of the first rank by which at least half of the queries are
/// found and the first by which more than half are (half to within 1e-9 of all); without ties,
/// floor(numpy.median(ranks)). So embeddings that are all equal score as random ones do, and not
/// rank 1.
///
/// Embeddings are divided by max(‖x‖, 1e-12) and multiplied in double, tile by tile: beside its
/// arguments the function takes O(N·m) memory a thread. A row of zeros has similarity 0 to
/// everything. Protocol: MEM (Liu et al., ACM MM 2024), its evaluation on clean test pairs.
///
/// @param policy  the result is the same for any number of threads
/// @param signal_rows [N, D] embeddings of the signals, of any norm
/// @param text_rows [N·m, D] embeddings of the captions, signal by signal
/// @param options m, k, and how close a tie is: the last bits of a product depend on its place in a
///                tile, so with a tolerance of 0 equal embeddings need not tie
/// @throws InvalidArgument for shapes that do not belong together, for a number that is not finite
///         (naming its row), for no signals, m = 0, k = 0, or a tolerance that is NaN or negative.
template <FloatMatrix Signals, FloatMatrix Texts>
[[nodiscard]] Retrieval retrieval(const Parallel& policy, const Signals& signal_rows,
                                  const Texts& text_rows, const RetrievalOptions& options = {}) {
  const View<const float, 2> signals = as_view(signal_rows);
  const View<const float, 2> texts = as_view(text_rows);
  const std::size_t count = signals.extent(0);
  require(count > 0, "signals to retrieve", "at least 1", count);
  require(options.captions_per_signal > 0, "captions per signal", "at least 1",
          options.captions_per_signal);
  require(options.k > 0, "k of hit@k", "at least 1", options.k);
  require(options.tie_tolerance >= 0, "tie tolerance", "at least 0", options.tie_tolerance);
  const std::size_t m = options.captions_per_signal;
  require(texts.extent(0) % count == 0 && texts.extent(0) / count == m, "texts to retrieve",
          count * m, texts.extent(0));
  require_size("width of the texts' embeddings", signals.extent(1), texts.extent(1));
  detail::require_finite_rows("embedding of signal", signals);
  detail::require_finite_rows("embedding of text", texts);

  detail::Standings standings = detail::correct_standings(signals, texts, options);
  detail::meet_wrong_candidates(policy, signals, texts, options, standings);
  return {.signal_to_text = detail::score_of(standings.of_signal, texts.extent(0), options.k),
          .text_to_signal = detail::score_of(standings.of_text, count, options.k)};
}

/// On all cores.
template <FloatMatrix Signals, FloatMatrix Texts>
[[nodiscard]] Retrieval retrieval(const Signals& signal_rows, const Texts& text_rows,
                                  const RetrievalOptions& options = {}) {
  return retrieval(parallel, signal_rows, text_rows, options);
}

static_assert(std::is_trivially_copyable_v<RetrievalOptions>);
static_assert(std::is_aggregate_v<RetrievalOptions>);

}  // namespace unlearn
