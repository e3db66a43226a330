// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace unlearn {

/// The batch of a stage that is due.
struct StageBatch {
  std::uint32_t round = 0;  ///< counted from 0
  std::size_t batch = 0;    ///< counted from 0
  std::size_t batches = 1;  ///< how many the stage has in this round
};

/// One level of a run, such as the surrogate's steps, the trigger search or the noise descent. A
/// run is a list of stages, which run one after the other in each round: see run_stages().
///
/// Requirements, for a stage `s`, a round number `r`, a StageBatch `at` and the run's generator
/// `rng`:
///  1. `S::name` is a word that no other stage of the run has, in static storage. It names the
///     stage in events, traces and checkpoints.
///  2. `s.batches(r)` is how many batches the stage has in round r; with 0 the round leaves it out.
///     It depends on r alone.
///  3. `s.run(at, rng)` does batch `at.batch` and returns its loss. It returns nothing when the
///     loss or a gradient is not finite; noise, triggers and progress are then as before the call.
///  4. When `run` throws, noise and triggers are as before the call.
///  5. What a stage needs to continue from a checkpoint between two batches is in the part of the
///     progress that it is given, or follows from the round and the batch.
///  6. Optional: `s.finish()` is called once after the run's last batch.
template <class S, class Rng>
concept RunStage =
    requires(S& stage, const S& asked, std::uint32_t round, const StageBatch& at, Rng& rng) {
      { S::name } -> std::convertible_to<std::string_view>;
      { asked.batches(round) } -> std::convertible_to<std::size_t>;
      { stage.run(at, rng) } -> std::same_as<std::optional<double>>;
    };

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
