// SPDX-License-Identifier: Apache-2.0
//
// A loss of one's own with all that a loss may have: a scorer, and a parameter that the model
// learns.

#include <cmath>
#include <cstdio>
#include <random>
#include <span>
#include <vector>

#include "album.hpp"
#include "check.hpp"
#include "own_model.hpp"
#include "unlearn/unlearn.hpp"

using unlearn::Index, unlearn::Matrix, unlearn::TokenBatch, unlearn::View;
using Embeddings = View<const float, 2>;

// [scorer]
/// Mean of (aᵢᵀbᵢ − target)²: each pair has a term of its own, so one caption changes one term.
struct AgreementScorer {
  Matrix signals;
  Eigen::VectorXd terms;
  double target;

  double loss() const { return terms.mean(); }
  void score(std::span<const Index> captions, Embeddings texts, std::span<double> losses) const {
    for (std::size_t m = 0; m < captions.size(); ++m) {
      losses[m] = loss_with(captions.subspan(m, 1), texts.slice(m, 1));
    }
  }
  double loss_with(std::span<const Index> captions, Embeddings texts) const {
    AgreementScorer changed = *this;
    changed.replace(captions, texts);
    return changed.loss();
  }
  void replace(std::span<const Index> captions, Embeddings texts) {
    for (std::size_t m = 0; m < captions.size(); ++m) {
      const double similarity = signals.row(captions[m]).dot(unlearn::as_eigen(texts).row(m));
      terms[captions[m]] = std::pow(similarity - target, 2);
    }
  }
};
static_assert(unlearn::CaptionScorer<AgreementScorer>);
// [/scorer]

// [loss]
struct Agreement {
  double target = 1;  // of models that learn none

  struct Result {
    double value;
    Matrix grad_a, grad_b;
    double grad_target;
  };
  Result operator()(Embeddings a, Embeddings b, double /*logit_scale*/) const {
    const Eigen::VectorXf slope = 2 * gaps(a, b) / static_cast<float>(a.extent(0));
    return {.value = value(a, b, 1),
            .grad_a = slope.asDiagonal() * unlearn::as_eigen(b),
            .grad_b = slope.asDiagonal() * unlearn::as_eigen(a),
            .grad_target = -double{slope.sum()}};
  }
  double value(Embeddings a, Embeddings b, double /*logit_scale*/) const {
    return double{gaps(a, b).squaredNorm()} / static_cast<double>(a.extent(0));
  }

  AgreementScorer scorer(Embeddings signals, Embeddings texts, double /*logit_scale*/,
                         unlearn::Parallel /*policy*/) const {
    return {unlearn::as_eigen(signals), gaps(signals, texts).cast<double>().cwiseAbs2(), target};
  }
  Agreement bound_to(auto& model) const { return {.target = model.target()}; }

 private:
  Eigen::VectorXf gaps(Embeddings a, Embeddings b) const {
    const Matrix products = unlearn::as_eigen(a).cwiseProduct(unlearn::as_eigen(b));
    return products.rowwise().sum().array() - static_cast<float>(target);
  }
};
static_assert(unlearn::ContrastiveLoss<Agreement>);
// [/loss]

// [model]
/// A model that learns the loss's parameter beside its own weights.
struct AgreeingModel : OwnModel {
  using OwnModel::OwnModel;
  double learnt = 1;

  double target() { return learnt; }
  double train_step(const auto& signals, const TokenBatch& texts, const auto& loss) {
    learnt -= 0.1 * loss(encode_signals(signals), encode_texts(texts), logit_scale()).grad_target;
    return OwnModel::train_step(signals, texts, loss);
  }
};
static_assert(unlearn::TrainableOn<AgreeingModel, unlearn::PixelBatch, Agreement>);
// [/model]

int main() {
  Album album = make_album(/*images=*/40, /*seed=*/1);
  std::mt19937_64 rng(2);
  AgreeingModel model({.elements = album.elements()}, Scenes::vocabulary, rng);
  auto state = unlearn::fresh_state(album, std::vector(2, Scenes::first_word));

  // [run]
  auto mem = unlearn::with_loss(unlearn::mem(), Agreement{});
  // [/run]
  mem.rounds = 3;
  mem.surrogate_steps = 30;
  mem.batch_size = 40;
  mem.stop_loss = 0;
  const auto result = mem.minimize(model, album, state, rng);
  std::printf("loss %.4f, then %.4f; target %.3f\n", *result.trace.front().last(), *result.loss,
              model.learnt);
  check(*result.loss < *result.trace.front().last(), "the loss falls");
  check(model.learnt != 1, "the parameter is learnt");

  const Matrix signals = Matrix::Random(6, 4), texts = Matrix::Random(6, 4);
  const auto fast = unlearn::caption_scorer_for(Agreement{}, signals, texts, 1, {});
  const unlearn::FullLossScorer full(Agreement{}, signals, texts, 1);
  const std::vector<Index> two{4, 1};
  const Matrix others = Matrix::Random(2, 4);
  check(std::abs(fast.loss_with(two, others) - full.loss_with(two, others)) < 1e-5,
        "the scorer's loss is the whole loss");
}
