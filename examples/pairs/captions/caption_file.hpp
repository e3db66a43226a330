// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "pairs/captions/caption_row.hpp"

namespace unlearn::pairs {

/// Reads image-caption rows, in the order of the file. The format is recognised by the content:
///  - CSV (RFC 4180, line ends CRLF or LF, with or without a byte order mark) under the header
///    `image,caption` or `image,caption,split`; blank lines are ignored;
///  - Flickr8k's and Flickr30k's token file, a line `name.jpg#0<tab>caption` for each caption;
///  - Karpathy's JSON, `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`;
///  - COCO's captions in JSON, `{"images": [{"id", "file_name"}], "annotations": [{"image_id",
///    "caption"}]}`, without a split; rows are in the order of the annotations.
///
/// @param most_bytes how large the file may be
/// @throws FileError when the file cannot be read, is larger, or is in none of these formats; and
///         for a row that lacks a part, is not valid UTF-8, or whose image name is not valid (see
///         is_image_name()). The message names the line (the first line of a caption that has
///         several) or, in JSON, the element.
[[nodiscard]] std::vector<CaptionRow> read_captions(const std::string& path,
                                                    std::size_t most_bytes = std::size_t{1} << 30U);

/// Writes rows as CSV with the columns image, caption and split; complete or not at all.
/// read_captions() gives the same rows again.
/// @throws InvalidArgument for a row that read_captions() would refuse
/// @throws FileError when it cannot be written; a file that was at `path` before is then unchanged
void write_captions_csv(const std::string& path, std::span<const CaptionRow> rows);

}  // namespace unlearn::pairs
