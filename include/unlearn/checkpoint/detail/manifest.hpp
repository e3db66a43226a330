// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unlearn/io/checksum.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/number_text.hpp"
#include "unlearn/mem/run_progress.hpp"

namespace unlearn::detail {

/// The shapes of a run's state. A checkpoint and the run that resumes from it must agree in them.
struct RunShape {
  std::string noise_dtype{};    ///< NumPy's name of it
  std::string noise_storage{};  ///< "journal" for a JournaledNoiseStore, else "whole"
  std::uint64_t noise_groups = 0;
  std::uint64_t noise_elements = 0;
  std::uint64_t trigger_groups = 0;
  std::uint64_t trigger_length = 0;
  std::uint64_t rows = 0;
  std::uint64_t noise_scope = 0;    ///< checksum of the noise groups of all rows
  std::uint64_t trigger_scope = 0;  ///< checksum of the trigger groups of all rows
};

/// A file beside the state. Its name contains the number of the checkpoint that wrote it.
struct CheckpointPart {
  std::uint64_t generation = 0;  ///< 0: there is no such file
  std::uint64_t checksum = 0;
};

/// The contents of a checkpoint's `state` file.
///
/// The file is text. It has a title, a line with the name and the values of each entry, the lines
/// of the trace, the generator, and a checksum of all this. Numbers read back exactly.
struct CheckpointManifest {
  std::uint64_t generation = 0;
  RunShape shape{};
  RunProgress progress{};
  CheckpointPart model{};
  CheckpointPart triggers{};
  CheckpointPart noise{};         ///< a journal, or all of the noise
  std::uint64_t noise_probe = 0;  ///< checksum of a few rows of a journaled noise; else 0
  std::string generator{};        ///< the random generator in its own format
};

// The writer and the reader share these descriptions. The structured bindings no longer compile
// when a member is added: a member that is not saved could not be resumed.

/// The line of a StageLoss.
template <class Archive, class Loss>
void describe_stage_loss(Archive& archive, Loss& loss) {
  auto& [stage, mean] = loss;
  archive("stage_loss", stage, mean);
}

/// The lines of a RoundLosses.
template <class Archive, class Losses>
void describe_round(Archive& archive, Losses& losses) {
  auto& [round, stages] = losses;
  archive("losses_of_round", round);
  archive.lines("stage_losses", stages,
                [](auto& lines, auto& loss) { describe_stage_loss(lines, loss); });
}

/// All lines of a CheckpointManifest, in order.
/// @param archive a ManifestWriter or a ManifestReader
template <class Archive, class Manifest>
void describe(Archive& archive, Manifest& manifest) {
  auto& [generation, shape, progress, model, triggers, noise, noise_probe, generator] = manifest;
  auto& [dtype, storage, groups, elements, trigger_groups, trigger_length, rows, noise_scope,
         trigger_scope] = shape;
  auto& [round, stage, batch, loss_sum, current, trace, pass, training] = progress;
  auto& [order_seed] = pass;
  auto& [epoch_seed, epoch_row, steps] = training;
  archive("generation", generation);
  archive("noise_shape", dtype, storage, groups, elements);
  archive("trigger_shape", trigger_groups, trigger_length);
  archive("scope", rows, noise_scope, trigger_scope);
  archive("round", round);
  archive("stage", stage);
  archive("batch", batch);
  archive("loss_sum", loss_sum);
  describe_round(archive, current);
  archive.lines("trace", trace, [](auto& lines, auto& losses) { describe_round(lines, losses); });
  archive("pass", order_seed);
  archive("training", epoch_seed, epoch_row, steps);
  archive("model", model.generation, model.checksum);
  archive("triggers", triggers.generation, triggers.checksum);
  archive("noise", noise.generation, noise.checksum);
  archive("noise_probe", noise_probe);
  archive.bytes("generator", generator);
}

/// The word for an empty text.
inline constexpr std::string_view no_text = "-";

/// Writes entries as lines: the name, then the values.
class ManifestWriter {
 public:
  template <class... Values>
  void operator()(std::string_view name, const Values&... values) {
    text_ += name;
    ((text_ += ' ', text_ += word(values)), ...);
    text_ += '\n';
  }

  /// Writes a line with the number of entries, and calls describe_each(archive, entry) for each.
  template <class Entry, class Describe>
  void lines(std::string_view name, const std::vector<Entry>& entries,
             const Describe& describe_each) {
    (*this)(name, entries.size());
    for (const Entry& entry : entries) describe_each(*this, entry);
  }

