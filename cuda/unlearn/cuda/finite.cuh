// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "unlearn/cuda/detail/launch.cuh"
#include "unlearn/cuda/detail/pack.cuh"

namespace unlearn::cuda {
namespace detail {

/// Sets *found when one of the numbers of a piece is NaN or infinite. A piece has every `stride`th
/// pack.
///
/// Looks at the bits, as the library does on the host: comparisons are settled under -ffast-math.
template <class T, bool packs>
struct FindNotFinite {
  const T* numbers;
  std::size_t count;
  std::size_t stride;
  int* found;

  using Bits = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;

  UNLEARN_HOST_DEVICE static bool is_not_finite(T number) {
    constexpr Bits infinity = sizeof(T) == sizeof(std::uint32_t)
                                  ? static_cast<Bits>(0x7F800000U)
                                  : static_cast<Bits>(0x7FF0000000000000U);
    Bits bits;
    memcpy(&bits, &number, sizeof bits);
    return (bits & infinity) == infinity;
  }

  UNLEARN_HOST_DEVICE void operator()(std::size_t piece) const {
    // Not until one is found: a load that waits for no other lets many be under way.
    bool any = false;
    for (std::size_t first = piece * pack_size; first < count; first += stride * pack_size) {
      if (packs && first + pack_size <= count) {
        const Pack<T> pack = load_pack(numbers + first);
        for (const T number : pack.numbers) any |= is_not_finite(number);
      } else {
        for (std::size_t i = first; i < count && i < first + pack_size; ++i) {
          any |= is_not_finite(numbers[i]);
        }
      }
    }
    if (!any) return;
#ifdef __CUDA_ARCH__
    atomicExch(found, 1);
#else
    std::atomic_ref<int>(*found).store(1, std::memory_order_relaxed);
#endif
  }
};

/// *number ← 0, without a kernel.
template <class P, class A>
void set_to_zero([[maybe_unused]] const Queue<P, A>& queue, int* number) {
  if constexpr (Queue<P, A>::on_cuda) {
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
    check(cudaMemsetAsync(number, 0, sizeof *number, stream_of(queue.thrust_policy())),
          "memory set to 0");
#endif
  } else {
    const HostAccess<Queue<P, A>> access;
    *number = 0;
  }
}

}  // namespace detail

/// *found ← 1 when a number is NaN or infinite, else 0; both are in the device's memory. One
/// kernel. Does not wait.
template <class P, class A, std::floating_point T>
void find_not_finite(const Queue<P, A>& queue, const T* numbers, std::size_t count, int* found) {
  detail::set_to_zero(queue, found);
  constexpr std::size_t most_pieces = std::size_t{1} << 19U;
  const std::size_t pieces =
      std::min((count + detail::pack_size - 1) / detail::pack_size, most_pieces);
  detail::with_packs(detail::is_aligned(numbers), [&](auto packs) {
    detail::for_each_index(
        queue, pieces,
        detail::FindNotFinite<T, decltype(packs)::value>{
            .numbers = numbers, .count = count, .stride = pieces, .found = found});
  });
}

/// Whether every number is neither NaN nor infinite. Waits for the device.
template <class P, class A, std::floating_point T>
[[nodiscard]] bool all_finite(const Queue<P, A>& queue, const T* numbers, std::size_t count) {
  const auto found = queue.template scratch<int>(1);
  find_not_finite(queue, numbers, count, found.data());
  int answer = 0;
  queue.copy_out(found.data(), 1, &answer);
  return answer == 0;
}

}  // namespace unlearn::cuda
