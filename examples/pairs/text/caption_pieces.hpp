// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace unlearn::pairs {

/// The start token and the end token, written as text.
inline constexpr std::string_view start_text = "<|startoftext|>";
inline constexpr std::string_view end_text = "<|endoftext|>";

/// Cleans a text and cuts it into pieces, as CLIP's tokenizer does: words, digits, runs of
/// punctuation.
///
/// The text is cleaned in this order: HTML character references are replaced, twice; white space is
/// removed at both ends; everything becomes lower case (by Unicode's full mapping without a
/// language: "ΌΣΟΣ" ends in a final sigma, "İ" becomes two characters). Then it is cut from left to
/// right. Each piece is the first of these that matches:
///  1. start_text or end_text. They are also recognised if spelled <start_of_text> or
///     <end_of_text>, but are returned in the first spelling;
///  2. 's 't 're 've 'm 'll 'd;
///  3. as many letters (category L) as possible;
///  4. one number (category N);
///  5. as many other characters as possible that are not white space.
///
/// If the pieces are joined with spaces and cut again, they stay the same, with one exception. A
/// separator (U+001C to U+001F) counts as white space only at the ends of a text. It can become the
/// first or last piece if there was a U+0345, which is dropped, before or after it.
///
/// Source: the tokenizer published with Radford et al. 2021, without its repair of broken text
/// (ftfy). That tokenizer knows only the first spelling of start and end; OpenCLIP's knows only the
/// second. Special cases follow the reference under Python 3.11: references such as "&#1;" are
/// removed, U+0345 is dropped, and the long s counts as s in item 1 (as one piece, but not as
/// start_text) and in item 2. The linked ICU decides what letters, numbers and lower case are. If
/// its Unicode version differs from Python's, new characters may be cut differently.
/// @param text UTF-8, at most 1 GiB
/// @returns the pieces, UTF-8, in the order of the text
/// @throws InvalidArgument when the text is longer or is not UTF-8; the message says where. Invalid
///         bytes are not replaced, since other readers of them would get other tokens.
[[nodiscard]] std::vector<std::string> caption_pieces(std::string_view text);

/// Makes valid UTF-8 of bytes: each "maximal subpart" of an invalid sequence becomes one U+FFFD
/// (Unicode 15, section 3.9). Python's errors='replace' does the same.
/// @returns the text, UTF-8
/// @throws InvalidArgument for more than 1 GiB
[[nodiscard]] std::string repaired_utf8(std::string_view bytes);

/// Whether `text` is valid UTF-8, is not empty, and consists of letters (category L) only.
/// @throws InvalidArgument for more than 1 GiB
[[nodiscard]] bool is_letters(std::string_view text);

}  // namespace unlearn::pairs
