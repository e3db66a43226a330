// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "clip/model/config.hpp"
#include "pairs/images/image_pairs.hpp"
#include "pairs/text/any_tokenizer.hpp"
#include "tool/commands/pairs_options.hpp"
#include "unlearn/metrics/retrieval.hpp"

namespace unlearn::tool {

/// Reads pairs to evaluate a model on: the rows of a split, image by image.
/// @param config  of the model that they are made ready for
/// @param threads that read images; 0 for one on each core
/// @throws InvalidArgument when the images have different numbers of captions; FileError
[[nodiscard]] pairs::ImagePairs evaluation_pairs(const PairsOptions& pairs,
                                                 const std::string& split,
                                                 const pairs::AnyTokenizer& tokenizer,
                                                 const clip::ClipConfig& config, unsigned threads);

/// A line for people. A hit is among the first 10.
[[nodiscard]] std::string to_line(const std::string& name, const Retrieval& found);

}  // namespace unlearn::tool
