// SPDX-License-Identifier: Apache-2.0
#include "unlearn/trigger/hotflip_candidate_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "message_of.hpp"
#include "noise/random_numbers.hpp"
#include "special_numbers.hpp"

namespace unlearn {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::infinity_f;
using ::testing::IsEmpty;
using testing::message_of;
using testing::nan_f;
using testing::random_numbers;
using testing::same_bytes;

using Tokens = std::vector<Token>;
using Floats = std::vector<float>;

// --- Concepts ------------------------------------------------------------------------------------

/// A minimal CandidateHook.
struct OddTokens {
  bool operator()(std::size_t, std::size_t, Token token) { return token % 2 == 1; }
};
static_assert(CandidateHook<OddTokens>, "a hook may have state, and so need not be const");
static_assert(CandidateHook<AcceptAnyToken>);
static_assert(!CandidateHook<decltype([](std::size_t, Token) { return true; })>, "no position");
static_assert(!CandidateHook<decltype([](std::size_t, std::size_t, Token) {})>, "no answer");

// --- The reference -------------------------------------------------------------------------------

struct HotFlipProblem {
  std::size_t samples;
  std::size_t positions;
  std::size_t width;
  std::size_t vocabulary;
  Floats gradient_numbers{};
  Floats embedding_numbers{};

