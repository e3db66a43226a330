// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// A token's id: its row in the model's embedding table.
using Token = std::int32_t;

/// The number of a pair, signal or group, counted from 0.
using Index = std::uint32_t;

/// Checks a number of pairs, signals or groups, before memory is taken for them.
/// @param thing what is counted
/// @throws InvalidArgument when there are more than an Index can number: 2^32 − 1
inline void require_numbered(std::string_view thing, std::size_t count) {
  constexpr std::size_t most = std::numeric_limits<Index>::max();
  require(count <= most, thing,
          "at most 2^32 - 1 = " + detail::in_words(most) + " (split the data set)", count);
}

/// B perturbed signals I + δ (images, audio) as a model gets them: clean signals and their noise.
///
/// On the pixel grid, `Sample` is uint8 and `Noise` is int8: a signal stays in bytes, and its value
/// is (clean + noise) / 255. Otherwise both are float or double, and the value is clean + noise. A
/// noise view without rows means no noise.
template <class Sample, class Noise>
struct SignalBatch {
  View<const Sample, 2> clean;  ///< [B, elements]
  View<const Noise, 2> noise;   ///< [B, elements], or empty for clean signals

  /// One unit of the stored numbers in the signal's own units: 1/255 on the pixel grid, else 1.
  static constexpr double unit = std::is_integral_v<Sample> ? 1.0 / 255 : 1.0;

  /// B.
  [[nodiscard]] std::size_t size() const { return clean.extent(0); }
  /// How many numbers one signal has.
  [[nodiscard]] std::size_t elements() const { return clean.extent(1); }

  /// The perturbed signals I + δ, in the signal's own units, as a [B, elements] float matrix.
  [[nodiscard]] Matrix perturbed() const {
    Matrix signals(static_cast<Eigen::Index>(clean.extent(0)),
                   static_cast<Eigen::Index>(clean.extent(1)));
    constexpr float levels = std::is_integral_v<Sample> ? 255.0F : 1.0F;
    for (std::size_t i = 0; i < clean.size(); ++i) {
      const float delta = noise.empty() ? 0.0F : static_cast<float>(noise.data()[i]);
      signals.data()[i] = (static_cast<float>(clean.data()[i]) + delta) / levels;
    }
    return signals;
  }
};

/// Signals on the pixel grid.
using PixelBatch = SignalBatch<std::uint8_t, std::int8_t>;
/// Signals in single precision.
using FloatBatch = SignalBatch<float, float>;

/// R token sequences T ⊕ t as a text encoder gets them: each a caption with its trigger in it.
struct TokenBatch {
  View<const Token, 2> tokens;                      ///< [R, L]; row r is padded from lengths[r] on
  std::span<const std::int32_t> lengths;            ///< [R]; they count start and end token
  View<const std::int32_t, 2> trigger_positions{};  ///< [R, n]; places of the trigger tokens

  /// R.
  [[nodiscard]] std::size_t size() const { return tokens.extent(0); }
  /// n, the tokens of each trigger.
  [[nodiscard]] std::size_t trigger_length() const { return trigger_positions.extent(1); }

  /// The tokens of sequence `row`, without padding.
  [[nodiscard]] std::span<const Token> sequence(std::size_t row) const {
    return tokens.row(row).first(static_cast<std::size_t>(lengths[row]));
  }
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
