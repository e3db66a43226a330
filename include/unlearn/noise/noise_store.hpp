// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// What noise is stored as: whole levels of the pixel lattice, or single precision.
template <class N>
concept NoiseValue = std::same_as<N, std::int8_t> || std::same_as<N, float>;

/// Holds the noises δ_g of all groups g while a run improves them batch by batch.
///
/// Requirements, for a store `s`:
///  1. `value_type` is std::int8_t (pixel grid) or float.
///  2. `s.groups()` noises of `s.elements()` numbers each; both never change.
///  3. `s.load(groups, out)` writes the noise of groups[i] to row i of `out` [n, elements].
///  4. `s.store(groups, noise)` takes row i of `noise` [n, elements] as the noise of groups[i].
///     From then on `load` returns it. Where a group is named twice, the later row counts.
///  5. Both throw InvalidArgument, and change nothing, for a group or a shape that does not fit.
///
/// Optional: `s.prefetch(groups)` says that `load(groups, ...)` is probably the next call of its
/// kind. It changes no answer.
template <class S>
concept NoiseStore =
    NoiseValue<typename S::value_type> &&
    requires(const S& loads, S& stores, std::span<const Index> groups,
             View<typename S::value_type, 2> out, View<const typename S::value_type, 2> noise) {
      { loads.groups() } -> std::convertible_to<std::size_t>;
      { loads.elements() } -> std::convertible_to<std::size_t>;
      loads.load(groups, out);
      stores.store(groups, noise);
    };

/// A noise store over a file that changes at checkpoints only: what `store` takes in between is
/// pending in memory, and at a checkpoint goes through a journal first (a redo log).
///
/// Requirements, for a store `s`, beyond NoiseStore:
///  1. After `s.hold()`, only `s.flush()` changes the file.
///  2. `s.pending_bytes()` is the memory that pending noise takes; 0 if and only if there is none.
///  3. `s.write_journal(path)` writes the pending noise to a file of its own, durably, and returns
///     a checksum of it.
///  4. `s.read_journal(path)` holds (see 1), replaces the pending noise by that in the file, and
///     returns the same checksum. It throws FileError, and changes nothing, when the file is not a
///     complete journal of a store of this shape.
///  5. `s.discard_pending()` goes back to what is in the file.
///  6. `s.flush()` moves the pending noise to the file, durably. If it is killed on the way and
///     repeated from the journal, the result is the same.
template <class S>
concept JournaledNoiseStore =
    NoiseStore<S> && requires(S& s, const S& reads, const std::string& path) {
      s.hold();
      { reads.pending_bytes() } -> std::convertible_to<std::size_t>;
      { reads.write_journal(path) } -> std::same_as<std::uint64_t>;
      { s.read_journal(path) } -> std::same_as<std::uint64_t>;
      s.discard_pending();
      s.flush();
    };

/// A noise store in a device's memory, to which its views refer, over a store in the host's memory.
///
/// Requirements, for a store `s`, beyond NoiseStore:
///  1. `s.host()` is a NoiseStore of the same number type and the same shape. It may lack the
///     latest noise that `store` took.
///  2. `s.write_back()` copies all such noise to the host's store; `host()` then has it.
///  3. `s.dirty_bytes()` is the memory of the noise that the host's store lacks; 0 if and only if
///     there is none.
///  4. `s.reload()` takes the noise of `host()`, and drops what was not written back.
template <class S>
concept HostBackedNoiseStore = NoiseStore<S> && requires(S& s, const S& reads) {
  requires NoiseStore<std::remove_cvref_t<decltype(s.host())>>;
  requires std::same_as<typename std::remove_cvref_t<decltype(s.host())>::value_type,
                        typename S::value_type>;
  { reads.host() } -> std::same_as<const std::remove_cvref_t<decltype(s.host())>&>;
  s.write_back();
  { reads.dirty_bytes() } -> std::convertible_to<std::size_t>;
  s.reload();
};

namespace detail {

/// The store in the host's memory: `noise` itself, or what it writes back to.
template <class Store>
[[nodiscard]] auto& host_store(Store& noise) {
  if constexpr (HostBackedNoiseStore<std::remove_const_t<Store>>) {
    return noise.host();
  } else {
    return noise;
  }
}

/// Whether noise that is stored reaches a file at checkpoints only.
template <class Store>
inline constexpr bool is_journaled =
    JournaledNoiseStore<std::remove_cvref_t<decltype(host_store(std::declval<Store&>()))>>;

template <class Store>
void write_back(Store& noise) {
  if constexpr (HostBackedNoiseStore<Store>) noise.write_back();
}

}  // namespace detail

/// @throws InvalidArgument unless every group is of `store` and `rows` is [groups, elements].
template <class Store, class T>
void require_noise_rows(const Store& store, std::span<const Index> groups, View<T, 2> rows) {
  require_size("rows of noise", groups.size(), rows.extent(0));
  require_size("elements of a noise", store.elements(), rows.extent(1));
  for (const Index group : groups) {
    require(group < store.groups(), "noise group", "less than " + std::to_string(store.groups()),
            group);
  }
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