  [[nodiscard]] std::size_t rows() const { return samples * positions; }
  [[nodiscard]] View<const float, 3> gradients() const {
    return {std::span(gradient_numbers), {samples, positions, width}};
  }
  [[nodiscard]] View<const float, 2> embeddings() const {
    return {std::span(embedding_numbers), {vocabulary, width}};
  }
};

/// One row of gradients, and embeddings of width 1: the score of token v is `scores[v]`.
HotFlipProblem with_scores(Floats scores) {
  return {1, 1, 1, scores.size(), {1.0F}, std::move(scores)};
}

Floats whole_numbers(SplitMix64& rng, std::size_t count) {
  Floats numbers(count);
  for (float& number : numbers) number = static_cast<float>(uniform_below(7, rng)) - 3;
  return numbers;
}

/// Integers from −3 to 3. Every sum is exact in any order, and scores are often equal.
HotFlipProblem exact_problem(SplitMix64& rng, HotFlipProblem sizes) {
  sizes.gradient_numbers = whole_numbers(rng, sizes.rows() * sizes.width);
  sizes.embedding_numbers = whole_numbers(rng, sizes.vocabulary * sizes.width);
  return sizes;
}

HotFlipProblem random_problem(SplitMix64& rng, HotFlipProblem sizes) {
  sizes.gradient_numbers = random_numbers<float>(rng, sizes.rows() * sizes.width, -1, 1);
  sizes.embedding_numbers = random_numbers<float>(rng, sizes.vocabulary * sizes.width, -1, 1);
  return sizes;
}

double score_of(const HotFlipProblem& problem, std::size_t row, Token token) {
  double score = 0;
  for (std::size_t e = 0; e < problem.width; ++e) {
    score += double{problem.gradient_numbers[row * problem.width + e]} *
             double{problem.embedding_numbers[static_cast<std::size_t>(token) * problem.width + e]};
  }
  return score;
}

/// All tokens of one row in the order of (score, id), without those whose score is NaN or +∞.
template <class Allowed>
std::vector<std::pair<double, Token>> sorted_tokens(const HotFlipProblem& problem, std::size_t row,
                                                    const Allowed& allowed) {
  std::vector<std::pair<double, Token>> tokens;
  for (Token v = 0; static_cast<std::size_t>(v) < problem.vocabulary; ++v) {
    const double score = score_of(problem, row, v);
    if (is_below_infinity(score) && allowed(row, v)) tokens.emplace_back(score, v);
  }
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

Tokens tokens_of(const TriggerCandidates& found) {
  return {found.tokens().flat().begin(), found.tokens().flat().end()};
}

Floats scores_of(const TriggerCandidates& found) {
  return {found.scores().flat().begin(), found.scores().flat().end()};
}

/// The k best of every row, from a sort of all scores.
template <class Allowed>
TriggerCandidates reference(const HotFlipProblem& problem, std::size_t k, const Allowed& allowed) {
  TriggerCandidates result(problem.samples, problem.positions, k);
  for (std::size_t row = 0; row < problem.rows(); ++row) {
    const auto best = sorted_tokens(problem, row, allowed);
    for (std::size_t rank = 0; rank < std::min(k, best.size()); ++rank) {
      result.tokens().flat()[row * k + rank] = best[rank].second;
      result.scores().flat()[row * k + rank] = static_cast<float>(best[rank].first);
    }
  }
  return result;
}

/// Calls `check(policy)` for the reference and for several numbers of threads.
template <class Check>
void for_every_policy(const Check& check) {
  {
    SCOPED_TRACE("sequential");
    check(Sequential{});
  }
  for (const unsigned threads : {0U, 1U, 2U, 3U, 8U}) {
    SCOPED_TRACE(threads);
    check(Parallel{.threads = threads});
  }
}

/// The search on `problem` with every policy, each compared with `expected`.
template <class Hook = AcceptAnyToken>
void expect_found(const HotFlipCandidateSearch& search, const HotFlipProblem& problem,
                  const TokenFilter& filter, const TriggerCandidates& expected, Hook hook = {}) {
  for_every_policy([&](const auto& policy) {
    const TriggerCandidates found =
        search(policy, problem.gradients(), problem.embeddings(), filter, hook);
    EXPECT_EQ(found.tokens().extents(), expected.tokens().extents());
    EXPECT_EQ(tokens_of(found), tokens_of(expected));
    EXPECT_EQ(scores_of(found), scores_of(expected));
  });
}

/// The tokens found for one row, the same by every policy.
template <class Hook = AcceptAnyToken>
Tokens found_everywhere(const HotFlipCandidateSearch& search, const HotFlipProblem& problem,
                        const TokenFilter& filter, Hook hook = {}) {
  const auto with = [&](const auto& policy) {
    return search(policy, problem.gradients(), problem.embeddings(), filter, hook);
  };
  const TriggerCandidates found = with(sequential);
  for_every_policy([&](const auto& policy) {
    EXPECT_EQ(tokens_of(with(policy)), tokens_of(found));
    EXPECT_EQ(scores_of(with(policy)), scores_of(found));
  });
  return tokens_of(found);
}

const auto any_token = [](std::size_t, Token) { return true; };

// --- Comparison with sorting all scores ----------------------------------------------------------

TEST(HotFlipCandidateSearch, FindsWhatASortOfAllScoresFinds) {
  SplitMix64 rng(1);
  for (const std::size_t vocabulary : {1U, 63U, 64U, 65U, 1023U, 1024U, 1025U, 2048U, 3500U}) {
    for (const std::size_t k : {1U, 7U, 16U}) {
      if (k > vocabulary) continue;
      for (const std::size_t width : {1U, 3U, 16U}) {
        SCOPED_TRACE(::testing::Message() << vocabulary << " tokens, k = " << k << ", " << width);
        const HotFlipProblem problem = exact_problem(
            rng, {.samples = 3, .positions = 2, .width = width, .vocabulary = vocabulary});
        for (const std::size_t spares : {0U, 16U}) {
          expect_found({.candidates = k, .spares = spares}, problem, TokenFilter(vocabulary),
                       reference(problem, k, any_token));
        }
      }
    }
  }
}

TEST(HotFlipCandidateSearch, FindsTheBestOfRandomScoresUpToRounding) {
  SplitMix64 rng(2);
  constexpr std::size_t k = 16;
  const HotFlipProblem problem =
      random_problem(rng, {.samples = 5, .positions = 3, .width = 96, .vocabulary = 2600});
  const HotFlipCandidateSearch search{.candidates = k};
  for_every_policy([&](const auto& policy) {
    const TriggerCandidates found =
        search(policy, problem.gradients(), problem.embeddings(), TokenFilter(2600));
    for (std::size_t row = 0; row < problem.rows(); ++row) {
      const auto expected = sorted_tokens(problem, row, any_token);
      for (std::size_t rank = 0; rank < k; ++rank) {
        const Token token = found.tokens().flat()[row * k + rank];
        const float score = found.scores().flat()[row * k + rank];
        EXPECT_NEAR(score, score_of(problem, row, token), 1e-5);
        // Tokens whose scores differ by less than the rounding may change places.
        EXPECT_NEAR(score, expected[rank].first, 1e-5);
      }
    }
  });
}

TEST(HotFlipCandidateSearch, GivesTheSameBytesForEveryNumberOfThreads) {
  SplitMix64 rng(3);
  for (const std::size_t samples : {1U, 4U, 33U}) {
    for (const std::size_t vocabulary : {1000U, 5000U}) {
      const HotFlipProblem problem = random_problem(
          rng, {.samples = samples, .positions = 1, .width = 77, .vocabulary = vocabulary});
      const auto search = [&](unsigned threads) {
        return HotFlipCandidateSearch{}(Parallel{.threads = threads}, problem.gradients(),
                                        problem.embeddings(), TokenFilter(vocabulary));
      };
      const TriggerCandidates expected = search(1);
      for (const unsigned threads : {0U, 2U, 3U, 4U, 5U, 16U}) {
        const TriggerCandidates found = search(threads);
        EXPECT_EQ(tokens_of(found), tokens_of(expected)) << threads;
        EXPECT_TRUE(same_bytes(std::as_const(found).scores().flat(),
                               std::as_const(expected).scores().flat()))
            << threads;
      }
    }
  }
}

TEST(HotFlipCandidateSearch, ScoresAreEmbeddingsTimesGradient) {
  const HotFlipProblem problem{.samples = 1,
                               .positions = 2,
                               .width = 2,
                               .vocabulary = 3,
                               .gradient_numbers = {1, 2, -1, 0},
                               .embedding_numbers = {4, -1, 0, 3, -2, 0.5F}};
  const HotFlipCandidateSearch search{.candidates = 3};
  for_every_policy([&](const auto& policy) {
    const TriggerCandidates found =
        search(policy, problem.gradients(), problem.embeddings(), TokenFilter(3));
    EXPECT_THAT(found.tokens()[0].row(0), ElementsAre(2, 0, 1));
    EXPECT_THAT(found.scores()[0].row(0), ElementsAre(-1, 2, 6));
    EXPECT_THAT(found.tokens()[0].row(1), ElementsAre(0, 1, 2));
    EXPECT_THAT(found.scores()[0].row(1), ElementsAre(-4, 0, 2));
  });
}

// --- Ties ----------------------------------------------------------------------------------------

TEST(HotFlipCandidateSearch, AmongEqualScoresTheLowerIdComesFirst) {
  for (const std::size_t vocabulary : {5U, 1024U, 5000U}) {
    EXPECT_THAT(found_everywhere({.candidates = 4}, with_scores(Floats(vocabulary)),
                                 TokenFilter(vocabulary)),
                ElementsAre(0, 1, 2, 3));
  }
}

TEST(HotFlipCandidateSearch, TiesAcrossBlocksGoToTheLowerId) {
  Floats scores(4200, 1.0F);
  for (const std::size_t v : {4199U, 4096U, 4095U, 2048U, 2047U, 1024U, 1023U, 64U, 63U}) {
    scores[v] = -1;
  }
  scores[3000] = -2;
  scores[700] = 0;
  const TokenFilter all(scores.size());
  EXPECT_THAT(found_everywhere({.candidates = 12, .spares = 0}, with_scores(scores), all),
              ElementsAre(3000, 63, 64, 1023, 1024, 2047, 2048, 4095, 4096, 4199, 700, 0));
  // There is a tie for the last place, too. It must go to the lower id.
  EXPECT_THAT(found_everywhere({.candidates = 5, .spares = 0}, with_scores(scores), all),
              ElementsAre(3000, 63, 64, 1023, 1024));
}

// --- Filter and hook -----------------------------------------------------------------------------

TEST(HotFlipCandidateSearch, ChoosesOnlyWhatTheFilterAllows) {
  SplitMix64 rng(4);
  for (const std::size_t vocabulary : {100U, 1500U, 2500U}) {
    const HotFlipProblem problem =
        exact_problem(rng, {.samples = 2, .positions = 2, .width = 5, .vocabulary = vocabulary});
    TokenFilter filter(vocabulary);
    for (std::size_t v = 0; v < vocabulary; ++v) {
      if (rng() % 3 != 0) filter.deny(static_cast<Token>(v));
    }
    const auto allowed = [&](std::size_t, Token token) { return filter.allows(token); };
    expect_found({.candidates = 20}, problem, filter, reference(problem, 20, allowed));
  }
}

TEST(HotFlipCandidateSearch, PadsWithNoTokenWhereTooFewAreAllowed) {
  const HotFlipProblem problem = with_scores(Floats(3000));
  const Tokens few{1030, 2999, 5};
  const TokenFilter filter = TokenFilter::only(3000, few);
  const HotFlipCandidateSearch search{.candidates = 5};
  EXPECT_THAT(found_everywhere(search, problem, filter),
              ElementsAre(5, 1030, 2999, no_token, no_token));
  const TriggerCandidates found =
      search(parallel, problem.gradients(), problem.embeddings(), filter);
  EXPECT_THAT(scores_of(found), ElementsAre(0, 0, 0, infinity_f, infinity_f));
  EXPECT_THAT(found_everywhere(search, problem, TokenFilter::only(3000, {})), Each(no_token));
}

TEST(HotFlipCandidateSearch, SkipsWhatTheHookRejectsForThisSampleAndPosition) {
  SplitMix64 rng(5);
  const HotFlipProblem problem =
      exact_problem(rng, {.samples = 3, .positions = 4, .width = 6, .vocabulary = 1300});
  const auto hook = [](std::size_t sample, std::size_t position, Token token) {
    return (7 * sample + 3 * position + static_cast<std::size_t>(token)) % 4 != 0;
  };
  const auto allowed = [&](std::size_t row, Token token) { return hook(row / 4, row % 4, token); };
  // None of the 1,300 spares is missing, whatever the hook rejects.
  expect_found({.candidates = 9, .spares = 1300}, problem, TokenFilter(1300),
               reference(problem, 9, allowed), hook);
}

TEST(HotFlipCandidateSearch, SparesStandInForWhatTheHookRejectsAndNoMore) {
  const HotFlipProblem problem = with_scores({6, 5, 4, 3, 2, 1});
  const TokenFilter filter(6);
  const auto not_of_the_best = [](Token worst) {
    return [worst](std::size_t, std::size_t, Token token) { return token <= worst; };
  };
  const HotFlipCandidateSearch search{.candidates = 2, .spares = 2};
  // Ranks: 5, 4, 3, 2, and after the spares 1 and 0.
  EXPECT_THAT(found_everywhere(search, problem, filter, not_of_the_best(5)), ElementsAre(5, 4));
  EXPECT_THAT(found_everywhere(search, problem, filter, not_of_the_best(3)), ElementsAre(3, 2));
  EXPECT_THAT(found_everywhere(search, problem, filter, not_of_the_best(2)),
              ElementsAre(2, no_token));
  EXPECT_THAT(found_everywhere(search, problem, filter, not_of_the_best(1)),
              ElementsAre(no_token, no_token));
  EXPECT_THAT(found_everywhere({.candidates = 2, .spares = 0}, problem, filter, not_of_the_best(4)),
              ElementsAre(4, no_token));
}

TEST(HotFlipCandidateSearch, AsksTheHookInOrderOfRankUntilEnoughAreAccepted) {
  const HotFlipProblem problem{2, 2, 1, 6, {1, -1, 1, -1}, {6, 5, 4, 3, 2, 1}};
  TokenFilter filter(6);
  filter.deny(4);
  using Question = std::tuple<std::size_t, std::size_t, Token>;
  for_every_policy([&](const auto& policy) {
    std::vector<Question> asked;
    const auto hook = [&](std::size_t sample, std::size_t position, Token token) {
      asked.emplace_back(sample, position, token);
      return token != 3;
    };
    (void)HotFlipCandidateSearch{.candidates = 2}(policy, problem.gradients(), problem.embeddings(),
                                                  filter, hook);
    EXPECT_THAT(asked, ElementsAre(Question(0, 0, 5), Question(0, 0, 3), Question(0, 0, 2),
                                   Question(0, 1, 0), Question(0, 1, 1), Question(1, 0, 5),
                                   Question(1, 0, 3), Question(1, 0, 2), Question(1, 1, 0),
                                   Question(1, 1, 1)));
  });
}

TEST(HotFlipCandidateSearch, AsksTheHookAboutTokensOnly) {
  const HotFlipProblem problem = with_scores({3, 2, 1});
  for_every_policy([&](const auto& policy) {
    Tokens asked;
    const auto hook = [&](std::size_t, std::size_t, Token token) {
      asked.push_back(token);
      return false;
    };
    (void)HotFlipCandidateSearch{.candidates = 3}(policy, problem.gradients(), problem.embeddings(),
                                                  TokenFilter(3), hook);
    EXPECT_THAT(asked, ElementsAre(2, 1, 0));
  });
}

// --- A user's ranker ---------------------------------------------------------------------------

/// Ranks like the reference, and records the shape of the last call.
struct SortingRanker {
  const HotFlipProblem* problem;
  std::array<std::size_t, 2> asked{};

  void rank_tokens(View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
                   View<float, 2> scores) {
    EXPECT_EQ(gradients.extent(0), problem->rows());
    asked = tokens.extents();
    const auto best = reference(*problem, tokens.extent(1),
                                [&](std::size_t, Token token) { return filter.allows(token); });
    std::ranges::copy(best.tokens().flat(), tokens.flat().begin());
    std::ranges::copy(best.scores().flat(), scores.flat().begin());
  }
};

TEST(HotFlipCandidateSearch, TakesTheRankingOfAnother) {
  SplitMix64 rng(8);
  const HotFlipProblem problem =
      exact_problem(rng, {.samples = 3, .positions = 4, .width = 6, .vocabulary = 300});
  TokenFilter filter(300);
  filter.deny(std::vector<Token>{3, 7, 20});
  const auto hook = [](std::size_t sample, std::size_t position, Token token) {
    return (7 * sample + 3 * position + static_cast<std::size_t>(token)) % 4 != 0;
  };
  const HotFlipCandidateSearch search{.candidates = 9, .spares = 11};
  SortingRanker ranker{.problem = &problem};
  const TriggerCandidates found = search(ranker, problem.gradients(), filter, hook);
  const TriggerCandidates expected =
      search(parallel, problem.gradients(), problem.embeddings(), filter, hook);
  EXPECT_THAT(ranker.asked, ElementsAre(12, 20));
  EXPECT_EQ(tokens_of(found), tokens_of(expected));
  EXPECT_EQ(scores_of(found), scores_of(expected));
}

// --- NaN and infinity ----------------------------------------------------------------------------

TEST(HotFlipCandidateSearch, NeverChoosesATokenWithoutAScore) {
  Floats scores(2200, 1.0F);
  scores[3] = nan_f;
  scores[4] = infinity_f;
  scores[5] = -infinity_f;
  scores[1100] = nan_f;
  scores[1101] = -infinity_f;
  scores[1102] = -2;
  const TokenFilter filter = TokenFilter::only(2200, Tokens{3, 4, 5, 6, 1100, 1101, 1102});
  EXPECT_THAT(found_everywhere({.candidates = 6}, with_scores(scores), filter),
              ElementsAre(5, 1101, 1102, 6, no_token, no_token));
}

TEST(HotFlipCandidateSearch, ASpoiltEmbeddingCostsNoTokenButItself) {
  SplitMix64 rng(6);
  HotFlipProblem problem =
      exact_problem(rng, {.samples = 5, .positions = 1, .width = 8, .vocabulary = 1100});
  for (const std::size_t token : {0U, 17U, 1023U, 1024U, 1099U}) {
    problem.embedding_numbers[token * 8 + token % 8] = token % 2 == 0 ? nan_f : infinity_f;
  }
  for (float& number : problem.gradient_numbers) number = number < 0 ? -number : number + 1;
  // Positive gradients: every spoilt token has the score NaN or +∞.
  const TriggerCandidates expected = reference(problem, 1100, any_token);
  for (std::size_t sample = 0; sample < 5; ++sample) {
    EXPECT_THAT(expected.tokens().row(sample).subspan(1095), Each(no_token));
    EXPECT_NE(expected.tokens().row(sample)[1094], no_token);
  }
  expect_found({.candidates = 1100, .spares = 0}, problem, TokenFilter(1100), expected);
}

TEST(HotFlipCandidateSearch, ASpoiltGradientLeavesItsRowWithoutCandidates) {
  SplitMix64 rng(7);
  HotFlipProblem problem =
      exact_problem(rng, {.samples = 3, .positions = 2, .width = 4, .vocabulary = 1500});
  problem.gradient_numbers[2 * 4 + 1] = nan_f;
  const TriggerCandidates expected = reference(problem, 6, any_token);
  EXPECT_THAT(std::as_const(expected).tokens()[1].row(0), Each(no_token));
  EXPECT_THAT(std::as_const(expected).tokens()[1].row(1), Each(::testing::Ne(no_token)));
  expect_found({.candidates = 6}, problem, TokenFilter(1500), expected);
}

// --- Sizes ---------------------------------------------------------------------------------------

TEST(HotFlipCandidateSearch, OfNoRowsFindsNothing) {
  const HotFlipProblem problem{.samples = 0,
                               .positions = 3,
                               .width = 1,
                               .vocabulary = 2,
                               .gradient_numbers = {},
                               .embedding_numbers = {1, 2}};
  EXPECT_THAT(found_everywhere({.candidates = 2}, problem, TokenFilter(2)), IsEmpty());
}

TEST(HotFlipCandidateSearch, RanksNoMoreSparesThanThereAreTokens) {
  const HotFlipProblem problem = with_scores({2, 1, 3});
  constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
  EXPECT_THAT(found_everywhere({.candidates = 2, .spares = endless}, problem, TokenFilter(3)),
              ElementsAre(1, 0));
  EXPECT_THAT(found_everywhere({.candidates = 3, .spares = 1}, problem, TokenFilter(3)),
              ElementsAre(1, 0, 2));
}

// Room for so many candidates would be gigabytes, or its size would overflow.
TEST(HotFlipCandidateSearch, RefusesMoreCandidatesThanTokensBeforeItTakesMemory) {
  const HotFlipProblem problem = with_scores({2, 1, 3});
  const HotFlipProblem no_tokens{1, 2, 1, 0, {1, 1}, {}};
  const std::string message = "candidates of a HotFlip search: expected at most the vocabulary of ";
  for (const std::size_t k : {std::size_t{4}, std::numeric_limits<std::size_t>::max()}) {
    const HotFlipCandidateSearch search{.candidates = k};
    for_every_policy([&](const auto& policy) {
      EXPECT_EQ(message_of<InvalidArgument>([&] {
                  (void)search(policy, problem.gradients(), problem.embeddings(), TokenFilter(3));
                }),
                message + "3, got " + std::to_string(k));
      EXPECT_EQ(message_of<InvalidArgument>([&] {
                  (void)search(policy, no_tokens.gradients(), no_tokens.embeddings(),
                               TokenFilter(0));
                }),
                message + "0, got " + std::to_string(k));
    });
    SortingRanker ranker{.problem = &problem};
    EXPECT_EQ(message_of<InvalidArgument>(
                  [&] { (void)search(ranker, problem.gradients(), TokenFilter(3)); }),
              message + "3, got " + std::to_string(k));
    EXPECT_THAT(ranker.asked, Each(0U)) << "it is not called";
  }
}

TEST(TriggerCandidates, RefuseSizesWhoseProductOverflows) {
  constexpr std::size_t half = std::size_t{1} << 32U;
  EXPECT_THAT(message_of<InvalidArgument>([] { TriggerCandidates(half, half, 1); }),
              ::testing::StartsWith("samples of trigger candidates: expected at most "));
  EXPECT_THAT(message_of<InvalidArgument>([] { TriggerCandidates(1, half, half); }),
              ::testing::StartsWith("positions of trigger candidates: expected at most "));
  EXPECT_THAT(message_of<InvalidArgument>([] { TopTokens(half, half); }),
              ::testing::StartsWith("rows of ranked tokens: expected at most "));
}

TEST(HotFlipCandidateSearch, NamesWhatIsWrong) {
  const Floats numbers(12);
  const View<const float, 3> gradients(numbers.data(), {2, 2, 3});
  const View<const float, 2> embeddings(numbers.data(), {4, 3});
  const HotFlipCandidateSearch search{.candidates = 2};
  for_every_policy([&](const auto& policy) {
    EXPECT_EQ(message_of<InvalidArgument>([&] {
                (void)search(policy, gradients, View<const float, 2>(numbers.data(), {6, 2}),
                             TokenFilter(6));
              }),
              "width of the token embeddings: expected 3, got 2");
    EXPECT_EQ(message_of<InvalidArgument>(
                  [&] { (void)search(policy, gradients, embeddings, TokenFilter(5)); }),
              "vocabulary of the token filter: expected 4, got 5");
    EXPECT_EQ(message_of<InvalidArgument>([&] {
                (void)HotFlipCandidateSearch{.candidates = 0}(policy, gradients, embeddings,
                                                              TokenFilter(4));
              }),
              "candidates of a HotFlip search: expected at least 1, got 0");
  });
}

}  // namespace
}  // namespace unlearn
