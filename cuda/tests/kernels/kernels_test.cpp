// SPDX-License-Identifier: Apache-2.0
// The kernels that are ours, not Thrust's, with a thread of the host for each of a block's.
#include "on_threads.hpp"
// What follows compiles kernels.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/cuda/detail/cross_entropies.cuh"
#include "unlearn/cuda/detail/launch.cuh"
#include "unlearn/cuda/detail/top_tokens.cuh"
#include "unlearn/cuda/detail/unit_rows.cuh"
#include "unlearn/cuda/info_nce.cuh"
#include "unlearn/cuda/info_nce_scorer.cuh"

namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using unlearn::no_token;
using unlearn::SplitMix64;
using unlearn::Token;
using unlearn::testing::infinity;
using unlearn::testing::infinity_f;
using unlearn::testing::launch;
using unlearn::testing::nan;
using unlearn::testing::nan_f;
using unlearn::testing::random_numbers;
namespace kernels = unlearn::cuda::detail;

// --- Teams ---------------------------------------------------------------------------------------

constexpr unsigned team_size = 64;

/// What each member is told: the sum, twice in a row, and the largest number.
struct TellEach {
  const double* numbers;  ///< [groups, team_size]
  double* sums;
  double* largest;

  template <class Team>
  void operator()(Team& team, std::size_t group) const {
    const std::size_t own = group * team_size + team.rank();
    sums[own] = team.sum(numbers[own]) + team.sum(2 * numbers[own]);
    largest[own] = team.max(numbers[own]);
  }
};

TEST(Teams, TellEveryMember) {
  constexpr std::size_t groups = 5;  // more than blocks: a block takes every second
  std::vector<double> numbers(groups * team_size);
  SplitMix64 rng(1);
  for (double& number : numbers) number = static_cast<double>(rng() % 1000) - 500;
  numbers[2 * team_size + 40] = nan;
  std::vector<double> sums(numbers.size());
  std::vector<double> largest(numbers.size());
  launch(2, team_size, [&] {
    kernels::run_teams<team_size>(
        groups,
        TellEach{.numbers = numbers.data(), .sums = sums.data(), .largest = largest.data()});
  });
  for (std::size_t group = 0; group < groups; ++group) {
    double sum = 0;
    double most = -infinity;
    for (unsigned member = 0; member < team_size; ++member) {
      const double number = numbers[group * team_size + member];
      sum += number;
      most = number > most ? number : most;
    }
    const auto told = [&](const std::vector<double>& results) {
      const auto first = results.begin() + static_cast<std::ptrdiff_t>(group * team_size);
      return std::vector<double>(first, first + team_size);
    };
    if (group == 2) {
      EXPECT_THAT(told(sums), Each(testing::IsNan()));
      EXPECT_THAT(told(largest), Each(testing::IsNan()));
    } else {
      EXPECT_THAT(told(sums), Each(3 * sum));
      EXPECT_THAT(told(largest), Each(most));
    }
  }
}

/// Runs `work`, which writes to `out`, by teams and by one member each. @returns both results
template <class Work>
std::array<std::vector<double>, 2> by_team_and_alone(std::size_t groups, const Work& work,
                                                     std::vector<double>& out) {
  launch(3, team_size, [&] { kernels::run_teams<team_size>(groups, work); });
  std::array<std::vector<double>, 2> results{out, {}};
  std::fill(out.begin(), out.end(), nan);
  for (std::size_t group = 0; group < groups; ++group) kernels::AsLoneTeam<Work>{work}(group);
  results[1] = out;
  return results;
}

TEST(Teams, NormaliseRowsAsOneMemberDoes) {
  constexpr std::size_t rows = 7;
  for (const std::size_t columns : {1UL, 63UL, 64UL, 200UL}) {
    SplitMix64 rng(2);
    const auto numbers = random_numbers<float>(rng, rows * columns, -3, 3);
    std::vector<double> out(rows * columns + rows);
    const auto [team, alone] =
        by_team_and_alone(rows,
                          kernels::NormaliseRow<float>{.rows = numbers.data(),
                                                       .columns = columns,
                                                       .unit = out.data(),
                                                       .norms = out.data() + rows * columns},
                          out);
    EXPECT_THAT(team, testing::Pointwise(testing::DoubleNear(1e-14), alone)) << columns;
  }
}

TEST(Teams, TakeCrossEntropiesAsOneMemberDoes) {
  for (const std::size_t pairs : {1UL, 2UL, 65UL, 130UL}) {
    SplitMix64 rng(3);
    const auto similarities = random_numbers<double>(rng, pairs * pairs, -20, 20);
    std::vector<double> out(2 * pairs);
    const auto [team, alone] = by_team_and_alone(
        2 * pairs,
        kernels::CrossEntropies{
            .similarities = similarities.data(), .pairs = pairs, .losses = out.data()},
        out);
    EXPECT_THAT(team, testing::Pointwise(testing::DoubleNear(1e-12), alone)) << pairs;
  }
}

