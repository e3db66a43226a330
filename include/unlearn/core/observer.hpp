// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <type_traits>
#include <utility>

namespace unlearn {

/// What an observer answers to an event. An observer that returns void means `proceed`.
enum class Flow { proceed, stop };

namespace detail {

/// Whether `O` returns void or Flow for the event, or does not take it at all.
template <class O, class Event>
consteval bool answers() {
  if constexpr (std::invocable<O&, const Event&>) {
    using Answer = std::invoke_result_t<O&, const Event&>;
    return std::is_void_v<Answer> || std::same_as<Answer, Flow>;
  } else {
    return true;
  }
}

}  // namespace detail

/// A callable that takes at least one of `Events`. Each call operator that takes an event is a
/// hook.
///
/// Requirements, for an observer `o`:
///  1. `o(event)` is well formed for at least one of the events, given as a const reference.
///  2. It returns void, Flow::proceed or Flow::stop.
///
/// Hooks are chosen by the event's type, not by a name. So a misspelt hook cannot be overlooked: an
/// observer that takes none of the events does not compile.
template <class O, class... Events>
concept Observer =
    (std::invocable<O&, const Events&> || ...) && (detail::answers<O, Events>() && ...);

namespace detail {

template <class O, class Event>
Flow notify_one(O& observer, const Event& event) {
  if constexpr (!std::invocable<O&, const Event&>) {
    return Flow::proceed;
  } else if constexpr (std::is_void_v<std::invoke_result_t<O&, const Event&>>) {
    observer(event);
    return Flow::proceed;
  } else {
    return observer(event);
  }
}

/// Tells every observer, in order, even after one of them has asked to stop.
template <class Event, class... Observers>
Flow notify(const Event& event, Observers&... observers) {
  Flow flow = Flow::proceed;
  [[maybe_unused]] const auto tell = [&](auto& observer) {
    if (notify_one(observer, event) == Flow::stop) flow = Flow::stop;
  };
  (tell(observers), ...);
  return flow;
}

}  // namespace detail
}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
