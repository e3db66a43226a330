// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn_bench {

using unlearn::Index, unlearn::Token, unlearn::View;

/// Random pairs: images of coarse colour patches, and captions of 8 to 18 tokens.
class DrawnPairs {
 public:
  using sample_type = std::uint8_t;

  DrawnPairs(std::size_t rows, std::size_t side, std::uint64_t seed)
      : rows_(rows), elements_(side * side * 3), pixels_(rows * elements_) {
    unlearn::SplitMix64 rng(seed);
    const auto below = [&](std::size_t bound) { return unlearn::uniform_below(bound, rng); };
    for (std::size_t r = 0; r < rows; ++r) {
      std::vector<std::size_t> patches(8 * 8 * 3);
      for (std::size_t& patch : patches) patch = below(200);
      for (std::size_t i = 0; i < elements_; ++i) {
        const std::size_t y = i / 3 / side * 8 / side;
        const std::size_t x = i / 3 % side * 8 / side;
        pixels_[r * elements_ + i] =
            static_cast<std::uint8_t>(patches[(y * 8 + x) * 3 + i % 3] + below(50));
      }
      std::vector<Token>& caption = captions_.emplace_back(10 + below(11));
      for (Token& token : caption) token = static_cast<Token>(256 + below(40'000));
      caption.front() = 49'406;
      caption.back() = 49'407;
    }
  }

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t signals() const { return rows_; }
  [[nodiscard]] std::size_t elements() const { return elements_; }
  [[nodiscard]] Index signal_of(Index row) const { return row; }
  [[nodiscard]] std::span<const Token> caption(Index row) const { return captions_[row]; }
  void load_signals(std::span<const Index> indices, View<std::uint8_t, 2> out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(view().row(indices[i]), out.row(i).begin());
    }
  }
  [[nodiscard]] View<const std::uint8_t, 2> view() const {
    return {pixels_.data(), {rows_, elements_}};
  }

 private:
  std::size_t rows_;
  std::size_t elements_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::vector<Token>> captions_;
};

}  // namespace unlearn_bench
