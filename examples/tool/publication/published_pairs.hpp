// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pairs/captions/caption_file.hpp"
#include "pairs/captions/caption_set.hpp"
#include "unlearn/core/batch.hpp"

namespace unlearn::tool {

/// One image to publish: a signal with one of its noises.
struct PublishedImage {
  std::string file{};  ///< relative to the folder of published images
  Index signal = 0;    ///< the clean image's place in the captions' list of images
  Index noise = 0;     ///< the group of its noise

  friend bool operator==(const PublishedImage&, const PublishedImage&) = default;
};

/// Which files a protected set has, and which of them each row names.
struct PublicationPlan {
  std::vector<PublishedImage> images{};
  std::vector<Index> image_of_row{};  ///< [rows]
};

/// A file `dir/name.png` for each pair of an image `dir/name.*` and a noise that its rows have. A
/// image whose rows have several noises (one noise for each caption) becomes `name_1.png`,
/// `name_2.png`, ... in the order of its rows.
/// @param noise_of_row [rows] the group of each row's noise
/// @throws InvalidArgument when two images would get the same name, as `a.jpg` and `a.png` would
[[nodiscard]] PublicationPlan plan_publication(const pairs::CaptionSet& set,
                                               std::span<const Index> noise_of_row);

}  // namespace unlearn::tool
