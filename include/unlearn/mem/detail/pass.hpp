// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/mem/group_map.hpp"

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

/// sums[g] = the sum of values[i] over the places i that belong to group g.
inline void sum_by_group(View<const float, 2> values, const GroupMap& local, View<float, 2> sums) {
  std::ranges::fill(sums.flat(), 0.0F);
  for (std::size_t i = 0; i < values.extent(0); ++i) {
    const std::span<float> sum = sums.row(local.of(i));
    std::ranges::transform(sum, values.row(i), sum.begin(), std::plus<>{});
  }
}

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
