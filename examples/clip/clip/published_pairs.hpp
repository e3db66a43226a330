// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "clip/caption_file.hpp"
#include "clip/caption_set.hpp"
#include "unlearn/core/batch.hpp"

namespace unlearn::clip {

/// One picture to publish: a signal with one of its noises.
struct PublishedPicture {
  std::string file{};  ///< relative to the folder of published pictures
  Index signal = 0;    ///< the clean picture's place in the captions' list of pictures
  Index noise = 0;     ///< the group of its noise

  friend bool operator==(const PublishedPicture&, const PublishedPicture&) = default;
};

/// Which files a protected set has, and which of them each row names.
struct PublicationPlan {
  std::vector<PublishedPicture> pictures{};
  std::vector<Index> picture_of_row{};  ///< [rows]
};

/// A file `dir/name.png` for each pair of a picture `dir/name.*` and a noise that its rows have. A
/// picture whose rows have several noises (one noise for each caption) becomes `name_1.png`,
/// `name_2.png`, ... in the order of its rows.
/// @param noise_of_row [rows] the group of each row's noise
/// @throws InvalidArgument when two pictures would get the same name, as `a.jpg` and `a.png` would
[[nodiscard]] PublicationPlan plan_publication(const CaptionSet& set,
                                               std::span<const Index> noise_of_row);

}  // namespace unlearn::clip
