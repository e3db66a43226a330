// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>

namespace unlearn {
namespace detail {

/// Stands for the work that the library gives an executor.
struct AnyTask {
  void operator()(std::size_t /*task*/) const {}
};

}  // namespace detail

/// A program's own threads, such as a pool, that do the library's work in place of new ones.
///
/// Requirements, for an executor `e`:
///  1. `e.size()` is how many tasks can run at once. With 0, everything runs on the calling thread.
///  2. `e.for_each(n, task)` calls `task(i)` once for each i in [0, n), in any order and on any
///     threads, the calling one included. It returns, or throws, only when all calls that began
///     have returned and no other one will begin. What they wrote is then visible to the caller.
///  3. `task` can be copied, and may be called through any number of copies at once. It throws
///     nothing: the library carries exceptions to its caller itself.
///  4. n is at least 2 and at most what `e.size()` was when `e` was given to on(). A task calls no
///     executor.
template <class E>
concept Executor = requires(E& e, std::size_t n, const detail::AnyTask& task) {
  { e.size() } -> std::convertible_to<std::size_t>;
  e.for_each(n, task);
};

/// The execution policy that runs an algorithm's fast form on an executor: see on().
///
/// Results are those of Parallel, to the last bit.
template <Executor E>
struct OnExecutor {
  E* executor;       ///< must outlive the policy
  unsigned threads;  ///< how many pieces the work is cut into at most; at least 1

  /// @returns `threads`
  [[nodiscard]] unsigned thread_count() const { return threads; }
};

/// A policy that runs work on `executor` instead of on threads of the library's own:
///
///     minimizer.minimize(unlearn::on(pool), model, pairs, state, rng);
///
/// @param executor must outlive the policy. Its size is asked for here, once.
/// @returns an ExecutionPolicy
template <Executor E>
[[nodiscard]] OnExecutor<E> on(E& executor) {
  const auto size = static_cast<std::size_t>(executor.size());
  constexpr std::size_t most = 65536;  // more than any machine has
  return {.executor = std::addressof(executor),
          .threads = static_cast<unsigned>(std::clamp<std::size_t>(size, 1, most))};
}

namespace detail {

template <class P>
inline constexpr bool is_on_executor = false;
template <class E>
inline constexpr bool is_on_executor<OnExecutor<E>> = true;

}  // namespace detail
}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
