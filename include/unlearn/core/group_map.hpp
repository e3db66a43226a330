// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn {

/// Which rows share one noise, or one trigger: scope as data.
///
/// Row r belongs to group of(r); gradients and scores of a group's rows are added up, and all of
/// them get the same result.
class GroupMap {
 public:
  /// No rows and no groups.
  GroupMap() = default;

  /// Group numbers row by row; every number below `groups` has at least one row.
  /// @throws InvalidArgument for a number out of range or a group without rows.
  GroupMap(std::vector<Index> group_of_row, std::size_t groups)
      // One group more than there are rows is enough to find one without rows; a label that was
      // meant for something else takes no memory.
      : group_of_row_(std::move(group_of_row)),
        first_(std::min(groups, group_of_row_.size() + 1) + 1),
        rows_(group_of_row_.size()) {
    for (const Index group : group_of_row_) {
      require(group < groups, "group of a row", "below " + std::to_string(groups), group);
      if (group + std::size_t{1} < first_.size()) ++first_[group + std::size_t{1}];
    }
    for (std::size_t g = 0; g + 1 < first_.size(); ++g) {
      require(first_[g + 1] > 0, "rows of group " + std::to_string(g), "at least 1", 0);
    }
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
    std::vector<std::size_t> next(first_);
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      rows_[next[group_of_row_[row]]++] = static_cast<Index>(row);
    }
  }

  /// Every row by itself: sample-wise triggers, or a noise for each caption as in the reference.
  [[nodiscard]] static GroupMap per_row(std::size_t rows) {
    std::vector<Index> group_of_row(rows);
    std::iota(group_of_row.begin(), group_of_row.end(), Index{0});
    return {std::move(group_of_row), rows};
  }

  /// One group for all rows: a universal trigger or noise.
  [[nodiscard]] static GroupMap universal(std::size_t rows) {
    return {std::vector<Index>(rows, 0), rows > 0 ? std::size_t{1} : std::size_t{0}};
  }

  /// Rows with the same label share: one noise for each signal (`labels[r]` its signal), or one
  /// for each class. Labels are 0, 1, ... without gaps.
  [[nodiscard]] static GroupMap by_label(std::span<const Index> labels) {
    std::size_t groups = 0;
    for (const Index label : labels) groups = std::max<std::size_t>(groups, label + std::size_t{1});
    return {std::vector<Index>(labels.begin(), labels.end()), groups};
  }

  /// The number of rows.
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  /// The number of groups.
  [[nodiscard]] std::size_t groups() const { return first_.empty() ? 0 : first_.size() - 1; }

  /// The group of `row`.
  [[nodiscard]] Index of(std::size_t row) const { return group_of_row_[row]; }

  /// The group of every row.
  [[nodiscard]] std::span<const Index> group_of_rows() const { return group_of_row_; }

  /// The rows of `group`, ascending.
  [[nodiscard]] std::span<const Index> rows_of(std::size_t group) const {
    return std::span(rows_).subspan(first_[group], first_[group + 1] - first_[group]);
  }

 private:
  std::vector<Index> group_of_row_;
  std::vector<std::size_t> first_;
  std::vector<Index> rows_;
};

/// What is shared by whom in a run.
struct Scope {
  GroupMap noise;     ///< noise groups; per signal unless you say otherwise
  GroupMap triggers;  ///< trigger groups; per row unless you say otherwise

  /// One noise for each signal, shared by its captions, and one trigger for each caption.
  template <class Pairs>
  [[nodiscard]] static Scope of(Pairs& pairs) {
    std::vector<Index> signals(pairs.rows());
    for (std::size_t r = 0; r < signals.size(); ++r) {
      signals[r] = static_cast<Index>(pairs.signal_of(static_cast<Index>(r)));
    }
    return {.noise = GroupMap(std::move(signals), pairs.signals()),
            .triggers = GroupMap::per_row(pairs.rows())};
  }
};

}  // namespace unlearn
