// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/detail/launch.cuh"
#include "unlearn/cuda/detail/pack.cuh"

/// @file
/// A batch's rows, gathered and scattered on the device, and the order of its
/// captions. Nothing here waits.

namespace unlearn::cuda {
namespace detail {

/// Moves one pack of a row between two matrices. `Scatter`: the index says where it goes.
template <class T, bool scatter, bool packs>
struct MoveRow {
  const T* from;
  T* to;
  const Index* indices;
  std::size_t columns;
  std::size_t packs_a_row;

  UNLEARN_HOST_DEVICE void operator()(std::size_t unit) const {
    const std::size_t place = unit / packs_a_row;
    const std::size_t first = unit % packs_a_row * pack_size;
    const T* source = from + (scatter ? place : std::size_t{indices[place]}) * columns + first;
    T* target = to + (scatter ? std::size_t{indices[place]} : place) * columns + first;
    if constexpr (packs) {
      store_pack(load_pack(source), target);
    } else {
      for (std::size_t i = 0; i < pack_size && first + i < columns; ++i) target[i] = source[i];
    }
  }
};

template <bool scatter, class P, class A, class T>
void move_rows(const Queue<P, A>& queue, View<const T, 2> from, View<const Index, 1> indices,
               View<T, 2> to) {
  unlearn::require_size("columns of the rows to write", from.extent(1), to.extent(1));
  unlearn::require_size("indices of rows", scatter ? from.extent(0) : to.extent(0), indices.size());
  const std::size_t columns = from.extent(1);
  const std::size_t packs_a_row = (columns + pack_size - 1) / pack_size;
  with_packs(columns % pack_size == 0 && is_aligned(from.data()) && is_aligned(to.data()),
             [&](auto packs) {
               for_each_index(
                   queue, indices.size() * packs_a_row,
                   MoveRow<T, scatter, decltype(packs)::value>{.from = from.data(),
                                                               .to = to.data(),
                                                               .indices = indices.data(),
                                                               .columns = columns,
                                                               .packs_a_row = packs_a_row});
             });
}

/// sums[g, c] for one g and c.
struct SumRows {
  const float* rows;
  const Index* members;
  const Index* first;
  float* sums;
  std::size_t columns;

  UNLEARN_HOST_DEVICE void operator()(std::size_t at) const {
    const std::size_t group = at / columns;
    const std::size_t column = at % columns;
    float sum = 0;
    for (Index k = first[group]; k < first[group + 1]; ++k) {
      sum += rows[std::size_t{members[k]} * columns + column];
    }
    sums[at] = sum;
  }
};

/// A permutation of [0, count) that is computed place by place: a Feistel network over the next
/// power of 4, walked until it lands within (Black and Rogaway, "Ciphers with Arbitrary Finite
/// Domains", CT-RSA 2002).
class KeyedPermutation {
 public:
  UNLEARN_HOST_DEVICE KeyedPermutation(std::uint64_t key, std::uint32_t count)
      : key_(key), count_(count) {
    while ((std::uint64_t{1} << (2 * half_bits_)) < count) ++half_bits_;
  }

  UNLEARN_HOST_DEVICE std::uint32_t operator()(std::uint32_t place) const {
    std::uint32_t at = place;
    do {
      at = encrypt(at);
    } while (at >= count_);
    return at;
  }

 private:
  static constexpr unsigned passes = 8;

  UNLEARN_HOST_DEVICE std::uint32_t encrypt(std::uint32_t x) const {
    const std::uint32_t mask = (std::uint32_t{1} << half_bits_) - 1;
    std::uint32_t left = x >> half_bits_;
    std::uint32_t right = x & mask;
    for (unsigned pass = 0; pass < passes; ++pass) {
      SplitMix64 mixed(key_ ^ (std::uint64_t{pass} << 32U) ^ right);
      const std::uint32_t next = left ^ (static_cast<std::uint32_t>(mixed() >> 32U) & mask);
      left = right;
      right = next;
    }
    return left << half_bits_ | right;
  }

  std::uint64_t key_;
  std::uint32_t count_;
  unsigned half_bits_ = 1;
};

struct Permute {
  const std::uint64_t* key;
  Index* out;
  std::uint32_t count;
  UNLEARN_HOST_DEVICE void operator()(std::size_t place) const {
    out[place] = KeyedPermutation(*key, count)(static_cast<std::uint32_t>(place));
  }
};

struct NextKey {
  std::uint64_t* key;
  UNLEARN_HOST_DEVICE void operator()(std::size_t) const { *key = SplitMix64(*key)(); }
};

}  // namespace detail

/// to[i] ← from[indices[i]], row by row; all in the device's memory, indices within `from`.
/// @throws InvalidArgument when the shapes disagree
template <class P, class A, class T>
void gather_rows(const Queue<P, A>& queue, View<const std::type_identity_t<T>, 2> from,
                 View<const Index, 1> indices, View<T, 2> to) {
  detail::move_rows<false, P, A, T>(queue, from, indices, to);
}

/// sums[g] ← Σ rows[members[k]] for k from first[g] up to first[g + 1], in this order; all in the
/// device's memory, indices within `rows`.
/// @param sums [groups, columns]; `first` has groups + 1 numbers
/// @throws InvalidArgument when the shapes disagree
template <class P, class A>
void sum_rows(const Queue<P, A>& queue, View<const float, 2> rows, View<const Index, 1> members,
              View<const Index, 1> first, View<float, 2> sums) {
  unlearn::require_size("columns of the sums", rows.extent(1), sums.extent(1));
  unlearn::require_size("borders of groups", sums.extent(0) + 1, first.size());
  detail::for_each_index(queue, sums.size(),
                         detail::SumRows{.rows = rows.data(),
                                         .members = members.data(),
                                         .first = first.data(),
                                         .sums = sums.data(),
                                         .columns = sums.extent(1)});
}

/// to[indices[i]] ← from[i], row by row; no index twice.
/// @throws InvalidArgument when the shapes disagree
template <class P, class A, class T>
void scatter_rows(const Queue<P, A>& queue, View<const std::type_identity_t<T>, 2> from,
                  View<const Index, 1> indices, View<T, 2> to) {
  detail::move_rows<true, P, A, T>(queue, from, indices, to);
}

/// Writes a permutation of 0 .. B−1 that depends on *key alone, and draws the next key:
/// CaptionShuffle on a device. A captured graph shuffles anew each time it is launched.
/// @param key in the device's memory
/// @param caption_of [B], B below 2³²
template <class P, class A>
void shuffle(const Queue<P, A>& queue, std::uint64_t* key, View<Index, 1> caption_of) {
  unlearn::require(caption_of.size() <= 0xFFFFFFFFU, "captions to shuffle", "below 2^32",
                   caption_of.size());
  detail::for_each_index(queue, caption_of.size(),
                         detail::Permute{.key = key,
                                         .out = caption_of.data(),
                                         .count = static_cast<std::uint32_t>(caption_of.size())});
  detail::for_each_index(queue, 1, detail::NextKey{.key = key});
}

}  // namespace unlearn::cuda