  void bytes(std::string_view name, const std::string& bytes) {
    (*this)(name, bytes.size());
    text_ += bytes;
    text_ += '\n';
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  // An empty text would not read back as a word.
  static std::string_view word(const std::string& text) {
    return text.empty() ? std::string_view(no_text) : text;
  }
  template <class Number>
  static std::string word(Number number) {
    return number_text(number);
  }

  std::string text_;
};

/// Reads the lines that ManifestWriter wrote, in the same order.
class ManifestReader {
 public:
  ManifestReader(std::string_view text, const std::string& path) : rest_(text), path_(path) {}

  /// Reads the next line.
  /// @throws FileError when it has another name, or values of other types
  template <class... Values>
  void operator()(std::string_view name, Values&... values) {
    std::string_view line = take_line();
    const std::string_view whole = line;
    const bool well_formed =
        take_word(line) == name && (parse(take_word(line), values) && ...) && line.empty();
    require_in_file(well_formed, path_, "line '" + std::string(name) + "'",
                    number_text(sizeof...(values)) + " value(s)", whole.substr(0, 80));
  }

  /// Reads as many entries as the next line says.
  template <class Entry, class Describe>
  void lines(std::string_view name, std::vector<Entry>& entries, const Describe& describe_each) {
    std::size_t count = 0;
    (*this)(name, count);
    // Not resized at once: a wrong count must not take memory for lines that do not exist.
    for (std::size_t i = 0; i < count; ++i) describe_each(*this, entries.emplace_back());
  }

  void bytes(std::string_view name, std::string& bytes) {
    std::size_t count = 0;
    (*this)(name, count);
    require_in_file(count < rest_.size(), path_, name,
                    "as many bytes as its line says, " + number_text(count), rest_.size());
    bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    require_in_file(take_line().empty(), path_, name, "a new line behind it", "more bytes");
  }

  void finish() const {
    require_in_file(rest_.empty(), path_, "end", "nothing more", rest_.substr(0, 80));
  }

 private:
  std::string_view take_line() { return take(rest_, '\n'); }
  static std::string_view take_word(std::string_view& line) { return take(line, ' '); }

  static std::string_view take(std::string_view& from, char delimiter) {
    const std::size_t end = std::min(from.find(delimiter), from.size());
    const std::string_view taken = from.substr(0, end);
    from.remove_prefix(std::min(end + 1, from.size()));
    return taken;
  }

  static bool parse(std::string_view word, std::string& text) {
    text = word == no_text ? std::string_view() : word;
    return !word.empty();
  }
  template <class Number>
  static bool parse(std::string_view word, Number& number) {
    return parse_number(word, number);
  }

  std::string_view rest_;
  const std::string& path_;
};

inline constexpr std::string_view manifest_title = "unlearn checkpoint 2\n";

/// The last line: the checksum of all lines before it.
[[nodiscard]] inline std::string manifest_end(std::string_view body) {
  return "checksum " + hex_text(checksum_of(std::as_bytes(std::span(body))));
}

/// The bytes of the `state` file.
[[nodiscard]] inline std::string encode(const CheckpointManifest& manifest) {
  ManifestWriter writer;
  describe(writer, manifest);
  const std::string body = std::string(manifest_title) + writer.text();
  return body + manifest_end(body) + "\n";
}

/// Reads the `state` file.
/// @param text the bytes of the file
/// @param path the file, for messages
/// @throws FileError unless encode() wrote `text`
[[nodiscard]] inline CheckpointManifest decode_manifest(std::string_view text,
                                                        const std::string& path) {
  const std::string_view first_line = text.substr(0, text.find('\n')).substr(0, 80);
  require_in_file(text.starts_with(manifest_title), path, "first line",
                  manifest_title.substr(0, manifest_title.size() - 1), first_line);
  const std::size_t end_size = manifest_end({}).size() + 1;
  const std::string_view body = text.substr(0, text.size() - std::min(text.size(), end_size));
  const std::string_view end = text.substr(body.size());
  require_in_file(end == manifest_end(body) + "\n", path, "last line", manifest_end(body),
                  end.substr(0, end.find('\n')));

  ManifestReader reader(body.substr(manifest_title.size()), path);
  CheckpointManifest manifest;
  describe(reader, manifest);
  reader.finish();
  return manifest;
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
