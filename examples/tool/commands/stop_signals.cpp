// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/stop_signals.hpp"

namespace unlearn::tool {
namespace {

volatile std::sig_atomic_t signalled = 0;

extern "C" void note_signal(int /*signal*/) { signalled = 1; }

}  // namespace

StopSignals::StopSignals() {
  signalled = 0;
  struct sigaction action{};
  action.sa_handler = note_signal;  // NOLINT(*-union-access): as POSIX has it
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_before_);
  sigaction(SIGTERM, &action, &terminate_before_);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &interrupt_before_, nullptr);
  sigaction(SIGTERM, &terminate_before_, nullptr);
}

Flow StopSignals::operator()(const BatchEnd& /*event*/) const {
  return signalled != 0 ? Flow::stop : Flow::proceed;
}

}  // namespace unlearn::tool
