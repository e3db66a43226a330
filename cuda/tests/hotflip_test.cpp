// SPDX-License-Identifier: Apache-2.0
#include "unlearn/cuda/hotflip.cuh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "on_device.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/token_filter.hpp"

namespace {

using ::testing::ElementsAre;
using unlearn::HotFlipCandidateSearch;
using unlearn::InvalidArgument;
using unlearn::no_token;
using unlearn::SplitMix64;
using unlearn::Token;
using unlearn::TokenFilter;
using unlearn::TriggerCandidates;
using unlearn::View;
using unlearn::testing::DeviceArray;
using unlearn::testing::infinity_f;
using unlearn::testing::nan_f;

/// Small whole numbers: products are exact in any order, and there are many ties.
std::vector<float> whole_numbers(SplitMix64& rng, std::size_t count) {
  std::vector<float> numbers(count);
  for (float& number : numbers) number = static_cast<float>(rng() % 7) - 3;
  return numbers;
}

template <class T>
std::vector<T> flat(View<const T, 3> view) {
  return {view.flat().begin(), view.flat().end()};
}

struct Search {
  std::array<std::size_t, 3> gradients;  // samples, positions, width
  std::size_t vocabulary;
  std::size_t candidates;
};

class HotFlipOnDevice : public unlearn::testing::OnDevice {
 protected:
  void expect_the_references_candidates(const Search& shape, const TokenFilter& filter,
                                        std::vector<float> gradients,
                                        std::vector<float> embeddings) {
    DeviceArray<float> device_gradients(gradients);
    DeviceArray<float> device_embeddings(embeddings);
    const std::array<std::size_t, 2> table{shape.vocabulary, shape.gradients[2]};
    const HotFlipCandidateSearch search{.candidates = shape.candidates, .spares = 3};
    const auto odd = [](std::size_t, std::size_t, Token token) { return token % 5 != 1; };

    const TriggerCandidates expected =
        search(unlearn::sequential, View<const float, 3>(gradients.data(), shape.gradients),
               View<const float, 2>(embeddings.data(), table), filter, odd);
    const TriggerCandidates found = search(device(), device_gradients.read(shape.gradients),
                                           device_embeddings.read(table), filter, odd);

    EXPECT_EQ(flat(found.tokens()), flat(expected.tokens()));
    EXPECT_EQ(flat(found.scores()), flat(expected.scores()));
  }
};

TEST_F(HotFlipOnDevice, FindsTheReferencesCandidates) {
  SplitMix64 rng(1);
  const std::size_t rows = 1280;
  const std::size_t block = unlearn::cuda::detail::tokens_in_block(
      rows, 1'000'000, unlearn::cuda::detail::multiprocessors(device()));
  // A vocabulary within a block of scores, of whole blocks, and one token beyond them; more
  // candidates than a warp has threads; fewer tokens than candidates.
  const std::vector<Search> searches{{{3, 2, 5}, 100, 4},
                                     {{rows / 2, 2, 2}, 2 * block, 4},
                                     {{rows / 2, 2, 1}, 2 * block + 1, 16},
                                     {{1, 3, 4}, 16385, 45},
                                     {{2, 2, 3}, 6, 6},  // two of the six are denied
                                     {{1, 1, 1}, 1, 1},
                                     {{1, 2, 4}, 9000, 1021},   // as deep as a kernel holds
                                     {{1, 2, 4}, 9000, 1100}};  // and deeper
  for (const Search& shape : searches) {
    SCOPED_TRACE(shape.vocabulary);
    TokenFilter filter(shape.vocabulary);
    for (std::size_t v = 2; v < shape.vocabulary; v += 3) filter.deny(static_cast<Token>(v));
    const auto [samples, positions, width] = shape.gradients;
    expect_the_references_candidates(shape, filter, whole_numbers(rng, samples * positions * width),
                                     whole_numbers(rng, shape.vocabulary * width));
  }
}

TEST(BlocksOfScores, AreWholeWavesOfTiles) {
  using unlearn::cuda::detail::most_scores;
  using unlearn::cuda::detail::tokens_in_block;
  // 132 multiprocessors compute 3 × 44 tiles of 128 × 256 at a time: two waves fit.
  EXPECT_EQ(tokens_in_block(384, 49'408, 132), 2U * 44 * 256);
  EXPECT_EQ(tokens_in_block(384, 20'000, 132), 20'000U) << "a small vocabulary";
  EXPECT_EQ(tokens_in_block(2048, 49'408, 132), 8U * 256 * 2) << "16 rows of tiles";
  EXPECT_EQ(tokens_in_block(10'000, 49'408, 132), most_scores / 10'000 / 256 * 256);
  EXPECT_EQ(tokens_in_block(100'000, 49'408, 132), most_scores / 100'000) << "less than a wave";
  EXPECT_EQ(tokens_in_block(most_scores + 1, 49'408, 132), 1U);
  EXPECT_EQ(tokens_in_block(1280, 16'385, 1), 8192U);
}

TEST_F(HotFlipOnDevice, FindsThemWhenTheBestComeLast) {
  // Every score lowers the bar: nothing is sifted out.
  constexpr std::size_t vocabulary = 9000;
  std::vector<float> embeddings;
  for (std::size_t v = 0; v < vocabulary; ++v) embeddings.push_back(-static_cast<float>(v));
  expect_the_references_candidates({{2, 1, 1}, vocabulary, 40}, TokenFilter(vocabulary), {1, 2},
                                   embeddings);
}

TEST_F(HotFlipOnDevice, NeverChoosesNaNOrInfinity) {
  const std::vector<float> embeddings{nan_f, 2, infinity_f, -infinity_f, 1, nan_f};
  DeviceArray<float> device_embeddings(embeddings);
  DeviceArray<float> gradient(std::vector<float>{1});
  const auto found = HotFlipCandidateSearch{.candidates = 5}(
      device(), gradient.read<3>({1, 1, 1}), device_embeddings.read<2>({6, 1}), TokenFilter(6));
  EXPECT_THAT(flat(found.tokens()), ElementsAre(3, 4, 1, no_token, no_token));
}

TEST_F(HotFlipOnDevice, GivesTiesToTheLowerToken) {
  DeviceArray<float> embeddings(std::vector<float>(20'000, 1));
  DeviceArray<float> gradient(std::vector<float>{1});
  const auto found = HotFlipCandidateSearch{.candidates = 4}(
      device(), gradient.read<3>({1, 1, 1}), embeddings.read<2>({20'000, 1}), TokenFilter(20'000));
  EXPECT_THAT(flat(found.tokens()), ElementsAre(0, 1, 2, 3));
}

TEST_F(HotFlipOnDevice, ChecksShapes) {
  DeviceArray<float> gradients(12);
  DeviceArray<float> embeddings(30);
  DeviceArray<std::uint64_t> allowed(1);
  DeviceArray<Token> tokens(4);
  DeviceArray<float> scores(4);
  const auto rank = [&](std::size_t width, std::size_t vocabulary, std::size_t depth) {
    rank_tokens(device(), gradients.read<2>({2, width}), embeddings.read<2>({vocabulary, 3}),
                allowed.read<1>({1}), tokens.view<2>({2, depth}), scores.view<2>({2, depth}));
  };
  EXPECT_NO_THROW(rank(3, 10, 2));
  EXPECT_THROW(rank(4, 10, 2), InvalidArgument);
  EXPECT_THROW(rank(3, 65, 2), InvalidArgument);
  EXPECT_THROW(rank(3, 10, 0), InvalidArgument);
}

TEST_F(HotFlipOnDevice, AllocatesNothingTheSecondTime) {
  SplitMix64 rng(2);
  DeviceArray<float> gradients(whole_numbers(rng, 96));
  DeviceArray<float> embeddings(whole_numbers(rng, 80'000));
  const TokenFilter filter(10'000);
  EXPECT_EQ(allocations_of_second([&] {
              (void)HotFlipCandidateSearch{}(device(), gradients.read<3>({4, 3, 8}),
                                             embeddings.read<2>({10'000, 8}), filter);
            }),
            0U);
}

}  // namespace
