// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <ostream>
#include <span>
#include <vector>

#include "mem/two_tower.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn::testing {

using Doubles = MatrixOf<double>;

/// Numbers in [−1, 1).
template <class T>
MatrixOf<T> drawn_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  SplitMix64 rng(seed);
  MatrixOf<T> drawn(rows, columns);
  for (T& number : View<T, 2>(drawn).flat()) {
    number = static_cast<T>(static_cast<double>(uniform_below(20001, rng)) / 10000.0 - 1.0);
  }
  return drawn;
}

/// Linear towers, of other widths than TwoTowers: signals x A, texts Σ_p e(t_p) Q.
struct LinearTowers {
  Matrix signal_weights;  ///< A, [elements, 5]
  Matrix text_weights;    ///< Q, [2, 5]
  Matrix embeddings;      ///< e, [vocabulary, 2]
  double bias = -3;

  LinearTowers(std::size_t elements, std::size_t vocabulary, std::uint64_t seed)
      : signal_weights(drawn_matrix<float>(elements, 5, seed)),
        text_weights(drawn_matrix<float>(2, 5, seed + 1)),
        embeddings(drawn_matrix<float>(vocabulary, 2, seed + 2)) {}

  template <class S, class N>
  Matrix encode_signals(const SignalBatch<S, N>& signals) {
    return signals.perturbed() * signal_weights;
  }
  Matrix encode_texts(const TokenBatch& texts) {
    Matrix sums = Matrix::Zero(static_cast<Eigen::Index>(texts.size()), 2);
    for (std::size_t r = 0; r < texts.size(); ++r) {
      for (const Token token : texts.sequence(r)) {
        sums.row(static_cast<Eigen::Index>(r)) += embeddings.row(token);
      }
    }
    return sums * text_weights;
  }
  template <class S, class N, class Loss>
  void signal_gradient(const SignalBatch<S, N>& signals, LossPullback<Loss>& pullback,
                       View<float, 2> out) {
    as_eigen(out) = pullback(encode_signals(signals)) * signal_weights.transpose();
  }
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback, View<float, 3> out) {
    const Matrix gradient = pullback(encode_texts(texts)) * text_weights.transpose();
    for (std::size_t r = 0; r < texts.size(); ++r) {
      as_eigen(out[r]).rowwise() = gradient.row(static_cast<Eigen::Index>(r));
    }
  }
  View<const float, 2> token_embeddings() { return embeddings; }
  double logit_scale() { return 3; }
  double logit_bias() { return bias; }

  template <class S, class N, class Loss>
  double train_step(const SignalBatch<S, N>& signals, const TokenBatch& texts, const Loss& loss) {
    const auto before = loss(encode_signals(signals), encode_texts(texts), logit_scale());
    signal_weights -= 0.05F * (signals.perturbed().transpose() * before.grad_a);
    return before.value;
  }

  // As little robust as a model may be: it leaves a space behind, and reads all there is.
  void save(std::ostream& out) const {
    for (const float weight : View<const float, 2>(signal_weights).flat()) {
      out << std::bit_cast<std::uint32_t>(weight) << ' ';
    }
  }
  void load(std::istream& in) {
    std::vector<float> weights;
    for (std::uint32_t bits = 0; in >> bits;) weights.push_back(std::bit_cast<float>(bits));
    in.clear();
    std::ranges::copy(weights, View<float, 2>(signal_weights).flat().begin());
  }
};

/// Four texts with triggers of two tokens, and their signals.
struct Batch {
  Matrix x = drawn_matrix<float>(4, 6, 11);
  std::vector<Token> tokens{0, 5, 6, 9, 1, 0, 7, 8, 3, 1, 0, 2, 5, 4, 1, 0, 9, 9, 6, 1};
  std::vector<std::int32_t> lengths{5, 5, 5, 5};
  std::vector<std::int32_t> positions{1, 2, 1, 2, 1, 2, 1, 2};

  FloatBatch signals() const { return {.clean = x, .noise = {}}; }
  TokenBatch texts() const {
    return {
        .tokens = {tokens, {4, 5}}, .lengths = lengths, .trigger_positions = {positions, {4, 2}}};
  }
};
inline constexpr std::size_t vocabulary = 10;

/// What the towers compute, in double, with an offset on the token embeddings at trigger positions:
/// offset[r · n + p].
inline Doubles signals_by(const TwoTowers& m, const Doubles& x) {
  return ((x.array() - 0.5).matrix() * m.signal_weights.cast<double>()).array().tanh();
}
inline Doubles signals_by(const LinearTowers& m, const Doubles& x) {
  return x * m.signal_weights.cast<double>();
}
template <class Model>
Doubles sums_by(const Model& m, const TokenBatch& texts, const Doubles& offset, bool weighted) {
  Doubles sums = Doubles::Zero(static_cast<Eigen::Index>(texts.size()), m.embeddings.cols());
  for (std::size_t r = 0; r < texts.size(); ++r) {
    const auto tokens = texts.sequence(r);
    const auto row = static_cast<Eigen::Index>(r);
    const auto weight = [&](std::size_t p) {
      return weighted ? double{TwoTowers::weight_at(p)} : 1.0;
    };
    for (std::size_t p = 0; p < tokens.size(); ++p) {
      sums.row(row) += weight(p) * m.embeddings.row(tokens[p]).template cast<double>();
    }
    for (std::size_t p = 0; p < texts.trigger_length(); ++p) {
      const auto place = static_cast<std::size_t>(texts.trigger_positions[r][p]);
      sums.row(row) +=
          weight(place) * offset.row(static_cast<Eigen::Index>(r * texts.trigger_length() + p));
    }
  }
  return sums;
}
inline Doubles texts_by(const TwoTowers& m, const TokenBatch& texts, const Doubles& offset) {
  const Doubles hidden = sums_by(m, texts, offset, true).array().tanh();
  return hidden * m.text_weights.cast<double>();
}
inline Doubles texts_by(const LinearTowers& m, const TokenBatch& texts, const Doubles& offset) {
  return sums_by(m, texts, offset, false) * m.text_weights.cast<double>();
}
template <class Model>
Doubles no_offset(const Model& m, const TokenBatch& texts) {
  return Doubles::Zero(static_cast<Eigen::Index>(texts.size() * texts.trigger_length()),
                       m.embeddings.cols());
}

/// Central differences of `value(at)`, number by number.
template <class Value>
Doubles differences(const Value& value, Doubles at) {
  constexpr double h = 1e-5;
  Doubles slopes(at.rows(), at.cols());
  for (Eigen::Index r = 0; r < at.rows(); ++r) {
    for (Eigen::Index c = 0; c < at.cols(); ++c) {
      const double here = at(r, c);
      at(r, c) = here + h;
      const double above = value(at);
      at(r, c) = here - h;
      slopes(r, c) = (above - value(at)) / (2 * h);
      at(r, c) = here;
    }
  }
  return slopes;
}

/// The largest difference of a gradient from its reference, relative to the largest number there.
inline double distance(View<const float, 2> gradient, const Doubles& reference) {
  const Doubles got = as_eigen(gradient).cast<double>();
  return (got - reference).cwiseAbs().maxCoeff() / reference.cwiseAbs().maxCoeff();
}

}  // namespace unlearn::testing
