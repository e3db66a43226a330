// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/mem/run_progress.hpp"
#include "unlearn/mem/stage.hpp"

namespace unlearn {

/// The numbers 0 to `count` − 1 in a random order that depends only on `seed`.
/// @throws InvalidArgument for a count of 2^32 or more
[[nodiscard]] inline std::vector<Index> drawn_order(std::size_t count, std::uint64_t seed) {
  require_numbered("numbers to be put in order", count);
  std::vector<Index> order(count);
  std::iota(order.begin(), order.end(), Index{0});
  SplitMix64 generator(seed);
  shuffle(std::span(order), generator);
  return order;
}

/// Cuts a pass over `count` items into batches of at most `batch_size`. The sizes of the batches
/// differ by at most one, because a contrastive loss means little for a tiny last batch.
struct PassCut {
  std::size_t count = 0;       ///< the number of items; 0 for no pass
  std::size_t batch_size = 1;  ///< at least 1

  /// The number of batches.
  [[nodiscard]] std::size_t batches() const {
    return count / batch_size + (count % batch_size > 0 ? 1 : 0);
  }

  /// The number of items in the smallest batch; 0 if there is none.
  [[nodiscard]] std::size_t smallest_batch() const { return count == 0 ? 0 : count / batches(); }

  /// The items of batch `number`, given all items in order.
  [[nodiscard]] std::span<const Index> batch(std::span<const Index> order,
                                             std::size_t number) const {
    const std::size_t begin = count * number / batches();
    return order.subspan(begin, count * (number + 1) / batches() - begin);
  }
};

/// A pass over a data set, batch by batch. Each pass has a new random order.
///
/// It is for a stage that visits each item once a round. The seed of the order is part of the
/// progress, so a resumed run has the same order.
class Pass {
 public:
  /// @param cut      how the items are cut into batches
  /// @param progress the stage's part of the run's progress; must outlive this object
  Pass(const PassCut& cut, PassProgress& progress) : cut_(cut), progress_(&progress) {}

  /// How the items are cut into batches.
  [[nodiscard]] const PassCut& cut() const { return cut_; }
  /// The number of batches.
  [[nodiscard]] std::size_t batches() const { return cut_.batches(); }

  /// The items of the batch that is due; valid until the next pass begins.
  /// @param due which batch
  /// @param rng the run's generator; only the first batch of a pass draws from it
  template <std::uniform_random_bit_generator Rng>
  [[nodiscard]] std::span<const Index> batch(const StageBatch& due, Rng& rng) {
    if (due.batch == 0) progress_->order_seed = random_bits(rng);
    if (due.batch == 0 || order_.empty()) order_ = drawn_order(cut_.count, progress_->order_seed);
    return cut_.batch(order_, due.batch);
  }

  /// The items of the batch after `due`; none after the last one. Call batch() first.
  [[nodiscard]] std::span<const Index> next(const StageBatch& due) const {
    const std::size_t next = due.batch + 1;
    return next < batches() ? cut_.batch(order_, next) : std::span<const Index>();
  }

 private:
  PassCut cut_;
  PassProgress* progress_;
  std::vector<Index> order_;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
