// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tool/publication/placement_kind.hpp"

namespace unlearn::tool {

/// A published image, as the manifest of its folder has it.
struct ManifestImage {
  std::string file{};    ///< relative to the protected folder, within images/
  std::string sha256{};  ///< of the file
  /// The clean image, relative to the folder of clean images. Several published ones may have the
  /// same, where each caption has a noise of its own.
  std::string source{};
  std::string source_sha256{};  ///< of the clean image's file

  /// The name that captions.csv has for it: `file` without images/.
  [[nodiscard]] std::string image() const { return file.substr(file.find('/') + 1); }

  friend bool operator==(const ManifestImage&, const ManifestImage&) = default;
};

/// A published row, where some rows were left out.
struct ManifestRow {
  std::size_t row = 0;  ///< the number of its clean row among those of the split

  friend bool operator==(const ManifestRow&, const ManifestRow&) = default;
};

/// What a protected folder promises: the part of its `manifest.json` that everybody can check.
struct PublishedManifest {
  std::size_t epsilon_levels = 0;  ///< bound on a pixel's change, in levels of 1/255; to 255
  std::size_t size = 0;            ///< side of each image in pixels; 1 to 16,384
  std::size_t trigger_length = 0;  ///< tokens in each caption; to context_length − 2
  std::size_t context_length = 0;  ///< tokens that the model takes of a caption; 2 to 1,000,000
  std::optional<PlacementKind> placement{};  ///< of triggers; none means front
  std::optional<std::uint64_t> seed{};       ///< of the run; there if triggers are placed anywhere
  std::optional<std::string> split{};  ///< of the clean captions; none or empty for all of them
  std::optional<std::size_t> vocabulary{};  ///< tokens there are
  /// Of the word tokenizer; nothing for CLIP's.
  std::optional<std::vector<std::string>> words{};
  /// Whatever else the run was started with, as settings_of() has it.
  nlohmann::json other_settings = nlohmann::json::object();
  std::vector<ManifestImage> images{};
  /// Of each published row, ascending; nothing where all were published.
  std::optional<std::vector<ManifestRow>> rows{};

  friend bool operator==(const PublishedManifest&, const PublishedManifest&) = default;
};

/// How a protection ended.
struct ProtectionResult {
  std::string stop{};  ///< see StopReason
  std::uint32_t rounds = 0;
  std::optional<double> loss{};  ///< none where no stage ran
  std::uint64_t train_steps = 0;
  std::size_t rows = 0;

  friend bool operator==(const ProtectionResult&, const ProtectionResult&) = default;
};

/// What a protection spent its time on, in seconds.
struct ProtectionSeconds {
  double reading = 0;
  std::optional<double> surrogate_training{};  ///< UAP's
  double minimizing = 0;
  double publishing = 0;
  double in_model = 0;  ///< part of `minimizing`
  double total = 0;

  friend bool operator==(const ProtectionSeconds&, const ProtectionSeconds&) = default;
};

/// A file that was read.
struct InputFile {
  std::string file{};  ///< its name, without folders
  std::string sha256{};

  friend bool operator==(const InputFile&, const InputFile&) = default;
};

/// All that `manifest.json` says. `unlearn protect` writes it.
struct Manifest {
  PublishedManifest published{};
  std::string version{};                          ///< of the program
  std::map<std::string, std::string> versions{};  ///< of the program and its libraries
  InputFile captions{};
  std::map<std::string, std::string> outputs{};  ///< SHA-256 of each file beside the images
  std::vector<std::string> skipped{};            ///< images that were left out, and why
  ProtectionResult result{};
  ProtectionSeconds seconds{};
  std::optional<double> peak_megabytes{};  ///< of memory, where the system tells

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

/// A manifest as JSON.
[[nodiscard]] nlohmann::json json_of(const Manifest& manifest);

/// The settings of a manifest: what OutputFolder compares before a run is resumed.
[[nodiscard]] nlohmann::json settings_of(const PublishedManifest& published);

/// Reads all of a manifest that this version of `unlearn protect` wrote.
/// @throws FileError, naming the place, for what read_published_manifest() refuses, and when
///         anything else is missing
[[nodiscard]] Manifest read_manifest(const std::string& path);

/// Reads what a manifest promises. The manifest may come from anybody, and from another version:
/// what is not needed is passed over.
///
/// @param most_bytes how large the file may be
/// @throws FileError, naming the place, when the file cannot be read, is no regular file, or is
///         larger; is not JSON, or not unlearn's; lacks a value, or has one of another type or out
///         of range; has a path that is absolute, is not in its shortest form, or leaves its
///         folder; a digest that is not 64 hexadecimal digits in lower case; a file twice;
///         rows that do not ascend; or no seed where triggers are placed anywhere.
[[nodiscard]] PublishedManifest read_published_manifest(const std::string& path,
                                                        std::size_t most_bytes = std::size_t{128}
                                                                                 << 20U);

}  // namespace unlearn::tool
