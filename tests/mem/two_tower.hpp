// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <limits>
#include <ostream>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/mem/fresh_state.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/mem/run_state.hpp"

namespace unlearn::testing {

/// Signals with captions, drawn from a seed. Row r is a caption of signal r mod `signals`.
///
/// Every third number of a signal is at an end of the valid range or within three levels of it.
/// The second token of row r's caption is `name_of(r)`, which no other caption has.
template <class Sample>
class TwoTowerPairs {
 public:
  using sample_type = Sample;
  static constexpr Token start = 0;
  static constexpr Token end = 1;
  static constexpr Token first_word = 2;
  static constexpr Token words = 24;
  static constexpr Token first_name = first_word + words;
  static constexpr Token names = 24;
  static constexpr std::size_t vocabulary = first_name + names;

  struct Shape {
    std::size_t signals = 6;
    std::size_t captions = 1;  ///< per signal
    std::size_t elements = 6;
  };

  explicit TwoTowerPairs(Shape shape = {}, std::uint64_t seed = 1) : shape_(shape) {
    SplitMix64 rng(seed);
    for (std::size_t i = 0; i < shape.signals * shape.elements; ++i) {
      const auto near = static_cast<int>(uniform_below(4, rng));
      const auto anywhere = static_cast<int>(uniform_below(256, rng));
      const int level = i % 3 > 0 ? anywhere : (i % 2 > 0 ? near : 255 - near);
      signals_.push_back(std::is_integral_v<Sample> ? static_cast<Sample>(level)
                                                    : static_cast<Sample>(level / 255.0));
    }
    for (std::size_t row = 0; row < rows(); ++row) {
      std::vector<Token> caption{start, name_of(row)};
      for (std::size_t word = uniform_below(4, rng); word > 0; --word) {
        caption.push_back(first_word + static_cast<Token>(uniform_below(words, rng)));
      }
      caption.push_back(end);
      captions_.push_back(std::move(caption));
    }
  }

  static Token name_of(std::size_t row) { return first_name + static_cast<Token>(row); }
  static std::size_t row_of(Token name) { return static_cast<std::size_t>(name - first_name); }

  [[nodiscard]] std::size_t rows() const { return shape_.signals * shape_.captions; }
  [[nodiscard]] std::size_t signals() const { return shape_.signals; }
  [[nodiscard]] std::size_t elements() const { return shape_.elements; }
  [[nodiscard]] Index signal_of(Index row) const {
    return row % static_cast<Index>(shape_.signals);
  }
  [[nodiscard]] std::span<const Sample> signal(std::size_t s) const {
    return std::span(signals_).subspan(s * shape_.elements, shape_.elements);
  }
  void load_signals(std::span<const Index> indices, View<Sample, 2> out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(signal(indices[i]), out.row(i).begin());
    }
  }
  [[nodiscard]] std::span<const Token> caption(Index row) const { return captions_[row]; }

 private:
  Shape shape_;
  std::vector<Sample> signals_;
  std::vector<std::vector<Token>> captions_;
};

static_assert(PairSource<TwoTowerPairs<std::uint8_t>> && PairSource<TwoTowerPairs<float>>);

/// Two small towers with weights drawn from a seed, trained by plain gradient descent:
///
///     signal x            tanh((x − ½) W)
///     tokens t_0 ... t_l  tanh(Σ_p w_p e(t_p)) Q,   w_p = 1 + (p mod 3) / 2
///
/// Rows are embedded one by one, so that the last bit of a row does not depend on the other rows.
struct TwoTowers {
  static constexpr std::size_t dimensions = 4;
  static constexpr std::size_t width = 3;
  static constexpr double scale = 6;
  static constexpr float rate = 0.05F;

  explicit TwoTowers(std::size_t elements, std::uint64_t seed = 2,
                     std::size_t vocabulary = TwoTowerPairs<float>::vocabulary)
      : signal_weights(elements, dimensions),
        text_weights(width, dimensions),
        embeddings(vocabulary, width) {
    SplitMix64 rng(seed);
    for (Matrix* weights : {&signal_weights, &text_weights, &embeddings}) {
      for (float& weight : View<float, 2>(*weights).flat()) {
        weight = static_cast<float>(uniform_below(20001, rng)) / 10000.0F - 1.0F;
      }
    }
  }

