// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <ios>
#include <istream>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>

/// @file
/// How models that are made of several parts are saved in one stream.

namespace unlearn::detail {

/// Writes a number of steps, or of bytes, as 8 bytes, the lowest first.
inline void write_count(std::ostream& out, std::uint64_t count) {
  std::array<char, 8> bytes{};
  for (char& byte : bytes) {
    byte = static_cast<char>(count & 0xFFU);
    count >>= 8U;
  }
  out.write(bytes.data(), bytes.size());
}

/// @returns what write_count() wrote; 0 from a stream that fails
inline std::uint64_t read_count(std::istream& in) {
  std::array<char, 8> bytes{};
  if (!in.read(bytes.data(), bytes.size())) return 0;
  std::uint64_t count = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    count = (count << 8U) | static_cast<unsigned char>(bytes[i - 1]);
  }
  return count;
}

/// Writes a part with its length in front: what it reads back is then what it wrote, whether it
/// reads to the end of its stream or leaves bytes unread.
template <class Part>
void save_part(std::ostream& out, Part& part) {
  std::ostringstream own;
  own.imbue(out.getloc());
  part.save(own);
  if (own.fail()) out.setstate(std::ios::failbit);
  const std::string bytes = std::move(own).str();
  write_count(out, bytes.size());
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Reads what save_part() wrote. A part that fails to read makes `in` fail.
template <class Part>
void load_part(std::istream& in, Part& part) {
  std::string bytes;
  std::array<char, 4096> block{};
  // In blocks: the length may be that of a damaged file.
  for (std::uint64_t left = read_count(in); left > 0 && in;) {
    const std::uint64_t count = left < block.size() ? left : block.size();
    in.read(block.data(), static_cast<std::streamsize>(count));
    bytes.append(block.data(), static_cast<std::size_t>(in.gcount()));
    left -= count;
  }
  if (!in) return;
  std::istringstream own(std::move(bytes));
  own.imbue(in.getloc());
  part.load(own);
  if (own.fail()) in.setstate(std::ios::failbit);
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