TEST(Teams, TakeTheLossAndItsGradientsAsOneMemberDoes) {
  constexpr std::size_t width = 70;
  for (const std::size_t pairs : {1UL, 65UL}) {
    SCOPED_TRACE(pairs);
    SplitMix64 rng(6);
    const auto near = [](const auto& results) {
      EXPECT_THAT(results[0], testing::Pointwise(testing::DoubleNear(1e-10), results[1]));
    };
    const auto similarities = random_numbers<double>(rng, pairs * pairs, -3, 3);
    const auto losses = random_numbers<double>(rng, 2 * pairs, 0, 3);
    std::vector<double> one(1);
    near(by_team_and_alone(
        1, kernels::MeanLoss{.losses = losses.data(), .pairs = pairs, .value = one.data()}, one));
    near(by_team_and_alone(1,
                           kernels::Dot{.a = similarities.data(),
                                        .b = similarities.data(),
                                        .count = pairs * pairs,
                                        .sum = one.data()},
                           one));
    std::vector<double> of_similarities(pairs * pairs);
    near(by_team_and_alone(pairs,
                           kernels::SimilarityGradient{.similarities = similarities.data(),
                                                       .losses = losses.data(),
                                                       .pairs = pairs,
                                                       .gradient = of_similarities.data()},
                           of_similarities));
    const auto unit_gradient = random_numbers<double>(rng, pairs * width, -1, 1);
    const auto unit = random_numbers<double>(rng, pairs * width, -0.2, 0.2);
    const auto norms = random_numbers<double>(rng, pairs, 0.5, 2);
    std::vector<double> gradient(pairs * width);
    near(by_team_and_alone(pairs,
                           kernels::PullBackRow<double>{.unit_gradient = unit_gradient.data(),
                                                        .unit = unit.data(),
                                                        .norms = norms.data(),
                                                        .columns = width,
                                                        .gradient = gradient.data()},
                           gradient));
  }
}

TEST(Teams, ScoreCandidatesAsOneMemberDoes) {
  constexpr std::size_t pairs = 65;
  constexpr std::size_t count = 5;
  SplitMix64 rng(7);
  const auto similarities = random_numbers<double>(rng, pairs * pairs, -9, 9);
  const auto others = random_numbers<double>(rng, pairs * pairs, -9, 9);
  const auto other_columns = random_numbers<double>(rng, pairs, 0, 9);
  const auto candidates = random_numbers<double>(rng, count * pairs, -9, 9);
  const std::vector<unlearn::Index> replaced{0, 7, 64, 7, 30};
  std::vector<double> losses(count);
  const auto [team, alone] =
      by_team_and_alone(count,
                        kernels::ScoreCandidate{.similarities = similarities.data(),
                                                .others = others.data(),
                                                .other_columns = other_columns.data(),
                                                .candidates = candidates.data(),
                                                .replaced = replaced.data(),
                                                .pairs = pairs,
                                                .losses = losses.data()},
                        losses);
  EXPECT_THAT(team, testing::Pointwise(testing::DoubleNear(1e-12), alone));
}

// --- The best tokens of rows ---------------------------------------------------------------------

/// Scores of a vocabulary, row by row, and which tokens may be chosen.
struct Vocabulary {
  std::size_t rows;
  std::size_t tokens;
  std::vector<float> scores;
  std::vector<std::uint64_t> allowed;
};

Vocabulary vocabulary_of(std::size_t rows, std::size_t tokens) {
  return {.rows = rows,
          .tokens = tokens,
          .scores = std::vector<float>(rows * tokens),
          .allowed = std::vector<std::uint64_t>((tokens + 63) / 64, ~std::uint64_t{0})};
}

struct Ranking {
  std::vector<Token> tokens;
  std::vector<float> scores;
  bool operator==(const Ranking&) const = default;
};

/// merge(block, lists) for one block of at most `width` tokens after another.
template <class Merge>
Ranking rank(const Vocabulary& vocabulary, std::size_t depth, std::size_t width,
             const Merge& merge) {
  const std::size_t size = vocabulary.rows * depth;
  Ranking best{.tokens = std::vector<Token>(size, no_token),
               .scores = std::vector<float>(size, infinity_f)};
  for (std::size_t first = 0; first < vocabulary.tokens; first += width) {
    const std::size_t columns = std::min(width, vocabulary.tokens - first);
    std::vector<float> scores;
    for (std::size_t row = 0; row < vocabulary.rows; ++row) {
      const float* const begin = vocabulary.scores.data() + row * vocabulary.tokens + first;
      scores.insert(scores.end(), begin, begin + columns);
    }
    merge(kernels::ScoreBlock{.scores = scores.data(),
                              .columns = columns,
                              .first = static_cast<Token>(first),
                              .allowed = vocabulary.allowed.data()},
          kernels::TopLists{
              .tokens = best.tokens.data(), .scores = best.scores.data(), .depth = depth});
  }
  return best;
}