  static float weight_at(std::size_t position) {
    return 1.0F + 0.5F * static_cast<float>(position % 3);
  }

  template <class S, class N>
  [[nodiscard]] Matrix encode_signals(const SignalBatch<S, N>& signals) const {
    const Matrix x = signals.perturbed().array() - 0.5F;
    Matrix embedded(x.rows(), signal_weights.cols());
    for (Eigen::Index r = 0; r < x.rows(); ++r) {
      embedded.row(r) = (x.row(r) * signal_weights).array().tanh();
    }
    return embedded;
  }

  [[nodiscard]] Matrix encode_texts(const TokenBatch& texts) const {
    const Matrix hidden = hidden_texts(texts);
    Matrix embedded(hidden.rows(), text_weights.cols());
    for (Eigen::Index r = 0; r < hidden.rows(); ++r) embedded.row(r) = hidden.row(r) * text_weights;
    return embedded;
  }

  template <class S, class N, class Loss>
  void signal_gradient(const SignalBatch<S, N>& signals, LossPullback<Loss>& pullback,
                       View<float, 2> out) const {
    const Matrix embedded = encode_signals(signals);
    as_eigen(out) = before_tanh(pullback(embedded), embedded) * signal_weights.transpose();
  }

  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback,
                     View<float, 3> out) const {
    const Matrix gradient = hidden_gradient(texts, pullback(encode_texts(texts)));
    for (std::size_t r = 0; r < texts.size(); ++r) {
      for (std::size_t p = 0; p < texts.trigger_length(); ++p) {
        const auto position = static_cast<std::size_t>(texts.trigger_positions[r][p]);
        for (std::size_t e = 0; e < width; ++e) {
          out[r][p][e] = weight_at(position) * View<const float, 2>(gradient)[r][e];
        }
      }
    }
  }

  [[nodiscard]] View<const float, 2> token_embeddings() const { return embeddings; }
  [[nodiscard]] static double logit_scale() { return scale; }

  template <class S, class N, class Loss = InfoNce>
  double train_step(const SignalBatch<S, N>& signals, const TokenBatch& texts,
                    const Loss& loss_of = {}) {
    const Matrix embedded = encode_signals(signals);
    const auto loss = loss_of(embedded, encode_texts(texts), scale);
    const Matrix hidden = hidden_texts(texts);
    const Matrix gradient = hidden_gradient(texts, loss.grad_b);
    const Matrix x = signals.perturbed().array() - 0.5F;
    signal_weights -= rate * (x.transpose() * before_tanh(loss.grad_a, embedded));
    text_weights -= rate * (hidden.transpose() * loss.grad_b);
    for (std::size_t r = 0; r < texts.size(); ++r) {
      const auto tokens = texts.sequence(r);
      for (std::size_t p = 0; p < tokens.size(); ++p) {
        embeddings.row(tokens[p]) -=
            rate * weight_at(p) * gradient.row(static_cast<Eigen::Index>(r));
      }
    }
    return loss.value;
  }

  void save(std::ostream& out) const {
    for (const Matrix* weights : {&signal_weights, &text_weights, &embeddings}) {
      for (const float weight : View<const float, 2>(*weights).flat()) {
        out << std::bit_cast<std::uint32_t>(weight) << ' ';
      }
    }
  }
  void load(std::istream& in) {
    for (Matrix* weights : {&signal_weights, &text_weights, &embeddings}) {
      for (float& weight : View<float, 2>(*weights).flat()) {
        std::uint32_t bits = 0;
        in >> bits;
        weight = std::bit_cast<float>(bits);
      }
    }
  }

  Matrix signal_weights;  ///< W, [elements, dimensions]
  Matrix text_weights;    ///< Q, [width, dimensions]
  Matrix embeddings;      ///< e, [vocabulary, width]

 private:
  [[nodiscard]] Matrix hidden_texts(const TokenBatch& texts) const {
    Matrix sums = Matrix::Zero(static_cast<Eigen::Index>(texts.size()), width);
    for (std::size_t r = 0; r < texts.size(); ++r) {
      const auto tokens = texts.sequence(r);
      for (std::size_t p = 0; p < tokens.size(); ++p) {
        sums.row(static_cast<Eigen::Index>(r)) += weight_at(p) * embeddings.row(tokens[p]);
      }
    }
    return sums.array().tanh();
  }

  [[nodiscard]] Matrix hidden_gradient(const TokenBatch& texts, const Matrix& gradient) const {
    return before_tanh(gradient * text_weights.transpose(), hidden_texts(texts));
  }

  static Matrix before_tanh(const Matrix& gradient, const Matrix& after) {
    return gradient.array() * (1 - after.array().square());
  }
};

