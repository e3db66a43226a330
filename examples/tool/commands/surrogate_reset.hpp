// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "unlearn/mem/events.hpp"

namespace unlearn::tool {

/// An observer that replaces the surrogate by one with other initial weights after every so many
/// rounds: the expectation over f of Eq. 4, one draw after another. Noise and triggers are kept.
class SurrogateReset {
 public:
  /// @param rounds how many rounds a surrogate lasts; 0 for all of them
  /// @param renew  renew(number) puts surrogate `number` in place; the first one has number 0
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
