// SPDX-License-Identifier: Apache-2.0
// expect-error: this policy is no unlearn::Backend: see its requirements in
// unlearn/core/backend.hpp expect-error: copy_out
#include <cstddef>
#include <cstdint>

#include "unlearn/unlearn.hpp"

struct MyBackend : unlearn::HostBackend {
#ifdef UNLEARN_BAD
  template <class T>
  static void copy_out(const T* from, std::size_t count, T* host) = delete;
#endif
};

float* scratch_of(const MyBackend& backend) { return unlearn::scratch<float>(backend, 3).data(); }