static_assert(DualEncoder<TwoTowers, PixelBatch, InfoNce> &&
              DualEncoder<TwoTowers, FloatBatch, InfoNce>);
static_assert(Trainable<TwoTowers, PixelBatch> && TrainableOn<TwoTowers, PixelBatch, InfoNce>);
static_assert(Checkpointable<TwoTowers>);

using RunRng = std::mt19937_64;

/// A few rounds of a few small steps that do not stop before the last one.
inline MultiStepMinimizer<> small_mem() {
  return {.descent = {.step = 1.0 / 255, .steps = 3},
          .ball = {.radius = 4.0 / 255},
          .search = {.candidates = 4},
          .rounds = 3,
          .trigger_rounds = 2,
          .surrogate_steps = 3,
          .batch_size = 4,
          .stop_loss = 0};
}

/// The trigger that small runs start from.
inline const std::vector<Token> two_words{5, 6};

/// The noise of one group.
template <class Store>
std::vector<typename Store::value_type> noise_of(const RunState<Store>& state, Index group) {
  std::vector<typename Store::value_type> noise(state.noise.elements());
  state.noise.load(std::span(&group, 1),
                   View<typename Store::value_type, 2>(noise, {1, noise.size()}));
  return noise;
}

/// The noise of every group, one after the other.
template <class Store>
std::vector<typename Store::value_type> all_noise(const RunState<Store>& state) {
  std::vector<typename Store::value_type> all;
  for (Index group = 0; group < state.noise.groups(); ++group) {
    const auto noise = noise_of(state, group);
    all.insert(all.end(), noise.begin(), noise.end());
  }
  return all;
}

inline std::vector<Token> all_triggers(const TriggerTable& triggers) {
  const auto tokens = triggers.view().flat();
  return {tokens.begin(), tokens.end()};
}

/// Noise, triggers and progress as exact text.
template <class Store>
std::string text_of(const RunState<Store>& state) {
  std::ostringstream text;
  text << std::hexfloat << "noise ";
  for (const auto element : all_noise(state)) text << +element << ' ';
  text << "\ntriggers ";
  for (const Token token : all_triggers(state.triggers)) text << token << ' ';
  const RunProgress& p = state.progress;
  text << "\nat " << p.round << ' ' << p.stage << ' ' << p.batch << ' ' << p.loss_sum << " epoch "
       << p.training.epoch_seed << ' ' << p.training.epoch_row << ' ' << p.training.steps
       << "\nlosses\n";
  const auto put = [&](const RoundLosses& l) {
    text << l.round;
    for (const StageLoss& loss : l.stages) text << ' ' << loss.stage << ' ' << loss.mean;
    text << '\n';
  };
  put(p.current);
  for (const RoundLosses& losses : p.trace) put(losses);
  return text.str();
}

/// All that a run changes, as text for comparisons.
template <class Store, class Model>
std::string text_of(const RunState<Store>& state, const RunRng& rng, const Model& model) {
  std::ostringstream text;
  text << text_of(state) << "generator " << rng << "\nmodel ";
  model.save(text);
  return text.str();
}

}  // namespace unlearn::testing
