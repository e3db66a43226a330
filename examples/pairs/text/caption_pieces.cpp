// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/caption_pieces.hpp"

#include <gumbo.h>
#include <unicode/bytestream.h>
#include <unicode/locid.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using icu::UnicodeString;

constexpr UChar32 last_code_point = 0x10FFFF;
constexpr UChar32 replacement = 0xFFFD;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_letter_or_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The text of a piece of HTML that has no tags.
std::string html_text(const std::string& html) {
  GumboOptions options = kGumboDefaultOptions;
  options.fragment_context = GUMBO_TAG_DIV;
  options.max_errors = 0;
  const auto release = [&](GumboOutput* output) { gumbo_destroy_output(&options, output); };
  const std::unique_ptr<GumboOutput, decltype(release)> output(
      gumbo_parse_with_options(&options, html.data(), html.size()), release);
  const GumboVector& children = output->root->v.element.children;
  std::string text;
  for (void* const child : std::span(children.data, children.length)) {
    const auto* const node = static_cast<const GumboNode*>(child);
    if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE) {
      text += node->v.text.text;
    }
  }
  return text;
}

/// Whether Python's html.unescape drops the character. HTML would keep it and report an error.
bool is_dropped(UChar32 c) {
  return (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
         (U_IS_UNICODE_NONCHAR(c) && c <= last_code_point);
}

std::string numbered_character(UChar32 c) {
  if (c == 0 || c > last_code_point || (c >= 0xD800 && c <= 0xDFFF)) c = replacement;
  if (is_dropped(c)) return {};
  if (c >= 0x80 && c <= 0x9F) {
    // HTML reads these as windows-1252.
    return html_text("&#" + std::to_string(c) + ";");
  }
  std::string text;
  return UnicodeString(c).toUTF8String(text);
}

/// Appends the character that the reference at the beginning of `text` (an ampersand) means.
/// @returns the length of the reference in `text`
std::size_t append_reference(std::string_view text, std::string& result) {
  const auto run = [&](std::size_t from, auto belongs) {
    return static_cast<std::size_t>(
               std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(),
                                belongs) -
               text.begin()) -
           from;
  };
  const auto with_semicolon = [&](std::size_t end) {
    return end < text.size() && text[end] == ';' ? end + 1 : end;
  };

  if (text.size() > 1 && text[1] == '#') {
    const bool hex = text.size() > 2 && (text[2] == 'x' || text[2] == 'X');
    const std::size_t begin = hex ? 3 : 2;
    const std::size_t digits = begin < text.size() ? run(begin, hex ? is_hex_digit : is_digit) : 0;
    if (digits == 0) {
      result += '&';
      return 1;
    }
    UChar32 number = 0;
    for (const char digit : text.substr(begin, digits)) {
      const int value = is_digit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10;
      number = std::min(number * (hex ? 16 : 10) + value, last_code_point + 1);
    }
    result += numbered_character(number);
    return with_semicolon(begin + digits);
  }

  // No name is longer. In a longer run, the name is searched for at its beginning.
  constexpr std::size_t longest_name = 31;
  const std::size_t letters = std::min(run(1, is_letter_or_digit), longest_name);
  if (letters == 0) {
    result += '&';
    return 1;
  }
  const std::size_t end = with_semicolon(1 + letters);
  result += html_text(std::string(text.substr(0, end)));
  return end;
}

/// Does what Python's html.unescape does.
std::string unescaped(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (true) {
    const std::size_t ampersand = text.find('&');
    result.append(text.substr(0, ampersand));
    if (ampersand == std::string_view::npos) return result;
    text.remove_prefix(ampersand);
    text.remove_prefix(append_reference(text, result));
  }
}

// ICU's macros convert among its own types.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
/// Reads the character at offset `i`, and moves `i` past it.
/// @returns a negative number if the bytes are not a character
UChar32 next_character(std::string_view text, std::int32_t& i) {
  UChar32 c = 0;
  // NOLINTNEXTLINE(bugprone-inc-dec-in-conditions): within the macro
  U8_NEXT(text.data(), i, static_cast<std::int32_t>(text.size()), c);
  return c;
}
#pragma GCC diagnostic pop

