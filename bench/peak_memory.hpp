// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

/// @file
/// Counts the memory that the program allocates. It replaces malloc and related functions, which
/// `new` and Eigen use too. Include this in one source file of a program only.

#ifndef __GLIBC__
#error "counts memory by wrapping the allocator of the GNU C library"
#endif

namespace unlearn_bench {

/// The number of bytes that are allocated now, and its maximum.
struct Heap {
  std::atomic<std::size_t> live = 0;
  std::atomic<std::size_t> peak = 0;

  void* allocated(void* pointer) {
    if (pointer == nullptr) return pointer;
    const std::size_t now = live += malloc_usable_size(pointer);
    std::size_t before = peak;
    while (before < now && !peak.compare_exchange_weak(before, now)) {
    }
    return pointer;
  }
  void freed(void* pointer) {
    if (pointer != nullptr) live -= malloc_usable_size(pointer);
  }
};

inline Heap heap;

/// @returns the largest number of bytes allocated at once during the call, minus those allocated
/// before
template <class F>
std::size_t extra_bytes(F&& f) {
  const std::size_t before = heap.live;
  heap.peak = before;
  f();
  return heap.peak - before;
}

}  // namespace unlearn_bench

extern "C" {

void* __libc_malloc(std::size_t size);                     // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);  // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* pointer, std::size_t size);     // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment,
                      std::size_t size);  // NOLINT(bugprone-reserved-identifier)
void __libc_free(void* pointer);          // NOLINT(bugprone-reserved-identifier)

void* malloc(std::size_t size) { return unlearn_bench::heap.allocated(__libc_malloc(size)); }

void* calloc(std::size_t count, std::size_t size) {
  return unlearn_bench::heap.allocated(__libc_calloc(count, size));
}

void* realloc(void* pointer, std::size_t size) {
  unlearn_bench::heap.freed(pointer);
  return unlearn_bench::heap.allocated(__libc_realloc(pointer, size));
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return unlearn_bench::heap.allocated(__libc_memalign(alignment, size));
}

int posix_memalign(void** pointer, std::size_t alignment, std::size_t size) {
  *pointer = aligned_alloc(alignment, size);
  return *pointer == nullptr ? ENOMEM : 0;
}

void free(void* pointer) {
  unlearn_bench::heap.freed(pointer);
  __libc_free(pointer);
}

}  // extern "C"
