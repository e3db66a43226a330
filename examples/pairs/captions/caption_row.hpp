// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

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

/// What is wrong with a row.
struct RowFault {
  std::string what{};      ///< the part of the row
  std::string expected{};  ///< of this part
  std::string_view got{};  ///< a view into the row
};

/// The first thing that is wrong with a row: its image's name is none (see is_image_name()), its
/// caption is not valid UTF-8, or its split has a control character. None if all is well.
[[nodiscard]] std::optional<RowFault> fault_of(const CaptionRow& row);

/// @param place where in the file the row is, for the message
/// @throws FileError if something is wrong with a row that was read
void check_row(const CaptionRow& row, const std::string& path, const std::string& place);

/// The place of a line, counted from 1, in messages.
[[nodiscard]] std::string line_place(std::size_t line);

}  // namespace unlearn::pairs
