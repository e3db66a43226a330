// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/mem/detail/host_row.hpp"

namespace unlearn::detail {

/// Checks that a gradient function of a model does its part: that it calls the pullback once, each
/// time, and that it writes the whole gradient, the first time.
///
/// Before the first call, `out` is filled with a number near 1.2e38. Adding a gradient to it does
/// not change its bits, so a function that adds to `out` is found out, too.
class GradientCheck {
 public:
  /// @param function the name of the model's function; has static storage
  explicit GradientCheck(std::string_view function) : function_(function) {}

  /// Call it before the model's function.
  /// @param policy `out` is in its memory
  /// @param out    the gradient to be written, one row for each signal or text
  template <ExecutionPolicy P>
  void before(const P& policy, View<float, 2> out) const {
    if (!written_) backend_of(policy).fill(std::bit_cast<float>(unwritten), out.size(), out.data());
  }

  /// Call it after the model's function.
  /// @param policy, out those of before()
  /// @param calls       how often the pullback was called
  /// @throws InvalidArgument when the function did not do its part
  template <ExecutionPolicy P>
  void after(const P& policy, View<const float, 2> out, std::size_t calls) {
    if (calls != 1) [[unlikely]] {
      throw InvalidArgument(expectation("calls of the pullback by the model's " + name(),
                                        "1, between the forward and the backward pass", calls));
    }
    if (written_) return;
    HostRow<float> host;
    for (std::size_t r = 0; r < out.extent(0); ++r) {
      const std::span<const float> row = host.of(policy, out, r);
      const auto gap = std::ranges::find(row, unwritten, [](const float& element) {
        return std::bit_cast<std::uint32_t>(element);
      });
      if (gap == row.end()) continue;
      throw InvalidArgument(expectation(
          "gradient from the model's " + name(),
          "a value assigned to every element of `out` (0 where the input has no effect)",
          "element " + in_words(gap - row.begin()) + " of row " + in_words(r) +
              " left out, or added to"));
    }
    written_ = true;
  }

 private:
  static constexpr std::uint32_t unwritten = 0x7EB5'A5A7;

  [[nodiscard]] std::string name() const { return std::string(function_); }

  std::string_view function_;
  bool written_ = false;
};

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
