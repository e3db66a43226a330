// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn::detail {

/// The order in which a pass visits `count` items, drawn from `seed` alone.
inline std::vector<Index> drawn_order(std::size_t count, std::uint64_t seed) {
  std::vector<Index> order(count);
  std::iota(order.begin(), order.end(), Index{0});
  SplitMix64 generator(seed);
  shuffle(std::span(order), generator);
  return order;
}

/// Cuts a pass over `count` items into batches of at most `batch_size` whose sizes differ by one
/// at most: a contrastive loss says little about a tiny last batch.
struct PassCut {
  std::size_t count = 0;
  std::size_t batch_size = 1;

  [[nodiscard]] std::size_t batches() const {
    return count / batch_size + (count % batch_size > 0 ? 1 : 0);
  }

  [[nodiscard]] std::span<const Index> batch(std::span<const Index> order, std::size_t b) const {
    const std::size_t begin = count * b / batches();
    return order.subspan(begin, count * (b + 1) / batches() - begin);
  }
};

/// The distinct groups in a batch, and who belongs to which of them.
struct DistinctGroups {
  std::vector<Index> groups;  ///< ascending
  GroupMap local;             ///< place in the batch to place in `groups`

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

/// Who belongs to which group, in the memory of a policy.
template <ExecutionPolicy P>
class PlacedGroups {
 public:
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

  /// sums[g] ← the sum of values[i] over the rows i that belong to group g.
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

/// The groups that `rows` belong to, place by place.
inline std::vector<Index> groups_of(const GroupMap& map, std::span<const Index> rows) {
  std::vector<Index> groups(rows.size());
  std::ranges::transform(rows, groups.begin(), [&](Index row) { return map.of(row); });
  return groups;
}

/// The signals that `rows` name, place by place.
template <class Pairs>
std::vector<Index> signals_of(Pairs& pairs, std::span<const Index> rows) {
  std::vector<Index> signals(rows.size());
  std::ranges::transform(rows, signals.begin(),
                         [&](Index row) { return static_cast<Index>(pairs.signal_of(row)); });
  return signals;
}

}  // namespace unlearn::detail