template <unsigned threads>
Ranking rank_by_kernel(const Vocabulary& vocabulary, std::size_t depth, std::size_t width) {
  return rank(vocabulary, depth, width, [&](const auto& block, const auto& lists) {
    launch(static_cast<unsigned>(vocabulary.rows), threads,
           [&] { kernels::merge_block<threads>(block, lists); });
  });
}

Ranking rank_one_by_one(const Vocabulary& vocabulary, std::size_t depth, std::size_t width) {
  return rank(vocabulary, depth, width, [&](const auto& block, const auto& lists) {
    for (std::size_t row = 0; row < vocabulary.rows; ++row) {
      kernels::MergeBlock{.block = block, .top = lists}(row);
    }
  });
}

Ranking rank_one_by_one(const Vocabulary& vocabulary, std::size_t depth) {
  return rank_one_by_one(vocabulary, depth, vocabulary.tokens);
}

TEST(TopTokens, AreThoseOfTheReference) {
  struct Case {
    std::size_t tokens, depth, width;
  };
  // Chunks have 32 scores at first and 256 later: fewer than one has, as many, and one more; blocks
  // of whole chunks and of broken ones; lists that are never full.
  for (const auto [tokens, depth, width] :
       {Case{1, 1, 1}, Case{31, 4, 31}, Case{32, 4, 32}, Case{33, 16, 33}, Case{288, 16, 288},
        Case{289, 5, 289}, Case{1500, 16, 1500}, Case{1500, 40, 512}, Case{1500, 33, 700},
        Case{20, 64, 7}, Case{3000, 1024, 1100}}) {
    SCOPED_TRACE(std::to_string(tokens).append(" tokens, depth ").append(std::to_string(depth)));
    SplitMix64 rng(4);
    Vocabulary vocabulary = vocabulary_of(2, tokens);
    // Many ties, and what is never chosen.
    for (float& score : vocabulary.scores) score = static_cast<float>(rng() % 50) - 25;
    for (std::size_t i = 0; i < vocabulary.scores.size(); i += 11) vocabulary.scores[i] = nan_f;
    for (std::size_t i = 5; i < vocabulary.scores.size(); i += 13)
      vocabulary.scores[i] = infinity_f;
    for (std::size_t i = 7; i < vocabulary.scores.size(); i += 17)
      vocabulary.scores[i] = -infinity_f;
    for (std::uint64_t& word : vocabulary.allowed) word = rng() | rng();
    const Ranking expected = rank_one_by_one(vocabulary, depth);
    EXPECT_EQ(rank_by_kernel<32>(vocabulary, depth, width), expected);
    EXPECT_EQ(rank_one_by_one(vocabulary, depth, width), expected) << "in blocks";
  }
}

TEST(TopTokens, AreFoundWhenEveryScoreLowersTheBar) {
  Vocabulary vocabulary = vocabulary_of(2, 2000);
  for (std::size_t i = 0; i < vocabulary.scores.size(); ++i) {
    vocabulary.scores[i] = -static_cast<float>(i);
  }
  EXPECT_EQ(rank_by_kernel<64>(vocabulary, 24, 900), rank_one_by_one(vocabulary, 24));
}

TEST(TopTokens, AreTheLowestOfEqualOnes) {
  const Vocabulary vocabulary = vocabulary_of(1, 700);
  const Ranking best = rank_by_kernel<64>(vocabulary, 3, 400);
  EXPECT_THAT(best.tokens, ElementsAre(0, 1, 2));
  EXPECT_THAT(best.scores, Each(0.0F));
}

TEST(TopTokens, AreNoneWhereNoneMayBeChosen) {
  Vocabulary vocabulary = vocabulary_of(1, 100);
  std::fill(vocabulary.allowed.begin(), vocabulary.allowed.end(), 0);
  const Ranking best = rank_by_kernel<32>(vocabulary, 2, 100);
  EXPECT_THAT(best.tokens, Each(no_token));
  EXPECT_THAT(best.scores, ElementsAreArray({infinity_f, infinity_f}));
}

TEST(TopTokens, AreFoundByAsManyThreadsAsAGpuGives) {
  SplitMix64 rng(5);
  Vocabulary vocabulary = vocabulary_of(1, 5000);
  vocabulary.scores = random_numbers<float>(rng, 5000, -1, 1);
  EXPECT_EQ(rank_by_kernel<256>(vocabulary, 16, 3000), rank_one_by_one(vocabulary, 16));
}

}  // namespace
