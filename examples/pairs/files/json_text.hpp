// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace unlearn::pairs {

/// The JSON value (RFC 8259) that stands in a file which may come from anybody.
///
/// @param text    the JSON, spaces around it allowed
/// @param source  the file's name, for messages
/// @param what    the part of the file that `text` is, for messages
/// @param deepest arrays and objects may stand in each other this deep; 1 for none in another
/// @throws FileError when it is no JSON, is deeper, or an object has two members of one name
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const std::string& source,
                                        std::string_view what, std::size_t deepest);

/// What a file says, fit for a message: in double quotes, ASCII with JSON's escapes, cut after 64
/// bytes.
[[nodiscard]] std::string json_quoted(std::string_view text);

}  // namespace unlearn::pairs
