// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <locale>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/checkpoint/detail/contents.hpp"
#include "unlearn/checkpoint/detail/directory.hpp"
#include "unlearn/checkpoint/detail/manifest.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/checksum.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/file_mapping.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace unlearn {

/// A random generator that can be kept in a file.
///
/// Requirements, for a generator `g`:
///  1. It can be copied.
///  2. It is Checkpointable, or `out << g` and `in >> g` do what `save` and `load` would, as with
///     the standard's engines.
template <class G>
concept SavableGenerator =
    std::copyable<G> &&
    (Checkpointable<G> || requires(G& generator, std::ostream& out, std::istream& in) {
      out << generator;
      in >> generator;
    });

/// When checkpoints are written.
struct CheckpointOptions {
  /// The time between two checkpoints, in seconds; with 0, every safe point writes one.
  std::chrono::duration<double> every = std::chrono::seconds(30);
  /// A checkpoint is written earlier when more bytes than this of a JournaledNoiseStore's noise
  /// have not been written to its file. Noise that a HostBackedNoiseStore has not copied to the
  /// host yet is counted in.
  std::size_t pending_limit_bytes = std::size_t{32} << 20U;
};

/// An observer that saves a run's state, generator and model in a directory. A run that was killed
/// at any moment can resume from there. With a deterministic model, the results are the same bytes
/// as those of a run without interruption.
///
///     auto checkpoint = unlearn::checkpoint_to("run");
///     checkpoint.restore(state, rng, model);
///     mem.minimize(model, pairs, state, rng, checkpoint);
///
/// The directory contains these files, where n is the number of a checkpoint:
///  - `state`: text with the progress, the generator and the names of the other files. A checkpoint
///    becomes valid when its `state` replaces the old one, in one step. Until then the old
///    checkpoint is valid.
///  - `state-<n>.model`: written by the model's `save`; there is a new one only after optimiser
///    steps.
///  - `state-<n>.triggers.npy`: int32 [groups, length], and a copy for other programs under the
///    name `triggers.npy`.
///  - `state-<n>.journal`: the noise that a MappedNoiseStore has not written to its file yet; or,
///    for a store without a file, `state-<n>.noise.npy`: all of the noise, [groups, elements].
///
/// The checkpoint owns all files in the directory that are named `state` or `state-<number>...`. A
/// model that is not Checkpointable is not saved; that is an error only if it has been trained.
/// @tparam Clock a steady clock
template <class Clock = std::chrono::steady_clock>
class Checkpoint {
 public:
  /// Does nothing yet: files are read, written and locked only by restore() and by the run.
  /// @param directory made when the run begins, if there is none
  /// @param options   when checkpoints are written
  Checkpoint(std::string directory, const CheckpointOptions& options)
      : directory_(std::move(directory)), options_(options), last_write_(Clock::now()) {}

  /// Sets state, generator and model to what they were at the last checkpoint.
  ///
  /// @param state made as for a new run: the same noise store, shape of the triggers and scope
  /// @param rng   the run's generator
  /// @param model of the same type and size as the saved one
  /// @returns whether there is a checkpoint; if not, nothing has changed
  /// @throws FileError when a file of the checkpoint is missing, damaged, of another version or of
  ///         another run, or when another run is using the directory. State and generator are then
  ///         unchanged. So is the model, unless its own `load` has failed.
  template <class State, class Rng, class Model>
    requires SavableGenerator<Rng>
  bool restore(State& state, Rng& rng, Model& model);

  /// Makes and locks the directory.
  /// @throws FileError when the directory cannot be made, when another run is using it, or when it
  ///         has a checkpoint that was not restored and would be overwritten
  void operator()(const RunBegin& /*event*/) {
    take_directory();
    // After the same number of optimiser steps, another run can have another model.
    if (!std::exchange(restored_, false)) written_ = {};
    last_write_ = Clock::now();
  }

