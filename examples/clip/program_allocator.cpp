// SPDX-License-Identifier: Apache-2.0
//
// How jemalloc manages the memory of the programs here, which are linked with it where it is found.
// A training step asks for the same few dozen blocks of up to tens of megabytes again and again:
//  - dirty_decay_ms, muzzy_decay_ms: freed memory is kept for the next step, as giving it back and
//    faulting it in again page by page takes longer than most of what is computed in it;
//  - oversize_threshold: large blocks, too, come from the threads' own arenas, which keep it.
// Unlike the C library's allocator with keep_freed_memory(), it lets no small block lie in what a
// large one will need again: a program's memory does not creep up from step to step.

/// Read by jemalloc as it starts.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,dirty_decay_ms:-1,muzzy_decay_ms:-1";
}
