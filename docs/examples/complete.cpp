// SPDX-License-Identifier: Apache-2.0
//
// The shortest whole program: pairs, a model, a run.

// [program]
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <span>
#include <vector>

#include "unlearn/unlearn.hpp"

using unlearn::as_eigen, unlearn::Index, unlearn::Matrix, unlearn::Token, unlearn::View;

struct Pairs {  // 64 signals of 16 bytes, each with a caption of four words
  using sample_type = std::uint8_t;
  std::array<std::array<std::uint8_t, 16>, 64> bytes{};
  std::array<std::array<Token, 4>, 64> words{};
  explicit Pairs(std::mt19937_64& rng) {
    for (auto& signal : bytes)
      for (auto& byte : signal) byte = static_cast<std::uint8_t>(rng() % 256);
    for (auto& caption : words)
      for (Token& word : caption) word = static_cast<Token>(rng() % 100);
  }
  std::size_t rows() const { return words.size(); }
  std::size_t signals() const { return bytes.size(); }
  std::size_t elements() const { return bytes[0].size(); }
  Index signal_of(Index row) const { return row; }
  std::span<const Token> caption(Index row) const { return words[row]; }
  void load_signals(std::span<const Index> wanted, View<std::uint8_t, 2> out) const {
    for (std::size_t i = 0; i < wanted.size(); ++i)
      std::ranges::copy(bytes[wanted[i]], out.row(i).begin());
  }
};

struct LinearTowers {  // signals times a matrix; captions as sums of word embeddings
  Matrix signal = Matrix::Random(16, 8), word = Matrix::Random(100, 8);
  Matrix encode_signals(const unlearn::PixelBatch& s) { return s.perturbed() * signal; }
  Matrix encode_texts(const unlearn::TokenBatch& t) {
    Matrix sums = Matrix::Zero(static_cast<Eigen::Index>(t.size()), 8);
    for (std::size_t r = 0; r < t.size(); ++r)
      for (const Token token : t.sequence(r)) sums.row(r) += word.row(token);
    return sums;
  }
  void signal_gradient(const unlearn::PixelBatch& s, auto& pullback, View<float, 2> out) {
    as_eigen(out) = pullback(encode_signals(s)) * signal.transpose();
  }
  void text_gradient(const unlearn::TokenBatch& t, auto& pullback, View<float, 3> out) {
    const Matrix gradient = pullback(encode_texts(t));
    for (std::size_t r = 0; r < t.size(); ++r) as_eigen(out[r]).rowwise() = gradient.row(r);
  }
  View<const float, 2> token_embeddings() { return word; }
  double logit_scale() { return 20; }
};

int main() {
  std::mt19937_64 rng(1);
  const Pairs pairs(rng);
  LinearTowers model;
  auto mem = unlearn::mem();
  mem.placement = {.start_tokens = 0, .end_tokens = 0};  // captions are words alone
  mem.surrogate_steps = 0;  // this model does not learn; give it a train_step if yours does
  mem.rounds = 5;
  auto state = unlearn::fresh_state(pairs, std::vector<Token>{1, 2, 3});  // the triggers begin here
  const auto result = mem.minimize(model, pairs, state, rng);
  const auto trigger = state.triggers[0];  // of pair 0
  std::printf("loss %.3f after %u rounds; the first byte changes by %d, the trigger is %d %d %d\n",
              result.loss.value(), result.rounds, state.noise.view()[0][0], trigger[0], trigger[1],
              trigger[2]);
}
// [/program]