  /// Writes a checkpoint if one is due, and at the end of the run.
  /// @throws FileError when it cannot be written; the last one is then still valid
  /// @throws InvalidArgument when the model has been trained but is not Checkpointable
  template <class State, class Rng, class Model>
  void operator()(const SafePoint<State, Rng, Model>& safe) {
    take_directory();
    if constexpr (detail::journals_noise<State>) detail::host_store(safe.state.noise).hold();
    if (!safe.last && !is_due(safe.state)) return;
    write(safe.state, safe.rng, safe.model);
    last_write_ = Clock::now();
  }

 private:
  static constexpr std::string_view model_kind = "model";
  static constexpr std::string_view triggers_kind = "triggers.npy";
  static constexpr std::string_view journal_kind = "journal";
  static constexpr std::string_view noise_kind = "noise.npy";

  void take_directory() {
    if (ours_) return;
    directory_.lock();
    if (directory_.has_state()) {
      throw FileError(expectation("checkpoint directory '" + directory_.path() + "'",
                                  "one without a checkpoint, or restore() before the run",
                                  "a checkpoint that would be overwritten"));
    }
    ours_ = true;
  }

  template <class State>
  [[nodiscard]] bool is_due([[maybe_unused]] const State& state) const {
    if (Clock::now() - last_write_ >= options_.every) return true;
    if constexpr (detail::journals_noise<State>) {
      std::size_t pending = detail::host_store(state.noise).pending_bytes();
      if constexpr (HostBackedNoiseStore<decltype(State::noise)>) {
        pending += state.noise.dirty_bytes();
      }
      return pending > options_.pending_limit_bytes;
    } else {
      return false;
    }
  }

  template <class State, class Rng, class Model>
  void write(State& state, const Rng& rng, Model& model);

  /// Writes the part of the noise: a journal of what its file does not have yet, or all of the
  /// noise, if it has changed.
  template <class Noise>
  void write_noise(Noise& noise, detail::CheckpointManifest& next) const;

  /// Writes triggers.npy, unless it has these triggers already.
  void export_triggers(const TriggerTable& triggers);

  /// Writes the part of the model, if there were optimiser steps since the last one.
  /// @returns the new part, or the last one
  template <class Model>
  detail::CheckpointPart write_model(Model& model, std::uint64_t steps) const;

  /// Writes a part, if it has changed since `last`.
  /// @param emit emit(put) calls put(bytes) for each piece of the part, in order
  /// @returns the new part, or `last`
  template <class Emit>
  detail::CheckpointPart write_part(std::string_view kind, const detail::CheckpointPart& last,
                                    const Emit& emit) const;

  template <class Model>
  void load_model(Model& model, const detail::CheckpointPart& part) const;

  /// Loads noise and model. The noise is unchanged when the model's `load` fails.
  template <class Noise, class Model>
  void load_noise_and_model(Noise& noise, Model& model,
                            const detail::CheckpointManifest& saved) const;

  /// Gives the store the noise that its file did not have at the checkpoint.
  template <class Noise>
  void read_journal(Noise& noise, const detail::CheckpointManifest& saved) const;

  /// Removes the files that the last checkpoint does not name.
  void remove_other_parts() const;

  detail::CheckpointDirectory directory_;
  CheckpointOptions options_;
  typename Clock::time_point last_write_;
  bool ours_ = false;             ///< the directory is locked, and any state in it is of this run
  bool restored_ = false;         ///< restore() was called, and no run has begun since
  std::uint64_t generation_ = 0;  ///< number of the last attempt to write a checkpoint
  detail::CheckpointManifest written_{};  ///< contents of the last complete checkpoint
  std::uint64_t exported_ = 0;            ///< generation of the triggers in triggers.npy
};

/// An observer that saves the run in `directory`: see Checkpoint.
/// @param directory made when the run begins, if there is none
/// @param options   when checkpoints are written
[[nodiscard]] inline Checkpoint<> checkpoint_to(std::string directory,
                                                const CheckpointOptions& options = {}) {
  return {std::move(directory), options};
}

