// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "unlearn/io/number_text.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/observers/terminal_line.hpp"

namespace unlearn {

/// When a progress bar is drawn.
enum class ShowProgress : std::uint8_t {
  automatic,  ///< only if the stream is a terminal
  always,     ///< on any stream
  never       ///< not at all
};

/// Where and when a progress bar is drawn.
struct ProgressBarOptions {
  std::FILE* stream = stderr;                   ///< must stay open as long as the bar exists
  ShowProgress when = ShowProgress::automatic;  ///< on terminals only, unless told otherwise
};

/// An observer that shows the progress of a run on one line, at most ten times a second:
///
///     round 2/20 noise [=========>          ] 230/512  loss 0.3125  34.5/s  ETA 0:08, run 1:02:31
///
/// The rate is in batches per second of the current stage. The first ETA is the time left for that
/// stage. The second is the time left for the run, if all other rounds take as long as the last
/// one; it appears after a whole round. The line is never wider than the terminal. Its last state
/// stays on the screen.
/// @tparam Clock a steady clock
template <class Clock = std::chrono::steady_clock>
class ProgressBar {
 public:
  /// Nothing is drawn before the run.
  /// @param options where and when to draw
  explicit ProgressBar(const ProgressBarOptions& options)
      : line_(options.stream),
        shown_(options.when == ShowProgress::always ||
               (options.when == ShowProgress::automatic && is_terminal(options.stream))) {}

  /// Starts the clocks.
  void operator()(const RunBegin& event) {
    run_begin_ = round_begin_ = last_event_ = next_draw_ = Clock::now();
    // A run that is resumed within a round sees only the rest of that round.
    whole_round_ = event.first_round == 0;
    complete_rounds_ = event.first_round;
    rounds_ = event.rounds;
    loss_ = std::nullopt;
    last_round_ = 0;
    next_batch_ = 0;
  }

  /// Draws the line again, unless it was drawn less than 0.1 s ago.
  void operator()(const BatchEnd& event) {
    if (!shown_) return;
    const auto now = Clock::now();
    if (event.batch == 0 || event.batch != next_batch_ || event.stage != stage_) {
      whole_round_ = whole_round_ && event.batch == 0;
      stage_ = event.stage;
      stage_begin_ = last_event_;
      seen_ = 0;
    }
    next_batch_ = event.batch + 1;
    last_event_ = now;
    ++seen_;
    if (now < next_draw_) return;
    next_draw_ = now + redraw_interval;
    line_.draw(text(event));
  }

  /// Notes the loss and the duration of the round.
  void operator()(const RoundEnd& event) {
    if (!shown_) return;
    const auto now = Clock::now();
    if (whole_round_) last_round_ = seconds(now - round_begin_);
    whole_round_ = true;
    round_begin_ = now;
    complete_rounds_ = event.losses.round + 1;
    loss_ = event.losses.last();
  }

  /// Draws the last line, which stays on the screen.
  void operator()(const RunEnd& event) {
    if (!shown_) return;
    line_.draw(number_text(complete_rounds_) + "/" + number_text(rounds_) + " rounds  loss " +
               (loss_ ? rounded_text(*loss_, loss_digits) : std::string("-")) + "  " +
               std::string(to_string(event.stop)) + " after " +
               duration_text(seconds(Clock::now() - run_begin_)));
    line_.finish();
  }

 private:
  using Time = typename Clock::time_point;
  static constexpr auto redraw_interval = std::chrono::milliseconds(100);
  static constexpr int loss_digits = 4;
  static constexpr int rate_digits = 3;
  static constexpr std::size_t widest_bar = 30;
  static constexpr std::size_t narrowest_bar = 8;

  [[nodiscard]] static double seconds(typename Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  }

  [[nodiscard]] std::string text(const BatchEnd& event) const {
    const std::size_t done = event.batch + 1;
    const std::string head = "round " + number_text(event.round + 1) + "/" +
                             number_text(event.rounds) + " " + std::string(event.stage) + " ";
    const std::string tail = number_text(done) + "/" + number_text(event.batches) + "  loss " +
                             rounded_text(event.loss, loss_digits) + pace_text(event);
    const std::size_t used = head.size() + tail.size() + 3;
    const std::size_t room = line_.width() > used ? line_.width() - used : 0;
    if (room < narrowest_bar) return head + tail;
    return head + bar(std::min(room, widest_bar), done, event.batches) + " " + tail;
  }

  [[nodiscard]] static std::string bar(std::size_t width, std::size_t done, std::size_t all) {
    const auto filled = static_cast<std::size_t>(
        static_cast<double>(width) * static_cast<double>(done) / static_cast<double>(all));
    std::string bar(filled, '=');
    if (filled < width) bar += '>';
    bar.resize(width, ' ');
    return "[" + bar + "]";
  }

  /// The rate and the time left. Empty before any time has passed.
  [[nodiscard]] std::string pace_text(const BatchEnd& event) const {
    const double in_stage = seconds(last_event_ - stage_begin_);
    if (in_stage <= 0) return {};
    const double rate = static_cast<double>(seen_) / in_stage;
    const double stage_left = static_cast<double>(event.batches - event.batch - 1) / rate;
    std::string text =
        "  " + rounded_text(rate, rate_digits) + "/s  ETA " + duration_text(stage_left);
    if (last_round_ > 0) {
      const auto rounds_left = static_cast<double>(event.rounds - event.round);
      const double run_left = last_round_ * rounds_left - seconds(last_event_ - round_begin_);
      text += ", run " + duration_text(std::max(run_left, stage_left));
    }
    return text;
  }

  TerminalLine line_;
  bool shown_;
  Time run_begin_{};
  Time round_begin_{};
  Time stage_begin_{};
  Time last_event_{};
  Time next_draw_{};
  double last_round_ = 0;       ///< seconds of the last round; 0 if this run has not seen all of it
  std::size_t next_batch_ = 0;  ///< the next batch of the current stage
  std::string_view stage_{};
  std::size_t seen_ = 0;  ///< batches of the current stage that this run has seen
  bool whole_round_ = false;
  std::uint32_t complete_rounds_ = 0;
  std::uint32_t rounds_ = 0;
  std::optional<double> loss_{};  ///< the loss of the last complete round
};

/// An observer that draws a progress bar: see ProgressBar. By default it draws on stderr, and only
/// if that is a terminal.
/// @param options where and when to draw
[[nodiscard]] inline ProgressBar<> progress_bar(const ProgressBarOptions& options = {}) {
  return ProgressBar<>(options);
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
