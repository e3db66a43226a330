// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn::detail {

/// The distinct groups in a batch, and which place of the batch belongs to which of them.
struct DistinctGroups {
  std::vector<Index> groups;  ///< ascending
  GroupMap local;             ///< place in the batch to index in `groups`

  /// @param group_of_place the group of each place in the batch
  explicit DistinctGroups(std::span<const Index> group_of_place)
      : groups(group_of_place.begin(), group_of_place.end()) {
    std::ranges::sort(groups);
    groups.erase(std::ranges::unique(groups).begin(), groups.end());
    std::vector<Index> places(group_of_place.size());
    std::ranges::transform(group_of_place, places.begin(), [&](Index group) {
      return static_cast<Index>(std::ranges::lower_bound(groups, group) - groups.begin());
    });
    local = GroupMap(std::move(places), groups.size());
  }
};

/// A GroupMap in the memory of a policy.
template <ExecutionPolicy P>
class PlacedGroups {
 public:
  /// @param policy must outlive this object
  /// @param map    copied
  PlacedGroups(const P& policy, const GroupMap& map)
      : policy_(&policy),
        rows_(map.rows()),
        groups_(map.groups()),
        numbers_(scratch<Index>(policy, 2 * rows_ + groups_ + 1)) {
    std::vector<Index> numbers(map.group_of_rows().begin(), map.group_of_rows().end());
    for (std::size_t g = 0; g < groups_; ++g) {
      numbers.insert(numbers.end(), map.rows_of(g).begin(), map.rows_of(g).end());
    }
    Index first = 0;
    for (std::size_t g = 0; g <= groups_; ++g) {
      numbers.push_back(first);
      if (g < groups_) first += static_cast<Index>(map.rows_of(g).size());
    }
    backend_of(policy).copy_in(numbers.data(), numbers.size(), numbers_.data());
  }

  /// The group of each row.
  [[nodiscard]] View<const Index, 1> group_of_row() const { return {numbers_.data(), {rows_}}; }

  /// sums[g] ← Σ values[i] over the rows i of group g.
  /// @param values [rows, n]
  /// @param sums   [groups, n], written
  void sum(View<const float, 2> values, View<float, 2> sums) const {
    backend_of(*policy_).sum_rows(values, View<const Index, 1>(numbers_.data() + rows_, {rows_}),
                                  View<const Index, 1>(numbers_.data() + 2 * rows_, {groups_ + 1}),
                                  sums);
  }

 private:
  const P* policy_;
  std::size_t rows_;
  std::size_t groups_;
  ScratchOf<Index, P> numbers_;
};

/// The group of each of `rows`.
inline std::vector<Index> groups_of(const GroupMap& map, std::span<const Index> rows) {
  std::vector<Index> groups(rows.size());
  std::ranges::transform(rows, groups.begin(), [&](Index row) { return map.of(row); });
  return groups;
}

}  // namespace unlearn::detail

#include "unlearn/core/pop_macros.hpp"
