// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unlearn::pairs {

/// One caption of an image.
struct CaptionRow {
  std::string image{};    ///< the image's file, relative to a folder that the user names
  std::string caption{};  ///< UTF-8
  std::string split{};    ///< `train`, `val`, `test`, ...; empty where the file tells none

  friend bool operator==(const CaptionRow&, const CaptionRow&) = default;
};

/// Whether a text can name an image in a folder: a path in UTF-8 that is not empty or absolute and
/// has no component `..` and no control character.
[[nodiscard]] bool is_image_name(std::string_view name);

/// Reads image-caption rows, in the order of the file. The content tells which format it is:
///  - CSV (RFC 4180, line ends CRLF or LF, a byte order mark is passed over) under the header
///    `image,caption` or `image,caption,split`; blank lines count for nothing;
///  - Flickr8k's and Flickr30k's token file, a line `name.jpg#0<tab>caption` for each caption;
///  - Karpathy's JSON, `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`;
///  - COCO's captions in JSON, `{"images": [{"id", "file_name"}], "annotations": [{"image_id",
///    "caption"}]}`, which tells no split; rows are in the order of the annotations.
///
/// @param most_bytes how large the file may be
/// @throws FileError when the file cannot be read, is larger or none of these; and for a row of
///         which a part is missing or not valid UTF-8, or whose image name is none (see
///         is_image_name()). The message names the line (the first of them, where a caption has
///         several) or, in JSON, the element.
[[nodiscard]] std::vector<CaptionRow> read_captions(const std::string& path,
                                                    std::size_t most_bytes = std::size_t{1} << 30U);

/// Writes rows as CSV with the columns image, caption and split; complete or not at all.
/// read_captions() gives the same rows again.
/// @throws InvalidArgument for a row that read_captions() would refuse
/// @throws FileError when it cannot be written; what stood at `path` before is then still there
void write_captions_csv(const std::string& path, std::span<const CaptionRow> rows);

}  // namespace unlearn::pairs
