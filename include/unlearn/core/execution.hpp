// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <thread>
#include <type_traits>

namespace unlearn {

/// Runs an algorithm's short reference form, in order, on the calling thread.
///
/// It is the oracle for every other policy: those must give the same bytes.
struct Sequential {};

/// Runs an algorithm's fast form on several threads.
///
/// Work is cut into blocks whose borders depend on the sizes alone, so the result is the same
/// for every number of threads.
struct Parallel {
  /// Number of threads; 0 means one for each core.
  unsigned threads = 0;

  /// `threads`, or the number of cores where that is 0; at least 1.
  [[nodiscard]] unsigned thread_count() const {
    return threads > 0 ? threads : std::max(1U, std::thread::hardware_concurrency());
  }
};

inline constexpr Sequential sequential{};
inline constexpr Parallel parallel{};

/// A policy that runs on the processor and works on memory that it can read.
template <class P>
concept HostPolicy = std::same_as<std::remove_cvref_t<P>, Sequential> ||
                     std::same_as<std::remove_cvref_t<P>, Parallel>;

/// True for the policies of a backend, which specialises it: their algorithms stand in a header of
/// that backend, and the views that go with them refer to the device's memory.
template <class P>
inline constexpr bool enable_device_policy = false;

/// A policy of a backend: unlearn::cuda::Device.
///
/// The algorithms that take one call, by argument-dependent lookup, functions that stand beside the
/// policy's class and end in `_on`: `project_on` and `sign_step_on` for a feasible set,
/// `all_finite_on`, `copy_on` and `scratch_on` for a descent, `rank_tokens_on` for HotFlip; for
/// MultiStepMinimizer those of a set and a descent, and `copy_in_on`, `gather_rows_on` and
/// `sum_rows_on`. An algorithm whose function
/// a backend lacks does not compile with its policies.
template <class P>
concept DevicePolicy = enable_device_policy<std::remove_cvref_t<P>>;

/// One of the library's execution policies.
template <class P>
concept ExecutionPolicy = HostPolicy<P> || DevicePolicy<P>;

}  // namespace unlearn
