// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace unlearn::clip {

/// Lets the C library's allocator keep memory that is freed, up to 2 GiB, for what is asked for
/// next: a step's temporaries are tens of megabytes each, and by default every one of them is
/// mapped, faulted in page by page, and unmapped again. For the whole program, which then holds its
/// peak to its end; call it before anything large is allocated. Does nothing where the C library is
/// not GNU's.
void keep_freed_memory();

}  // namespace unlearn::clip
