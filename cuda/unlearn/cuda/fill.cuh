// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "unlearn/cuda/detail/launch.cuh"

namespace unlearn::cuda {
namespace detail {

template <class T>
struct Fill {
  T value;
  T* to;
  UNLEARN_HOST_DEVICE void operator()(std::size_t i) const { to[i] = value; }
};

}  // namespace detail

/// to[i] ← value for i below `count`, in the device's memory. Does not wait.
template <class P, class A, class T>
void fill(const Queue<P, A>& queue, T value, std::size_t count, T* to) {
  detail::for_each_index(queue, count, detail::Fill<T>{.value = value, .to = to});
}

}  // namespace unlearn::cuda
