// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

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

/// Which rows share a noise, or share a trigger: the scope, as data.
///
/// Row r belongs to group of(r). The gradients and scores of the rows of a group are summed, and
/// all of these rows get the same noise or trigger.
class GroupMap {
 public:
  /// No rows and no groups.
  GroupMap() = default;

  /// Puts row r into group group_of_row[r].
  /// @param group_of_row a group for each row
  /// @param groups       the number of groups; each must have at least one row
  /// @throws InvalidArgument for a group that is not below `groups`, for one without rows, and for
  ///         2^32 rows or more
  GroupMap(std::vector<Index> group_of_row, std::size_t groups)
      // Among more groups than rows, the first rows + 1 groups hold one without rows. So a number
      // that is not a label at all takes no memory.
      : group_of_row_(std::move(group_of_row)),
        first_(std::min(groups, group_of_row_.size() + 1) + 1),
        rows_(group_of_row_.size()) {
    require_numbered("rows of a group map", group_of_row_.size());
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

  /// A group for each row: sample-wise triggers, or a noise for each caption as in the reference
  /// implementation of MEM.
  /// @throws InvalidArgument for 2^32 rows or more
  [[nodiscard]] static GroupMap per_row(std::size_t rows) {
    require_numbered("rows of a group map", rows);
    std::vector<Index> group_of_row(rows);
    std::iota(group_of_row.begin(), group_of_row.end(), Index{0});
    return {std::move(group_of_row), rows};
  }

  /// One group for all rows: a universal trigger or noise.
  /// @throws InvalidArgument for 2^32 rows or more
  [[nodiscard]] static GroupMap universal(std::size_t rows) {
    require_numbered("rows of a group map", rows);
    return {std::vector<Index>(rows, 0), rows > 0 ? std::size_t{1} : std::size_t{0}};
  }

  /// A group for each label: a noise for each signal (labels[r] is the signal of row r), or one for
  /// each class.
  /// @param labels [rows]; 0, 1, ... without gaps
  /// @throws InvalidArgument when a label is missing
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

/// Which rows of a run share a noise, and which share a trigger.
struct Scope {
  GroupMap noise;     ///< [rows] to noise groups
  GroupMap triggers;  ///< [rows] to trigger groups

  /// The default: one noise for each signal, which its captions share, and one trigger for each
  /// caption.
  /// @param pairs a PairSource
  /// @throws InvalidArgument for 2^32 rows or signals or more, and when a signal has no row or a
  ///         row no signal
  template <class Pairs>
  [[nodiscard]] static Scope of(Pairs& pairs) {
    require_numbered("rows of the pair source", pairs.rows());
    require_numbered("signals of the pair source", pairs.signals());
    std::vector<Index> signals(pairs.rows());
    for (std::size_t r = 0; r < signals.size(); ++r) {
      signals[r] = static_cast<Index>(pairs.signal_of(static_cast<Index>(r)));
    }
    return {.noise = GroupMap(std::move(signals), pairs.signals()),
            .triggers = GroupMap::per_row(pairs.rows())};
  }
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
