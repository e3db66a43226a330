// SPDX-License-Identifier: Apache-2.0
#include "unlearn/contrast/caption_scorer.hpp"

#include <gtest/gtest.h>

#include <concepts>
#include <vector>

#include "contrast/reference_info_nce.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/siglip.hpp"

namespace unlearn {
namespace {

using testing::random_matrix;

/// Nothing but what a CaptionScorer is asked for; as scorers go, a bad one.
struct Archetype {
  int replaced = 0;
  unsigned threads = 0;
  float loss() const { return 1; }
  void score(std::span<const Index> /*j*/, View<const float, 2> /*u*/,
             std::span<double> losses) const {
    std::ranges::fill(losses, 2.0);
  }
  float loss_with(std::span<const Index> /*j*/, View<const float, 2> /*u*/) const { return 3; }
  void replace(std::span<const Index> /*j*/, View<const float, 2> /*u*/) { ++replaced; }
};

struct WithoutReplace : Archetype {
  void replace() = delete;
};
struct ScoresOne : Archetype {
  void score(Index j, View<const float, 2> u, double& loss) const;
};
struct LossInWords : Archetype {
  const char* loss() const;
};
struct LossThatChanges : Archetype {
  double loss();
};
static_assert(CaptionScorer<Archetype>);
static_assert(!CaptionScorer<WithoutReplace> && !CaptionScorer<ScoresOne> &&
              !CaptionScorer<LossInWords> && !CaptionScorer<LossThatChanges>);

/// InfoNCE without a scorer, and one with a scorer of its own.
struct Plain {
  InfoNceResult<float> operator()(View<const float, 2> a, View<const float, 2> b, double s) const {
    return info_nce(a, b, s);
  }
  double value(View<const float, 2> a, View<const float, 2> b, double s) const {
    return info_nce_value(a, b, s);
  }
};
struct Scored : Plain {
  Archetype scorer(View<const float, 2> /*signals*/, View<const float, 2> /*texts*/,
                   double /*logit_scale*/, Parallel policy) const {
    return {.replaced = 0, .threads = policy.threads};
  }
};

template <class Loss>
auto scorer_of(const Loss& loss) {
  SplitMix64 rng(1);
  const Matrix signals = random_matrix<float>(6, 4, rng);
  const Matrix texts = random_matrix<float>(6, 4, rng);
  return caption_scorer_for(loss, signals, texts, 10, Parallel{});
}

TEST(CaptionScorerFor, IsWhatTheLossBringsOrElseTheWholeLoss) {
  static_assert(std::same_as<decltype(scorer_of(InfoNce{})), InfoNceScorer>);
  static_assert(std::same_as<decltype(scorer_of(SigLip{})), SigLipScorer>);
  static_assert(std::same_as<decltype(scorer_of(Scored{})), Archetype>);
  static_assert(std::same_as<decltype(scorer_of(Plain{})), FullLossScorer<Plain>>);
  const double loss = scorer_of(Plain{}).loss();
  EXPECT_NEAR(scorer_of(InfoNce{}).loss(), loss, 1e-12 * loss);
}

/// An executor of one thread.
struct Inline {
  std::size_t size() const { return 1; }
  void for_each(std::size_t n, const auto& task) const {
    while (n > 0) task(--n);
  }
};

TEST(CaptionScorerFor, ScoresOnAnExecutorWhereTheLossCan) {
  Inline executor;
  const Matrix rows = Matrix::Identity(3, 3);
  const auto scorer_on = [&](const auto& loss) {
    return caption_scorer_for(loss, rows, rows, 10, on(executor));
  };
  using Policy = OnExecutor<Inline>;
  static_assert(std::same_as<decltype(scorer_on(InfoNce{})), InfoNceScorerIn<double, Policy>>);
  static_assert(std::same_as<decltype(scorer_on(SigLip{})), SigLipScorerIn<double, Policy>>);
  static_assert(std::same_as<decltype(scorer_on(Plain{})), FullLossScorer<Plain>>);
  // Its scorer knows Parallel alone, and no threads but the executor's are to run.
  static_assert(std::same_as<decltype(scorer_on(Scored{})), Archetype>);
  EXPECT_EQ(scorer_on(Scored{}).threads, 1U);
  EXPECT_EQ(scorer_of(Scored{}).threads, 0U);
}

TEST(CaptionScorerFor, OfSigLipHasTheLossesBias) {
  SplitMix64 rng(1);
  const Matrix signals = random_matrix<float>(6, 4, rng);
  const Matrix texts = random_matrix<float>(6, 4, rng);
  for (const double bias : {-10.0, -1.0}) {
    const double expected = siglip_value(signals, texts, 10, bias);
    EXPECT_NEAR(scorer_of(SigLip{.bias = bias}).loss(), expected, 1e-12 * expected);
  }
}

}  // namespace
}  // namespace unlearn
