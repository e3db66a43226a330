// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>

#include "unlearn/core/observer.hpp"
#include "unlearn/mem/events.hpp"

namespace unlearn::tool {

/// An observer that stops the run when the user does. While it exists, the first Ctrl-C (SIGINT) or
/// SIGTERM ends the run after the current batch, so that a checkpoint is written; the second one
/// ends the program. Only one may exist at a time.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  /// @returns Flow::stop once a signal has come
  [[nodiscard]] Flow operator()(const BatchEnd& event) const;

 private:
  struct sigaction interrupt_before_{};
  struct sigaction terminate_before_{};
};

/// What a command throws when its run was ended by a signal: the program then exits with 130.
struct Interrupted {};

}  // namespace unlearn::tool
