// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace unlearn::tool::experiments {

/// Retrieval one way, on clean test pairs.
struct Direction {
  std::optional<double> hit10{};  ///< percentage of queries whose match is among the first ten
  std::optional<double> medr{};   ///< median rank of the match, from 1

  friend bool operator==(const Direction&, const Direction&) = default;
};

/// Retrieval both ways.
struct Scores {
  Direction i2t{};  ///< image to text
  Direction t2i{};  ///< text to image

  friend bool operator==(const Scores&, const Scores&) = default;
};

/// A place in a table: which hackers, and the mean of what they learned.
struct Cell {
  std::string row{};              ///< what they trained on: the name of a Row
  std::string architecture{};     ///< of their models
  std::string cleaning = "none";  ///< what they did to the pairs first
  Scores scores{};

  friend bool operator==(const Cell&, const Cell&) = default;
};

}  // namespace unlearn::tool::experiments
