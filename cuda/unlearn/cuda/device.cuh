// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/buffer.cuh"
#include "unlearn/cuda/detail/copy_lane.cuh"
#include "unlearn/cuda/fill.cuh"
#include "unlearn/cuda/finite.cuh"
#include "unlearn/cuda/gather.cuh"
#include "unlearn/cuda/hotflip.cuh"
#include "unlearn/cuda/queue.cuh"
#include "unlearn/cuda/sign_step.cuh"
#include "unlearn/device/streaming_backend.hpp"
#include "unlearn/noise/noise_backend.hpp"
#include "unlearn/trigger/ranking_backend.hpp"

namespace unlearn::cuda {

/// A backend of the library by Thrust, cuBLAS and kernels: a StreamingBackend, a NoiseBackend for
/// PixelGridSet and for BallAndBoxSet with an LinfBall, and a RankingBackend.
///
/// See Queue for where its work runs, and when a call returns. Its members are the calls of the
/// same names in fill.cuh, finite.cuh, gather.cuh, hotflip.cuh and sign_step.cuh.
template <class ThrustPolicy, class Allocator = thrust::device_malloc_allocator<unsigned char>>
class Device : public Queue<ThrustPolicy, Allocator> {
 public:
  using Queue<ThrustPolicy, Allocator>::Queue;

  /// See BackendPolicy.
  static constexpr MemorySpace memory = MemorySpace::device;

  /// to[i] ← value for i below `count`. Does not wait.
  template <class T>
  void fill(T value, std::size_t count, T* to) const {
    cuda::fill(*this, value, count, to);
  }
  /// @returns whether no number is NaN or infinite. Waits.
  template <std::floating_point T>
  [[nodiscard]] bool all_finite(const T* numbers, std::size_t count) const {
    return cuda::all_finite(*this, numbers, count);
  }

  /// to[i] ← from[indices[i]], row by row. Does not wait.
  /// @throws InvalidArgument when the shapes disagree
  template <class T>
  void gather_rows(View<const std::type_identity_t<T>, 2> from, View<const Index, 1> indices,
                   View<T, 2> to) const {
    cuda::gather_rows(*this, from, indices, to);
  }
  /// to[indices[i]] ← from[i], row by row; no index twice. Does not wait.
  /// @throws InvalidArgument when the shapes disagree
  template <class T>
  void scatter_rows(View<const std::type_identity_t<T>, 2> from, View<const Index, 1> indices,
                    View<T, 2> to) const {
    cuda::scatter_rows(*this, from, indices, to);
  }
  /// sums[g] ← Σ rows[members[k]] for k from first[g] up to first[g + 1]. Does not wait.
  /// @throws InvalidArgument when the shapes disagree
  void sum_rows(View<const float, 2> rows, View<const Index, 1> members, View<const Index, 1> first,
                View<float, 2> sums) const {
    cuda::sum_rows(*this, rows, members, first, sums);
  }

  /// `noise` ← the nearest noise of the set, in place. Does not wait.
  template <class Set, class X>
    requires requires(const Device& device, const Set& set, View<X, 2> noise) {
      cuda::project(device, set, noise);
    }
  void project(const Set& set, View<X, 2> noise) const {
    cuda::project(*this, set, noise);
  }
  /// `noise` ← the noise of the set nearest to noise + step · sign(grad), in place. Does not wait.
  /// @param step in the units of the stored noise: whole levels for a PixelGridSet
  template <class Set, class X>
    requires requires(const Device& device, const Set& set, View<X, 2> noise) {
      cuda::project(device, set, noise);
    }
  void sign_step(const Set& set, View<X, 2> noise, View<const gradient_of_t<X>, 2> grad,
                 step_of_t<X> step) const {
    cuda::sign_step(*this, set, noise, grad, step);
  }

  /// See RankingBackend. Waits.
  /// @param gradients  [R, E], in the device's memory
  /// @param embeddings [V, E], in the device's memory
  /// @param filter     over V
  /// @param tokens     [R, depth], written in the host's memory
  /// @param scores     [R, depth], written in the host's memory
  /// @throws InvalidArgument when the shapes disagree, or depth is 0
  void rank_tokens(View<const float, 2> gradients, View<const float, 2> embeddings,
                   const TokenFilter& filter, View<Token, 2> tokens, View<float, 2> scores) const {
    cuda::rank_tokens_to_host(*this, gradients, embeddings, filter, tokens, scores);
  }

  /// @returns room in the device's memory that lasts, empty at first.
  template <class T>
  [[nodiscard]] Buffer<T, Allocator> buffer() const {
    return Buffer<T, Allocator>(this->context().arena().allocator());
  }
  /// @returns room in the host's memory for copies beside the stream, empty at first: pinned where
  ///          CUDA is.
  template <class T>
  [[nodiscard]] detail::PinnedArray<T> host_array() const {
    return {};
  }
  /// @returns a lane for copies beside the stream.
  /// @throws Error when CUDA has no stream for it
  [[nodiscard]] auto copy_lane() const {
    return detail::CopyLaneOf<Queue<ThrustPolicy, Allocator>>(*this);
  }
  /// @returns the memory of the device that is free; all there could be on a system of the host.
  /// @throws Error when CUDA cannot tell
  [[nodiscard]] std::size_t free_bytes() const {
    std::size_t free = std::numeric_limits<std::size_t>::max();
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
    if constexpr (Device::on_cuda) {
      std::size_t total = 0;
      detail::check(cudaMemGetInfo(&free, &total), "memory of the device");
    }
#endif
    return free;
  }
};

/// @returns the backend for one of Thrust's policies.
template <class ThrustPolicy, class Allocator>
[[nodiscard]] Device<ThrustPolicy, Allocator> on(const ThrustPolicy& policy,
                                                 Context<Allocator>& context) {
  return {policy, context};
}

}  // namespace unlearn::cuda
