// SPDX-License-Identifier: Apache-2.0
#include "clip/encoder/freed_memory.hpp"

#include <limits>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace unlearn::clip {

void keep_freed_memory() {
#ifdef __GLIBC__
  // What the allocator maps by itself it cannot keep: all comes from its heap.
  constexpr int never_mapped = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, never_mapped);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

}  // namespace unlearn::clip
