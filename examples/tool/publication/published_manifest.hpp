// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace unlearn::tool {

/// A published image, as the manifest of its folder has it.
struct ManifestImage {
  std::string file{};    ///< relative to the protected folder, within images/
  std::string sha256{};  ///< of the file
  /// Relative to the folder of the clean images; of several published ones where each caption
  /// has a noise of its own.
  std::string source{};
  std::string source_sha256{};  ///< of the clean image's file

  /// The name that captions.csv has for it: `file` without images/.
  [[nodiscard]] std::string image() const { return file.substr(file.find('/') + 1); }

  friend bool operator==(const ManifestImage&, const ManifestImage&) = default;
};

/// What `manifest.json` in a protected folder says about the pairs there.
struct PublishedManifest {
  std::size_t epsilon_levels = 0;  ///< bound on a pixel's change, in levels of 1/255; to 255
  std::size_t size = 0;            ///< side of each image in pixels; 1 to 16,384
  std::size_t trigger_length = 0;  ///< tokens in front of each caption; to context_length − 2
  std::size_t context_length = 0;  ///< tokens that the model takes of a caption; 2 to 1,000,000
  std::string split{};             ///< of the clean captions; empty for all of them
  /// Of the word tokenizer; nothing for CLIP's.
  std::optional<std::vector<std::string>> words{};
  std::vector<ManifestImage> images{};
  /// For each published row, the number of its clean row among those of the split, ascending;
  /// nothing where all were published.
  std::optional<std::vector<std::size_t>> rows{};
};

/// Reads a manifest, which may come from anybody; what it does not need is passed over.
///
/// @param most_bytes how large the file may be
/// @throws FileError, naming the place, when the file cannot be read, is no regular file, or is
///         larger; is not JSON, or not unlearn's; lacks a value, or has one of another type or out
///         of range; has a path that is absolute, is not in its shortest form, or leaves its
///         folder; a digest that is not 64 hexadecimal digits in lower case; a file twice;
///         or rows that do not ascend.
[[nodiscard]] PublishedManifest read_published_manifest(const std::string& path,
                                                        std::size_t most_bytes = std::size_t{128}
                                                                                 << 20U);

}  // namespace unlearn::tool
