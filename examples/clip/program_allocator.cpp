// SPDX-License-Identifier: Apache-2.0
//
// Options of jemalloc for the programs here, which are linked with it if it is installed. Each
// training step allocates the same few dozen blocks, of up to tens of megabytes:
//  - dirty_decay_ms, muzzy_decay_ms: freed memory is kept for the next step. Returning it to the
//    system and faulting it in again takes longer than most of the computations in it;
//  - oversize_threshold: large blocks also come from the threads' arenas, which keep freed memory.
// The C library's allocator with keep_freed_memory() may put small blocks where a large block was,
// so that the program grows from step to step. jemalloc does not.

/// jemalloc reads this when it starts.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,dirty_decay_ms:-1,muzzy_decay_ms:-1";
}
