// SPDX-License-Identifier: Apache-2.0
#include "clip/kernels/token_screen.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "message_of.hpp"
#include "special_numbers.hpp"
#include "tiny_clip.hpp"
#include "unlearn/interop/torch.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"

namespace unlearn::clip {
namespace {
using testing::infinity_f;
using testing::nan_f;

class TokenScreens : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!TokenScreen::available()) GTEST_SKIP() << "no products in bfloat16 on this processor";
    at::manual_seed(1);
  }
};

/// What a ranking is, beside the library's own.
struct Rankings {
  std::vector<Token> screened, in_float;
  std::vector<float> screened_scores, float_scores;
};

Rankings rankings(const at::Tensor& gradients, const at::Tensor& table, const TokenFilter& filter,
                  const HotFlipCandidateSearch& search = {}) {
  const View<const float, 3> g = view_of<const float, 3>(gradients);
  const TokenScreen screen(view_of<const float, 2>(table));
  const TriggerCandidates a = search(screen, g, filter);
  const TriggerCandidates b = search(parallel, g, view_of<const float, 2>(table), filter);
  const auto copy = [](const auto& view) {
    return std::vector(view.flat().begin(), view.flat().end());
  };
  return {copy(a.tokens()), copy(b.tokens()), copy(a.scores()), copy(b.scores())};
}

void expect_equal(const Rankings& found) {
  EXPECT_EQ(found.screened, found.in_float);
  EXPECT_EQ(found.screened_scores, found.float_scores);
}

/// Whole numbers: sums are exact in any order, and many scores are equal.
at::Tensor whole(at::IntArrayRef sizes, std::int64_t bound) {
  return at::randint(-bound, bound + 1, sizes).to(at::kFloat);
}

TEST_F(TokenScreens, RankAsTheFloatScoresDoTiesAndAll) {
  for (const std::int64_t vocabulary : {2048, 2049, 4095, 4096, 4160, 9001}) {
    // Of 300, bfloat16 holds the even ones alone.
    for (const std::int64_t bound : {1, 3, 300}) {
      expect_equal(rankings(whole({3, 2, 24}, bound), whole({vocabulary, 24}, bound),
                            TokenFilter(static_cast<std::size_t>(vocabulary))));
    }
  }
}

TEST_F(TokenScreens, RankWhatBfloat16CannotTellApart) {
  // All embeddings are 1 in bfloat16; the best is the one that is least above it.
  at::Tensor table = at::ones({3000, 16});
  table.select(1, 3).add_(at::arange(3000).flip(0).to(at::kFloat) * 0x1p-22);
  const at::Tensor gradients = at::ones({2, 1, 16});
  const Rankings found =
      rankings(gradients, table, TokenFilter(3000), {.candidates = 3, .spares = 0});
  EXPECT_TRUE(table.to(at::kBFloat16).eq(1).all().item<bool>());
  // 15 + (1 + n·2⁻²²) is rounded to multiples of 2⁻¹⁹: eight tokens share a score.
  expect_equal(found);
  EXPECT_GT(found.screened[0], 2900);
}

TEST_F(TokenScreens, RankRandomScoresUpToRounding) {
  const at::Tensor gradients = at::randn({5, 3, 96});
  // Norms from small to large: margins differ from token to token.
  const at::Tensor table = at::randn({6000, 96}) * at::linspace(0.1, 3, 6000).unsqueeze(1);
  const Rankings found = rankings(gradients, table, TokenFilter(6000));
  const at::Tensor scores = gradients.view({15, 96}).to(at::kDouble).mm(table.to(at::kDouble).t());
  const at::Tensor best = std::get<0>(scores.topk(16, 1, /*largest=*/false)).contiguous();
  for (std::size_t i = 0; i < found.screened.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(found.screened_scores[i]), best.data_ptr<double>()[i], 1e-4);
    const double score =
        scores[static_cast<std::int64_t>(i / 16)][found.screened[i]].item<double>();
    EXPECT_NEAR(static_cast<double>(found.screened_scores[i]), score, 1e-4);
  }
}

