// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "pairs/captions/caption_set.hpp"
#include "pairs/images/image_pairs.hpp"
#include "pairs/text/any_tokenizer.hpp"
#include "tool/publication/caption_placement.hpp"
#include "tool/publication/manifest.hpp"
#include "tool/publication/published_pairs.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/mem/run_state.hpp"
#include "unlearn/noise/mapped_noise_store.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace unlearn::tool {

/// Noise of pixels in a memory-mapped file, triggers, and who shares them.
using ProtectionState = RunState<MappedNoiseStore<>>;

/// What is published, and how.
struct Publication {
  const pairs::CaptionSet& set;         ///< the clean pairs
  std::span<const std::string> sha256;  ///< of each clean image's file
  const pairs::AnyTokenizer& tokenizer;
  const ProtectionState& state;  ///< noise, triggers and who shares them
  CaptionPlacement placement;    ///< where triggers are in captions
  std::string folder;
  Parallel policy{};
  /// Is told now and then, on the calling thread, how many of all images have been written.
  std::function<void(std::size_t done, std::size_t all)> progress{};
};

/// Writes images/, each image with its noise as PNG, and captions.csv, each caption with its
/// trigger.
/// @param pairs the clean pixels
/// @returns the manifest's list of images
/// @throws InvalidArgument when two images would get the same name; FileError
[[nodiscard]] std::vector<ManifestImage> publish(const Publication& publication,
                                                 pairs::ImagePairs& pairs);

/// Writes triggers.npy, [groups, length]; complete or not at all.
/// @throws FileError
void write_triggers(const std::string& path, const TriggerTable& triggers);

}  // namespace unlearn::tool
