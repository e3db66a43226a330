// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>
#include <istream>
#include <ostream>
#include <random>
#include <vector>

#include "unlearn/unlearn.hpp"

/// The quickstart's model, for signals of any kind and length, that can also be saved: signals go
/// through one hidden layer, texts are bags of words, Adam trains it.
class OwnModel {
  using Matrix = unlearn::Matrix;

  struct Weights {  // of one layer, and Adam's moments
    Matrix value, mean, square;
    Weights(std::size_t rows, std::size_t columns, std::mt19937_64& rng)
        : value(rows, columns), mean(Matrix::Zero(rows, columns)), square(mean) {
      std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(rows)));
      value = value.unaryExpr([&](float) { return normal(rng); });
    }
    void step(const Matrix& gradient, int t) {
      mean = 0.9F * mean + 0.1F * gradient;
      square = 0.99F * square + 0.01F * gradient.cwiseAbs2();
      const double rate = 3e-3 * std::sqrt(1 - std::pow(0.99, t)) / (1 - std::pow(0.9, t));
      value.array() -= static_cast<float>(rate) * mean.array() / (square.array().sqrt() + 1e-8F);
    }
  };

 public:
  /// The range of signals: they enter as gain · (x − centre).
  struct Input {
    std::size_t elements;
    float centre = 0.5F;
    float gain = 4;
  };

  OwnModel(Input input, std::size_t vocabulary, std::mt19937_64& rng)
      : input_(input),
        hidden_(input.elements, 64, rng),
        signal_(64, 32, rng),
        word_(vocabulary, 32, rng) {}

  Matrix encode_signals(const auto& signals) { return embed(relu(signals)); }
  Matrix encode_texts(const unlearn::TokenBatch& texts) { return bag(texts) * word_.value; }

  void signal_gradient(const auto& signals, auto& pullback, unlearn::View<float, 2> out) {
    const Matrix h = relu(signals), gradient = pullback(embed(h));
    // No factor for `gain`: only the signs of this gradient are used.
    unlearn::as_eigen(out) = before_relu(gradient, h) * hidden_.value.transpose();
  }
  void text_gradient(const unlearn::TokenBatch& texts, auto& pullback,
                     unlearn::View<float, 3> out) {
    const Matrix gradient = pullback(encode_texts(texts));
    for (std::size_t r = 0; r < texts.size(); ++r) {
      unlearn::as_eigen(out[r]).rowwise() = gradient.row(r);
    }
  }
  unlearn::View<const float, 2> token_embeddings() { return word_.value; }
  double logit_scale() { return 50; }

  double train_step(const auto& signals, const unlearn::TokenBatch& texts, const auto& loss_of) {
    const Matrix h = relu(signals);
    const auto loss = loss_of(embed(h), encode_texts(texts), logit_scale());
    hidden_.step(inputs(signals).transpose() * before_relu(loss.grad_a, h), ++steps_);
    signal_.step(h.transpose() * loss.grad_a, steps_);
    word_.step(bag(texts).transpose() * loss.grad_b, steps_);
    return loss.value;
  }

  // [save]
  void save(std::ostream& out) {
    out.write(reinterpret_cast<const char*>(&steps_), sizeof(steps_));
    for (const Matrix* m : all()) {
      out.write(reinterpret_cast<const char*>(m->data()), m->size() * sizeof(float));
    }
  }
  void load(std::istream& in) {
    in.read(reinterpret_cast<char*>(&steps_), sizeof(steps_));
    for (Matrix* m : all()) {
      in.read(reinterpret_cast<char*>(m->data()), m->size() * sizeof(float));
    }
  }
  // [/save]

 private:
  std::vector<Matrix*> all() {
    std::vector<Matrix*> all;
    for (Weights* w : {&hidden_, &signal_, &word_}) {
      all.insert(all.end(), {&w->value, &w->mean, &w->square});
    }
    return all;
  }

  Matrix inputs(const auto& signals) {
    return input_.gain * (signals.perturbed().array() - input_.centre);
  }
  Matrix relu(const auto& signals) { return (inputs(signals) * hidden_.value).cwiseMax(0.0F); }
  Matrix embed(const Matrix& h) { return h * signal_.value; }
  Matrix before_relu(const Matrix& gradient, const Matrix& h) {
    return (gradient * signal_.value.transpose()).array() * (h.array() > 0).cast<float>();
  }
  Matrix bag(const unlearn::TokenBatch& texts) {
    Matrix counts = Matrix::Zero(texts.size(), word_.value.rows());
    for (std::size_t r = 0; r < texts.size(); ++r) {
      for (const unlearn::Token token : texts.sequence(r)) counts(r, token) += 1;
    }
    return counts;
  }

  Input input_;
  Weights hidden_, signal_, word_;
  int steps_ = 0;
};
