// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "unlearn/cuda/detail/host_device.cuh"

namespace unlearn::cuda::detail {

/// Numbers in one unit of an elementwise pass: as many floats as one load of a GPU takes.
inline constexpr std::size_t pack_size = 4;

/// `pack_size` numbers that are read and written at once.
template <class T>
struct alignas(pack_size * sizeof(T)) Pack {
  T numbers[pack_size];
};

/// Whether packs can be read from `numbers`.
template <class T>
[[nodiscard]] bool is_aligned(const T* numbers) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): only the address is looked at
  return reinterpret_cast<std::uintptr_t>(numbers) % alignof(Pack<T>) == 0;
}

/// Calls run(std::true_type) if all can be read in packs, else run(std::false_type).
template <class Run>
void with_packs(bool can_be_read, const Run& run) {
  if (can_be_read) {
    run(std::true_type{});
  } else {
    run(std::false_type{});
  }
}

template <class T>
[[nodiscard]] UNLEARN_HOST_DEVICE Pack<T> load_pack(const T* from) {
#ifdef __CUDA_ARCH__
  return *reinterpret_cast<const Pack<T>*>(from);
#else
  Pack<T> pack;
  std::memcpy(static_cast<void*>(&pack), from, sizeof pack);
  return pack;
#endif
}

template <class T>
UNLEARN_HOST_DEVICE void store_pack(const Pack<T>& pack, T* to) {
#ifdef __CUDA_ARCH__
  *reinterpret_cast<Pack<T>*>(to) = pack;
#else
  std::memcpy(static_cast<void*>(to), &pack, sizeof pack);
#endif
}

}  // namespace unlearn::cuda::detail
