// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <locale>
#include <numeric>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unlearn/checkpoint/detail/manifest.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/io/checksum.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/noise/noise_store.hpp"

namespace unlearn::detail {

/// Whether a run changes noise and triggers: its state is a RunState, not a TrainingState.
template <class State>
inline constexpr bool has_noise = requires(State& state) { state.noise; };

/// Whether the noise is written to its file at checkpoints only.
template <class State>
inline constexpr bool journals_noise = false;
template <class Store>
inline constexpr bool journals_noise<RunState<Store>> = is_journaled<Store>;

/// How a checkpoint keeps the noise: as a journal of the changes, for a store that has a file of
/// its own, or all of it.
inline constexpr std::string_view journal_storage = "journal";
inline constexpr std::string_view whole_storage = "whole";

/// The checksum of the groups of all rows.
[[nodiscard]] inline std::uint64_t scope_checksum(const GroupMap& scope) {
  std::vector<Index> groups(scope.rows());
  for (std::size_t row = 0; row < groups.size(); ++row) groups[row] = scope.of(row);
  return checksum_of(std::as_bytes(std::span(groups)));
}

/// The shape of a run that changes noise and triggers.
template <class Store>
[[nodiscard]] RunShape shape_of(const RunState<Store>& state) {
  return {.noise_dtype = std::string(npy_dtype<typename Store::value_type>),
          .noise_storage = std::string(is_journaled<Store> ? journal_storage : whole_storage),
          .noise_groups = state.noise.groups(),
          .noise_elements = state.noise.elements(),
          .trigger_groups = state.triggers.groups(),
          .trigger_length = state.triggers.length(),
          .rows = state.scope.triggers.rows(),
          .noise_scope = scope_checksum(state.scope.noise),
          .trigger_scope = scope_checksum(state.scope.triggers)};
}

/// The shape of a run that only trains: it has neither noise nor triggers.
[[nodiscard]] inline RunShape shape_of(const TrainingState& /*state*/) {
  return {.noise_dtype = "none", .noise_storage = "none"};
}

/// Checks that a run can resume from a checkpoint.
/// @param path  the checkpoint's state file, for messages
/// @param run   the shape of the run's state
/// @param saved the shape in the checkpoint
/// @throws FileError unless both are equal
inline void require_same_shape(const std::string& path, const RunShape& run,
                               const RunShape& saved) {
  const auto same = [&](std::string_view what, const auto& expected, const auto& got) {
    require_in_file(got == expected, path, what, expected, got);
  };
  same("dtype of the noise", run.noise_dtype, saved.noise_dtype);
  same("storage of the noise", run.noise_storage, saved.noise_storage);
  same("noise groups", run.noise_groups, saved.noise_groups);
  same("elements of a noise", run.noise_elements, saved.noise_elements);
  same("trigger groups", run.trigger_groups, saved.trigger_groups);
  same("length of a trigger", run.trigger_length, saved.trigger_length);
  same("rows", run.rows, saved.rows);
  same("checksum of the noise scope", hex_text(run.noise_scope), hex_text(saved.noise_scope));
  same("checksum of the trigger scope", hex_text(run.trigger_scope), hex_text(saved.trigger_scope));
}

/// The generator in its own format, by its `save` or its operator<<. The classic locale keeps
/// digits from being grouped.
template <class Rng>
[[nodiscard]] std::string generator_text(const Rng& rng) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  if constexpr (requires { rng.save(out); }) {
    rng.save(out);
  } else {
    out << rng;
  }
  return std::move(out).str();
}

/// Reads a generator that generator_text() wrote.
/// @param path the checkpoint's state file, for messages
/// @param like a generator of the type to read
/// @param text the generator
/// @throws FileError when a generator of this type did not write `text`, or text follows
template <class Rng>
[[nodiscard]] Rng read_generator(const std::string& path, const Rng& like,
                                 const std::string& text) {
  Rng rng = like;
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  if constexpr (requires { rng.load(in); }) {
    rng.load(in);
  } else {
    in >> rng;
  }
  const bool whole = !in.fail() && in.peek() == std::istream::traits_type::eof();
  require_in_file(whole, path, "generator", "the state of this run's type of generator",
                  number_text(text.size()) + " bytes of another one");
  return rng;
}

/// Calls put(bytes) with the noise of each of these groups, in order.
template <NoiseStore Store, class Put>
void put_noise(const Store& noise, std::span<const Index> groups, const Put& put) {
  using N = typename Store::value_type;
  std::vector<N> row(noise.elements());
  for (const Index group : groups) {
    noise.load(std::span(&group, 1), View<N, 2>(row, {1, row.size()}));
    put(std::as_bytes(std::span(row)));
  }
}

/// Produces the .npy file [groups, elements] of a store's noise: calls put(bytes) for each piece,
/// in order.
template <NoiseStore Store, class Put>
void put_noise_npy(const Store& noise, const Put& put) {
  using N = typename Store::value_type;
  const std::string header = npy_header<N>(noise.groups(), noise.elements());
  put(std::as_bytes(std::span(header)));
  std::vector<Index> all(noise.groups());
  std::iota(all.begin(), all.end(), Index{0});
  put_noise(noise, all, put);
}

/// A checksum of the noise of at most 64 groups. It tells a store from another of the same shape.
template <NoiseStore Store>
[[nodiscard]] std::uint64_t probe_of(const Store& noise) {
  std::vector<Index> some(std::min<std::size_t>(noise.groups(), 64));
  for (std::size_t i = 0; i < some.size(); ++i) {
    some[i] = static_cast<Index>(i * noise.groups() / some.size());
  }
  Checksum checksum;
  put_noise(noise, some, [&](std::span<const std::byte> bytes) { checksum.update(bytes); });
  return checksum.value();
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
