// SPDX-License-Identifier: Apache-2.0
#include "unlearn/contrast/full_loss_scorer.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "contrast/reference_info_nce.hpp"
#include "contrast/replaced_captions.hpp"
#include "message_of.hpp"
#include "special_numbers.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/info_nce_scorer.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/random.hpp"

namespace unlearn {
namespace {

using testing::message_of;
using testing::random_matrix;
using testing::scores;

using Indices = std::vector<Index>;

/// A user's loss: scale · Σ ‖a_i − b_i‖².
struct SquaredDistance {
  struct Result {
    double value;
    Matrix grad_a;
    Matrix grad_b;
  };
  Result operator()(View<const float, 2> a, View<const float, 2> b, double scale) const {
    const Matrix grad_a = static_cast<float>(2 * scale) * (as_eigen(a) - as_eigen(b));
    return {value(a, b, scale), grad_a, -grad_a};
  }
  [[nodiscard]] double value(View<const float, 2> a, View<const float, 2> b, double scale) const {
    return scale * (as_eigen(a) - as_eigen(b)).cast<double>().squaredNorm();
  }
};
static_assert(ContrastiveLoss<SquaredDistance>);

TEST(FullLossScorer, OfInfoNceIsCandidateScoring) {
  SplitMix64 rng(1);
  for (const double scale : {1.0, 14.3, 100.0}) {
    const Matrix signals = random_matrix<float>(9, 6, rng);
    const Matrix texts = random_matrix<float>(9, 6, rng);
    FullLossScorer full(InfoNce{}, signals, texts, scale);
    InfoNceScorer fast(signals, texts, scale);
    for (int step = 0; step < 3; ++step) {
      EXPECT_NEAR(fast.loss(), full.loss(), 1e-5 * full.loss());
      const Indices replaced{4, 0, 4, 8, 1};
      const Matrix embeddings = random_matrix<float>(5, 6, rng);
      const std::vector<double> expected = scores(full, replaced, embeddings);
      const std::vector<double> losses = scores(fast, replaced, embeddings);
      for (std::size_t m = 0; m < replaced.size(); ++m) {
        EXPECT_NEAR(losses[m], expected[m], 1e-5 * expected[m]);
      }
      const Indices together{4, 0, 8};
      const Matrix three = embeddings.topRows(3);
      EXPECT_NEAR(fast.loss_with(together, three), full.loss_with(together, three),
                  1e-5 * full.loss());
      fast.replace(together, three);
      full.replace(together, three);
    }
  }
}

TEST(FullLossScorer, WorksWithALossOfOnesOwn) {
  const Matrix signals{{1, 0}, {0, 1}};
  const Matrix texts{{1, 1}, {0, 3}};
  FullLossScorer scoring(SquaredDistance{}, signals, texts, 2);
  EXPECT_EQ(scoring.loss(), 2 * (1 + 4));
  EXPECT_EQ(scores(scoring, {1, 0, 1}, Matrix{{0, 1}, {1, 0}, {3, 1}}),
            (std::vector<double>{2 * 1, 2 * 4, 2 * (1 + 9)}));
  const Indices both{1, 0};
  const Matrix embeddings{{0, 2}, {2, 0}};
  EXPECT_EQ(scoring.loss_with(both, embeddings), 2 * (1 + 1));
  EXPECT_EQ(scoring.loss(), 10) << "to ask is not to replace";
  scoring.replace(both, embeddings);
  EXPECT_EQ(scoring.loss(), 4);
  EXPECT_EQ(scores(scoring, {0}, Matrix{{1, 0}}), std::vector<double>{2});
}

TEST(FullLossScorer, AnswersNanForWhatIsNotFinite) {
  const Matrix axes = Matrix::Identity(3, 3);
  const FullLossScorer scoring(InfoNce{}, axes, axes, 10);
  const Matrix wrong = Matrix::Constant(1, 3, testing::nan_f);
  EXPECT_TRUE(is_nan(scores(scoring, {1}, wrong)[0]));
}

TEST(FullLossScorer, NamesWhatIsWrong) {
  const Matrix three = Matrix::Identity(3, 3);
  const Matrix two = three.topRows(2);
  EXPECT_EQ(message_of<InvalidArgument>([&] { FullLossScorer(InfoNce{}, three, two, 1); }),
            "embeddings b: expected 3 x 3, got 2 x 3");

  FullLossScorer scoring(InfoNce{}, three, three, 10);
  const double before = scoring.loss();
  const auto every_call_says = [&](const Indices& replaced, const Matrix& embeddings,
                                   const std::string& message) {
    EXPECT_EQ(message_of<InvalidArgument>([&] { (void)scoring.loss_with(replaced, embeddings); }),
              message);
    EXPECT_EQ(message_of<InvalidArgument>([&] { scoring.replace(replaced, embeddings); }), message);
    EXPECT_EQ(message_of<InvalidArgument>([&] { (void)scores(scoring, replaced, embeddings); }),
              message);
  };
  every_call_says({0, 1}, three, "rows of candidate embeddings: expected 2, got 3");
  every_call_says({0, 1}, Matrix(2, 2), "columns of candidate embeddings: expected 3, got 2");
  every_call_says({0, 3}, two, "caption to replace: expected below the number of pairs, got 3");
  std::vector<double> losses(1);
  EXPECT_EQ(message_of<InvalidArgument>([&] { scoring.score(Indices{0, 1}, two, losses); }),
            "losses of candidates: expected 2, got 1");
  EXPECT_EQ(scoring.loss(), before);
}

}  // namespace
}  // namespace unlearn
