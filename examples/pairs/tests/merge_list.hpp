// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace unlearn::testing {

inline constexpr std::size_t merges_of_clip = 48'894;

/// A merge list as long as CLIP's: the given merges, and then others of two bytes, the first of
/// which is no letter of ASCII.
inline std::string merge_list(const std::vector<std::string>& first,
                              std::size_t count = merges_of_clip) {
  std::vector<std::string> letters;
  std::vector<std::string> others;
  for (unsigned byte = 0x21; byte <= 0xFF; ++byte) {
    if (byte <= 0x7E) {
      const char c = static_cast<char>(byte);
      ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ? letters : others).emplace_back(1, c);
    } else if (byte > 0xA0 && byte != 0xAD) {
      others.push_back(
          {static_cast<char>(0xC0U | byte >> 6U), static_cast<char>(0x80U | (byte & 0x3FU))});
    }
  }
  std::string text = "#version: 0.2\n";
  const std::set<std::string> given(first.begin(), first.end());
  std::size_t lines = 0;
  const auto add = [&](const std::string& merge) {
    if (lines++ < count) text += merge + "\n";
  };
  for (const std::string& merge : first) add(merge);
  for (const std::string& left : others) {
    for (const auto* const rights : {&others, &letters}) {
      for (const std::string& right : *rights) {
        for (const std::string end : {"", "</w>"}) {
          const std::string merge = left + " " + right + end;
          if (!given.contains(merge)) add(merge);
        }
      }
    }
  }
  return text;
}

}  // namespace unlearn::testing