template <class Clock>
template <class State, class Rng, class Model>
void Checkpoint<Clock>::write(State& state, const Rng& rng, Model& model) {
  static_assert(SavableGenerator<Rng>,
                "the generator is no unlearn::SavableGenerator: a checkpoint needs a copyable one "
                "with operator<< and operator>>, as standard engines have, or with save and load");
  ++generation_;
  detail::CheckpointManifest next{.generation = generation_,
                                  .shape = detail::shape_of(state),
                                  .progress = state.progress,
                                  .generator = detail::generator_text(rng)};
  next.model = write_model(model, state.progress.training.steps);
  if constexpr (detail::has_noise<State>) {
    detail::write_back(state.noise);
    next.triggers = write_part(triggers_kind, written_.triggers, [&](const auto& put) {
      put_npy(std::as_const(state.triggers).view(), put);
    });
    write_noise(detail::host_store(state.noise), next);
  }

  directory_.write_state(next);  // With this, the new checkpoint becomes valid.
  if constexpr (detail::journals_noise<State>) detail::host_store(state.noise).flush();
  written_ = std::move(next);
  remove_other_parts();
  if constexpr (detail::has_noise<State>) export_triggers(state.triggers);
}

template <class Clock>
template <class Noise>
void Checkpoint<Clock>::write_noise(Noise& noise, detail::CheckpointManifest& next) const {
  if constexpr (JournaledNoiseStore<Noise>) {
    next.noise = written_.noise;
    if (noise.pending_bytes() > 0) {
      const std::string path = directory_.part_path(journal_kind, generation_);
      next.noise = {.generation = generation_, .checksum = noise.write_journal(path)};
    }
    next.noise_probe = detail::probe_of(noise);
  } else {
    next.noise = write_part(noise_kind, written_.noise,
                            [&](const auto& put) { detail::put_noise_npy(noise, put); });
  }
}