/// ICU uses 32-bit sizes.
void require_size(std::string_view text) {
  constexpr std::size_t longest = std::size_t{1} << 30U;
  require(text.size() <= longest, "size in bytes of a text", "at most " + std::to_string(longest),
          text.size());
}

void require_utf8(std::string_view text) {
  const auto size = static_cast<std::int32_t>(text.size());
  for (std::int32_t i = 0; i < size;) {
    const std::int32_t begin = i;
    if (next_character(text, i) < 0) [[unlikely]] {
      const auto byte = static_cast<unsigned char>(text[static_cast<std::size_t>(begin)]);
      throw InvalidArgument(
          expectation("text to tokenize", "UTF-8",
                      "byte " + std::to_string(byte) + " at offset " + std::to_string(begin)));
    }
  }
}

/// Python's str.isspace.
bool is_space(UChar32 c) { return u_isUWhiteSpace(c) != 0 || (c >= 0x1C && c <= 0x1F); }

UnicodeString stripped(const UnicodeString& text) {
  // All white space is in the basic plane, so no half of a surrogate pair looks like it.
  std::int32_t begin = 0;
  std::int32_t end = text.length();
  while (begin < end && is_space(text.charAt(begin))) ++begin;
  while (end > begin && is_space(text.charAt(end - 1))) --end;
  return {text, begin, end - begin};
}

void require_success(UErrorCode status, const char* what) {
  if (status == U_MEMORY_ALLOCATION_ERROR) throw std::bad_alloc();
  if (U_FAILURE(status)) {
    throw Error(expectation(what, "success", u_errorName(status)));
  }
}

const icu::RegexPattern& piece_pattern() {
  // The reference ignores case. For text in lower case, this has two effects: the long s matches s,
  // and U+0345 does not match the last line, as its upper case is a letter although it is not one.
  static const auto pattern = [] {
    const auto text = UnicodeString::fromUTF8(
        R"(<\|[s\u017F]tartoftext\|>|<\|endoftext\|>|<[s\u017F]tart_of_text>|<end_of_text>)"
        R"(|'[s\u017F]|'t|'re|'ve|'m|'ll|'d)"
        R"(|\p{L}+)"
        R"(|\p{N})"
        R"(|[^\p{White_Space}\p{L}\p{N}\u0345]+)");
    UErrorCode status = U_ZERO_ERROR;
    std::unique_ptr<const icu::RegexPattern> compiled(icu::RegexPattern::compile(text, 0, status));
    require_success(status, "regular expression of a text's pieces");
    return compiled;
  }();
  return *pattern;
}

}  // namespace

std::vector<std::string> caption_pieces(std::string_view text) {
  require_size(text);
  require_utf8(text);
  std::string plain;
  if (text.find('&') != std::string_view::npos) {
    plain = unescaped(unescaped(text));
    text = plain;
  }
  // The reference also replaces several spaces by one. That does not matter here: no piece has a
  // space, and the lower case of a letter does not depend on the number of spaces.
  UnicodeString clean =
      stripped(UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())}));
  clean.toLower(icu::Locale::getRoot());

  std::vector<std::string> pieces;
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::RegexMatcher> matcher(piece_pattern().matcher(clean, status));
  require_success(status, "matcher of a text's pieces");
  while (matcher->find(status) != 0) {
    const std::int32_t begin = matcher->start(status);
    std::string piece;
    clean.tempSubString(begin, matcher->end(status) - begin).toUTF8String(piece);
    if (piece == "<start_of_text>") piece = start_text;
    if (piece == "<end_of_text>") piece = end_text;
    pieces.push_back(std::move(piece));
  }
  require_success(status, "search for a text's pieces");
  return pieces;
}

std::string repaired_utf8(std::string_view bytes) {
  require_size(bytes);
  std::string text;
  return UnicodeString::fromUTF8({bytes.data(), static_cast<std::int32_t>(bytes.size())})
      .toUTF8String(text);
}

bool is_letters(std::string_view text) {
  require_size(text);
  const auto size = static_cast<std::int32_t>(text.size());
  for (std::int32_t i = 0; i < size;) {
    const UChar32 c = next_character(text, i);
    if (c < 0 || (U_MASK(u_charType(c)) & U_GC_L_MASK) == 0) return false;
  }
  return size > 0;
}

}  // namespace unlearn::pairs
