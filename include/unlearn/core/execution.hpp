// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>
#include <thread>
#include <type_traits>

#include "unlearn/core/executor.hpp"

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

  /// @returns `threads`, or the number of cores where that is 0; at least 1.
  [[nodiscard]] unsigned thread_count() const {
    return threads > 0 ? threads : std::max(1U, std::thread::hardware_concurrency());
  }
};

inline constexpr Sequential sequential{};
inline constexpr Parallel parallel{};

/// A policy that runs an algorithm's fast form on several threads of the host: Parallel, or what
/// on() returns for an executor of your own.
template <class P>
concept ThreadedPolicy = std::same_as<std::remove_cvref_t<P>, Parallel> ||
                         detail::is_on_executor<std::remove_cvref_t<P>>;

/// A policy that runs on the processor, in the host's memory: each algorithm has the loops for it.
template <class P>
concept HostPolicy = std::same_as<std::remove_cvref_t<P>, Sequential> || ThreadedPolicy<P>;

/// Who can read what a policy's views refer to.
enum class MemorySpace {
  host,    ///< the calling thread
  device,  ///< the backend alone; the host reads and writes copies
};

/// A type that says it is a backend, by a static constexpr member `memory` of type MemorySpace.
/// What it must do is in the concept Backend, in unlearn/core/backend.hpp.
template <class P>
concept BackendPolicy = requires {
  requires std::same_as<std::remove_cv_t<decltype(std::remove_cvref_t<P>::memory)>, MemorySpace>;
};

/// How and where an algorithm runs: Sequential, Parallel, an executor by on(), or a backend.
template <class P>
concept ExecutionPolicy = HostPolicy<P> || BackendPolicy<P>;

/// A backend whose memory the host cannot read, such as unlearn::cuda::Device.
template <class P>
concept DevicePolicy = BackendPolicy<P> && std::remove_cvref_t<P>::memory == MemorySpace::device;

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
