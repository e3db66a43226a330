// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace unlearn::pairs {

/// How the start and the end of a caption read as text.
inline constexpr std::string_view start_text = "<|startoftext|>";
inline constexpr std::string_view end_text = "<|endoftext|>";

/// What a tokenizer of CLIP sees of a text, piece by piece: words, digits, runs of punctuation.
///
/// Cleaning, in this order: HTML character references are replaced, twice; space is stripped from
/// both ends; everything becomes lower case (Unicode's full mapping, no language: "ΌΣΟΣ" ends in a
/// final sigma, "İ" becomes two characters). What is left is cut from left to right into the first
/// that fits of
///  1. start_text or end_text, also in the spelling <start_of_text> or <end_of_text>, which comes
///     back as the former;
///  2. 's 't 're 've 'm 'll 'd;
///  3. letters (category L), as many as there are;
///  4. one number (category N);
///  5. anything else that is not white space, as many as there are.
///
/// The pieces with a space between any two are cut into the same pieces again. There is one
/// exception: a separator U+001C to U+001F counts as space only at the ends of a text, and the
/// first or last piece can be one where a U+0345, which is dropped, stood before or behind it.
///
/// Source: the tokenizer published with Radford et al. 2021, without its repair of broken text
/// (ftfy). Of start and end, that one knows the first spelling alone, OpenCLIP's the second alone.
/// Corners follow the reference under Python 3.11: "&#1;" and its like vanish, U+0345 is dropped,
/// and the long s counts as s in items 1 (as one piece, but not start_text) and 2. What is a letter
/// or a number, and lower case, is as in the Unicode version of the linked ICU: characters that are
/// new in either version may be cut differently.
/// @param text UTF-8, at most 1 GiB
/// @throws InvalidArgument when it is longer or not UTF-8; the message says where. Nothing is
///         replaced silently: other readers of the same bytes would get other tokens.
[[nodiscard]] std::vector<std::string> caption_pieces(std::string_view text);

/// `bytes` as UTF-8: each longest beginning of a character that goes wrong (Unicode 15, section
/// 3.9, "maximal subparts"; what Python's errors='replace' does) becomes one U+FFFD.
/// @throws InvalidArgument for more than 1 GiB
[[nodiscard]] std::string repaired_utf8(std::string_view bytes);

/// Whether `text` is UTF-8, not empty, and made of letters (category L) alone.
[[nodiscard]] bool is_letters(std::string_view text);

}  // namespace unlearn::pairs
