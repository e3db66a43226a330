// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "unlearn/cuda/detail/host_device.cuh"
#include "unlearn/cuda/queue.cuh"

/// @file
/// The two shapes that all work has: one call for each index, and one team for each group.

namespace unlearn::cuda::detail {

/// Calls work(i) for each i below `count`, in any order.
/// @param work trivially copyable; callable on the device where the policy runs there
template <class P, class A, class Work>
void for_each_index(const Queue<P, A>& queue, std::size_t count, const Work& work) {
  static_assert(std::is_trivially_copyable_v<Work>);
  if (count == 0) return;
  const HostAccess<Queue<P, A>> access;
  thrust::for_each_n(queue.thrust_policy(), thrust::counting_iterator<std::size_t>(0), count, work);
}

/// A team of one, on the host.
struct LoneTeam {
  /// The member's number, and how many there are.
  [[nodiscard]] static constexpr unsigned rank() { return 0; }
  [[nodiscard]] static constexpr unsigned size() { return 1; }
  /// What the members' numbers come to; every member is told.
  template <class T>
  [[nodiscard]] static constexpr T sum(T number) {
    return number;
  }
  template <class T>
  [[nodiscard]] static constexpr T max(T number) {
    return number;
  }
};

template <class Work>
struct AsLoneTeam {
  Work work;

  UNLEARN_EXEC_CHECK_DISABLE
  UNLEARN_HOST_DEVICE void operator()(std::size_t group) const {
    LoneTeam team;
    work(team, group);
  }
};

#ifdef UNLEARN_KERNELS

/// A block of threads. Sums are taken in an order that depends on its size alone.
template <unsigned Threads>
struct BlockTeam {
  static_assert(Threads % 32 == 0 && Threads <= 1024);

  [[nodiscard]] __device__ unsigned rank() const { return threadIdx.x; }
  [[nodiscard]] __device__ static constexpr unsigned size() { return Threads; }

  template <class T>
  [[nodiscard]] __device__ T sum(T number) const {
    return reduce(number, [](T a, T b) { return a + b; });
  }
  template <class T>
  [[nodiscard]] __device__ T max(T number) const {
    return reduce(number, [](T a, T b) { return a < b || b != b ? b : a; });
  }

 private:
  template <class T, class Combine>
  [[nodiscard]] __device__ T reduce(T number, Combine combine) const {
    __shared__ T of_warp[Threads / 32];
    for (unsigned distance = 16; distance > 0; distance /= 2) {
      number = combine(number, __shfl_xor_sync(~0U, number, distance));
    }
    __syncthreads();  // nobody reads the last result any more
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = number;
    __syncthreads();
    T result = of_warp[0];
    for (unsigned warp = 1; warp < Threads / 32; ++warp) result = combine(result, of_warp[warp]);
    return result;
  }
};

template <unsigned Threads, class Work>
__global__ void __launch_bounds__(Threads) run_teams(std::size_t groups, Work work) {
  BlockTeam<Threads> team;
  for (std::size_t group = blockIdx.x; group < groups; group += gridDim.x) work(team, group);
}

#endif

/// Calls work(team, g) for each group g below `groups`: one team of threads each on CUDA, one
/// thread each on the host. Every member makes the same calls of the team.
template <unsigned Threads = 128, class P, class A, class Work>
void for_each_group(const Queue<P, A>& queue, std::size_t groups, const Work& work) {
  static_assert(std::is_trivially_copyable_v<Work>);
  if (groups == 0) return;
  if constexpr (Queue<P, A>::on_cuda) {
#ifdef __CUDACC__
    constexpr std::size_t most_blocks = 0x7FFFFFFF;
    const auto blocks = static_cast<unsigned>(std::min(groups, most_blocks));
    run_teams<Threads><<<blocks, Threads, 0, stream_of(queue.thrust_policy())>>>(groups, work);
    check(cudaGetLastError(), "launch of a kernel");
    finish(queue.thrust_policy());
#else
    static_assert(!Queue<P, A>::on_cuda, "a policy of CUDA needs nvcc");
#endif
  } else {
    for_each_index(queue, groups, AsLoneTeam<Work>{work});
  }
}

}  // namespace unlearn::cuda::detail