TEST_F(TokenScreens, ChooseOnlyWhatTheFilterAllows) {
  TokenFilter filter(5000);
  for (Token token = 0; token < 5000; ++token) {
    if (token % 7 != 3) filter.deny(token);
  }
  expect_equal(rankings(whole({4, 3, 16}, 3), whole({5000, 16}, 3), filter));
  const std::vector<Token> few{4999, 12, 2100};
  expect_equal(rankings(whole({4, 3, 16}, 3), whole({5000, 16}, 3), TokenFilter::only(5000, few)));
}

TEST_F(TokenScreens, NeverChooseATokenWithoutAScore) {
  at::Tensor table = whole({4200, 8}, 3);
  at::Tensor gradients = whole({3, 1, 8}, 3).abs() + 1;
  for (const std::int64_t token : {0, 17, 2047, 2048, 4199}) {
    table[token][token % 8] = token % 2 == 0 ? nan_f : infinity_f;
  }
  table[5][0] = -infinity_f;
  table[6][0] = 3e38F;  // above what bfloat16 and the sums can hold
  table[7].fill_(-3.4e38F);
  expect_equal(rankings(gradients, table, TokenFilter(4200)));
  expect_equal(rankings(gradients, table, TokenFilter(4200), {.candidates = 4200, .spares = 0}));
  gradients[1][0][2] = nan_f;
  gradients[2][0][2] = -infinity_f;
  expect_equal(rankings(gradients, table, TokenFilter(4200)));
}

TEST_F(TokenScreens, RankTinyNumbers) {
  const at::Tensor gradients = whole({2, 1, 8}, 3) * 0x1p-100;
  expect_equal(rankings(gradients, whole({3000, 8}, 3) * 0x1p-20, TokenFilter(3000)));
  expect_equal(rankings(gradients, whole({3000, 8}, 3) * 0x1p-40, TokenFilter(3000)));
}

TEST_F(TokenScreens, NameWhatDoesNotFit) {
  const at::Tensor table = at::zeros({2048, 8});
  const TokenScreen screen(view_of<const float, 2>(table));
  const at::Tensor gradients = at::zeros({1, 1, 9});
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] {
              (void)HotFlipCandidateSearch{}(screen, view_of<const float, 3>(gradients),
                                             TokenFilter(2048));
            }),
            "width of the token embeddings: expected 9, got 8");
  const at::Tensor small = at::zeros({2047, 8});
  EXPECT_FALSE(TokenScreen::takes(view_of<const float, 2>(small)));
  EXPECT_EQ(testing::message_of<InvalidArgument>(
                [&] { (void)TokenScreen(view_of<const float, 2>(small)); }),
            "token embeddings to be screened: expected at least 2048 of at least 8 numbers, got "
            "2047");
}

/// Whatever the encoder ranks by, and also after its table has changed.
TEST(ClipEncoder, RanksByTheEmbeddingsThatItShows) {
  ClipConfig config = testing::tiny_vit();
  config.vocab_size = 2500;
  ClipEncoder encoder(Clip(config, 1), {.optimizer = {.learning_rate = {.rate = 0.05}}});
  const testing::DrawnPairs pairs(config, 6, 2);
  const at::Tensor gradients = at::randn({4, 3, config.transformer_width});
  const TokenFilter filter(2500);
  const HotFlipCandidateSearch search;
  const auto ranked = [&] {
    const TriggerCandidates a = search(encoder, view_of<const float, 3>(gradients), filter);
    const TriggerCandidates b =
        search(parallel, view_of<const float, 3>(gradients), encoder.token_embeddings(), filter);
    for (std::size_t i = 0; i < a.scores().size(); ++i) {
      EXPECT_NEAR(a.scores().flat()[i], b.scores().flat()[i], 1e-5);
    }
    return std::vector(a.tokens().flat().begin(), a.tokens().flat().end());
  };
  const auto before = ranked();
  for (int step = 0; step < 5; ++step) (void)encoder.train_step(pairs.images(), pairs.texts());
  EXPECT_NE(ranked(), before);
}

}  // namespace
}  // namespace unlearn::clip
