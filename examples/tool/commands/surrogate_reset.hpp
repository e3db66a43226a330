// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "unlearn/mem/events.hpp"

namespace unlearn::tool {

/// Where a surrogate has lasted its rounds, another begins, with other initial weights: the
/// expectation over f of Eq. 4, one draw after another. Noise and triggers go on.
class SurrogateReset {
 public:
  /// @param renew renew(number) gives the surrogate of that number the encoder's place; 0 is the
  /// first
  SurrogateReset(std::uint32_t rounds, std::function<void(std::uint32_t)> renew)
      : rounds_(rounds), renew_(std::move(renew)) {}

  void operator()(const RoundEnd& end) const {
    const std::uint32_t complete = end.losses.round + 1;
    if (rounds_ == 0 || complete == end.rounds || complete % rounds_ != 0) return;
    renew_(complete / rounds_);
  }

 private:
  std::uint32_t rounds_;
  std::function<void(std::uint32_t)> renew_;
};

}  // namespace unlearn::tool
