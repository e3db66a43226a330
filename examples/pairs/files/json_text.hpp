// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace unlearn::pairs {

/// Parses JSON (RFC 8259) from a file that may come from an unknown source.
///
/// @param text    the JSON; white space around it is allowed
/// @param source  the file's name, for messages
/// @param what    the part of the file that `text` comes from, for messages
/// @param deepest the largest depth of nested arrays and objects; at 1, none may be in another
/// @returns the value
/// @throws FileError when `text` is not JSON, is nested deeper, or an object has two members of the
///         same name
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const std::string& source,
                                        std::string_view what, std::size_t deepest);

/// Quotes a file's text for a message.
/// @returns the text in double quotes, in ASCII with JSON's escapes; cut after 64 bytes
[[nodiscard]] std::string json_quoted(std::string_view text);

}  // namespace unlearn::pairs
