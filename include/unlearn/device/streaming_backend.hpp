// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// A copy between the host's memory and a backend's that goes on beside the backend's calls, one at
/// a time.
///
/// Requirements, for a lane `l`:
///  1. `l.begin(from, bytes, to)` begins a copy, once the backend has come to the last
///     `l.release()`.
///  2. `l.join()`: what the backend is asked to do from now on waits for that copy.
///  3. `l.release()`: the backend's side of the lane is free once the backend has come to here.
///  4. `l.settle()` returns when the last copy is done, so the host's side is free.
///  5. A lane that ends its life waits for its copy.
template <class L>
concept CopyLane = requires(L& lane, const void* from, std::size_t bytes, void* to) {
  lane.begin(from, bytes, to);
  lane.join();
  lane.release();
  lane.settle();
};

namespace detail {

/// Room for numbers that lasts: what requirement 1 returns.
template <class R, class T>
concept LastingRoom = requires(R& room, const R& kept, std::size_t count) {
  { room.reserve(count) } -> std::convertible_to<bool>;
  { kept.data() } -> std::same_as<T*>;
};

/// What requirement 2 returns.
template <class R, class T>
concept HostRoom = requires(R& room, std::size_t count) {
  room.reserve(count);
  { room.data() } -> std::same_as<T*>;
};

/// What a StreamingBackend does with numbers of type T: requirements 1, 2 and 4.
template <class B, class T>
concept StreamsNumbers =
    requires(const B& backend, View<const T, 2> rows, View<const Index, 1> indices, View<T, 2> to) {
      { backend.template buffer<T>() } -> LastingRoom<T>;
      { backend.template host_array<T>() } -> HostRoom<T>;
      backend.scatter_rows(rows, indices, to);
    };

}  // namespace detail

/// A Backend that moves rows between the host's memory and its own while it works: what
/// DevicePairSource and DeviceNoiseStore need.
///
/// Requirements, for a backend `b`:
///  1. `b.buffer<T>()` returns an object without memory, in which `reserve(count)` makes room for
///     `count` numbers of the backend's memory, if there is less. It returns whether there was
///     less; what was there is lost then. `data()` is the room, which lasts as long as the object.
///  2. `b.host_array<T>()` returns the same for the host's memory, from which and to which lanes
///     copy. What its `reserve` returns is not looked at.
///  3. `b.copy_lane()` returns a CopyLane of its own.
///  4. `b.scatter_rows(from, indices, to)`: to[indices[i]] ← from[i], row by row; no index twice.
///     All of them are in its memory.
///  5. `b.wait()` returns when the backend has come to here.
///  6. `b.free_bytes()` is how much of its memory nobody uses.
///
/// 1, 2 and 4 are asked of the types std::int8_t, std::uint8_t and float.
template <class B>
concept StreamingBackend = Backend<B> && detail::StreamsNumbers<B, std::int8_t> &&
                           detail::StreamsNumbers<B, std::uint8_t> &&
                           detail::StreamsNumbers<B, float> && requires(const B& backend) {
                             { backend.copy_lane() } -> CopyLane;
                             backend.wait();
                             { backend.free_bytes() } -> std::convertible_to<std::size_t>;
                           };

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
