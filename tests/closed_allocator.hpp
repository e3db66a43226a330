// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <new>

namespace unlearn::testing {

/// Memory that the host cannot touch but between open_to_host() and close_to_host(), as it cannot
/// touch a GPU's: a program that does is ended by SIGSEGV, and so is one that goes beyond what was
/// allocated by more than its rounding up to 256 bytes, or uses it when it is gone. All bits of
/// what was not written yet are set.
///
/// For one thread at a time.
class ClosedAllocator {
 public:
  using value_type = unsigned char;
  using pointer = unsigned char*;
  using size_type = std::size_t;

  /// @throws std::bad_alloc
  [[nodiscard]] static pointer allocate(size_type size) {
    const Mapping mapping = mapping_for(size);
    // One page more, which stays closed.
    void* const begin = mmap(nullptr, mapping.bytes + page(), PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (begin == MAP_FAILED) throw std::bad_alloc();
    mprotect(begin, mapping.bytes, PROT_READ | PROT_WRITE);
    std::memset(begin, 0xFF, mapping.bytes);
    if (opened() == 0) mprotect(begin, mapping.bytes, PROT_NONE);
    all()[begin] = mapping.bytes;
    return static_cast<pointer>(begin) + mapping.offset;
  }
  static void deallocate(pointer memory, size_type size) {
    const Mapping mapping = mapping_for(size);
    void* const begin = memory - mapping.offset;
    all().erase(begin);
    munmap(begin, mapping.bytes + page());
  }

  static void open_to_host() {
    if (opened()++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  static void close_to_host() {
    if (--opened() == 0) protect(PROT_NONE);
  }

 private:
  /// Whole pages, at whose end the array stands.
  struct Mapping {
    std::size_t bytes;
    std::size_t offset;
  };
  static Mapping mapping_for(size_type size) {
    constexpr std::size_t alignment = 256;
    const std::size_t bytes = (size + page() - 1) / page() * page();
    return {.bytes = bytes, .offset = (bytes - size) / alignment * alignment};
  }
  static std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

  static void protect(int access) {
    for (const auto& [begin, bytes] : all()) mprotect(begin, bytes, access);
  }

  static std::map<void*, std::size_t>& all() {
    static std::map<void*, std::size_t> mappings;
    return mappings;
  }
  static unsigned& opened() {
    static unsigned times = 0;
    return times;
  }
};

}  // namespace unlearn::testing