template <class Clock>
void Checkpoint<Clock>::export_triggers(const TriggerTable& triggers) {
  if (exported_ == written_.triggers.generation) return;
  AtomicFile file(directory_.path() + "/triggers.npy");
  put_npy(triggers.view(), [&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
  exported_ = written_.triggers.generation;
}

template <class Clock>
template <class Model>
detail::CheckpointPart Checkpoint<Clock>::write_model(Model& model, std::uint64_t steps) const {
  if constexpr (Checkpointable<Model>) {
    if (written_.model.generation > 0 && written_.progress.training.steps == steps) {
      return written_.model;
    }
    const std::string path = directory_.part_path(model_kind, generation_);
    AtomicFile file(path);
    std::ostream out(&file);
    out.imbue(std::locale::classic());
    out.exceptions(std::ios::badbit);
    model.save(out);
    require_in_file(!out.fail(), path, "model", "its save to succeed", "a failed stream");
    const std::uint64_t checksum = file.checksum();
    file.commit();
    return {.generation = generation_, .checksum = checksum};
  } else {
    require(steps == 0, "optimiser steps of a model without save and load", 0, steps);
    return {};
  }
}

template <class Clock>
template <class Emit>
detail::CheckpointPart Checkpoint<Clock>::write_part(std::string_view kind,
                                                     const detail::CheckpointPart& last,
                                                     const Emit& emit) const {
  Checksum checksum;
  emit([&](std::span<const std::byte> bytes) { checksum.update(bytes); });
  if (last.generation > 0 && last.checksum == checksum.value()) return last;
  AtomicFile file(directory_.part_path(kind, generation_));
  emit([&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
  return {.generation = generation_, .checksum = checksum.value()};
}

template <class Clock>
void Checkpoint<Clock>::remove_other_parts() const {
  const auto name = [](std::string_view kind, const detail::CheckpointPart& part) {
    return detail::CheckpointDirectory::part_name(kind, part.generation);
  };
  const bool journaled = written_.shape.noise_storage == detail::journal_storage;
  const std::array kept{name(model_kind, written_.model), name(triggers_kind, written_.triggers),
                        name(journaled ? journal_kind : noise_kind, written_.noise)};
  directory_.remove_parts_except(kept);
}

template <class Clock>
template <class State, class Rng, class Model>
  requires SavableGenerator<Rng>
bool Checkpoint<Clock>::restore(State& state, Rng& rng, Model& model) {
  if constexpr (detail::journals_noise<State>) detail::host_store(state.noise).hold();
  if (!directory_.has_state()) return false;
  directory_.lock();

  detail::CheckpointManifest saved = directory_.read_state();
  const std::string path = directory_.state_path();
  detail::require_same_shape(path, detail::shape_of(state), saved.shape);
  require_in_file((saved.model.generation > 0) == Checkpointable<Model>, path, "model",
                  Checkpointable<Model> ? "a saved one" : "none, as this one has no load",
                  Checkpointable<Model> ? "none" : "a saved one");
  Rng restored_rng = detail::read_generator(path, rng, saved.generator);
  if constexpr (detail::has_noise<State>) {
    const auto triggers = directory_.template open_npy<Token>(
        triggers_kind, saved.triggers, {state.triggers.groups(), state.triggers.length()});
    load_noise_and_model(detail::host_store(state.noise), model, saved);
    if constexpr (HostBackedNoiseStore<decltype(State::noise)>) state.noise.reload();
    std::ranges::copy(triggers.view.flat(), state.triggers.view().flat().begin());
  } else {
    load_model(model, saved.model);
  }
  state.progress = saved.progress;
  rng = std::move(restored_rng);

  generation_ = saved.generation;
  written_ = std::move(saved);
  ours_ = restored_ = true;
  remove_other_parts();
  return true;
}

template <class Clock>
template <class Noise, class Model>
void Checkpoint<Clock>::load_noise_and_model(Noise& noise, Model& model,
                                             const detail::CheckpointManifest& saved) const {
  if constexpr (JournaledNoiseStore<Noise>) {
    try {
      read_journal(noise, saved);
      load_model(model, saved.model);
    } catch (...) {
      noise.discard_pending();
      throw;
    }
    noise.flush();
  } else {
    const auto rows = directory_.template open_npy<typename Noise::value_type>(
        noise_kind, saved.noise, {noise.groups(), noise.elements()});
    load_model(model, saved.model);
    for (Index group = 0; group < noise.groups(); ++group) {
      noise.store(std::span(&group, 1), rows.view.slice(group, 1));
    }
  }
}

template <class Clock>
template <class Model>
void Checkpoint<Clock>::load_model(Model& model, const detail::CheckpointPart& part) const {
  if constexpr (Checkpointable<Model>) {
    const FileMapping file = directory_.open_part(model_kind, part);
    MappedInput buffer(file);
    std::istream in(&buffer);
    in.imbue(std::locale::classic());
    model.load(in);
    require_in_file(!in.fail(), file.path(), "model", "its load to succeed", "a failed stream");
  }
}

template <class Clock>
template <class Noise>
void Checkpoint<Clock>::read_journal(Noise& noise, const detail::CheckpointManifest& saved) const {
  if (saved.noise.generation > 0) {
    const std::string path = directory_.part_path(journal_kind, saved.noise.generation);
    const std::uint64_t checksum = noise.read_journal(path);
    require_in_file(checksum == saved.noise.checksum, path, "checksum",
                    hex_text(saved.noise.checksum), hex_text(checksum));
  } else {
    noise.discard_pending();
  }
  const std::uint64_t probe = detail::probe_of(noise);
  require_in_file(probe == saved.noise_probe, directory_.state_path(),
                  "checksum of some of the noise", hex_text(saved.noise_probe),
                  hex_text(probe) + ", so the noise is another run's");
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
