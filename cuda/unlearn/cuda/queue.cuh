// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrust/device_malloc_allocator.h>
#include <thrust/execution_policy.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

#include "unlearn/core/error.hpp"
#include "unlearn/cuda/arena.cuh"
#include "unlearn/cuda/buffer.cuh"

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#endif

namespace unlearn::cuda {
namespace detail {

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA

template <class Derived>
std::true_type is_cuda_policy(const thrust::cuda_cub::execution_policy<Derived>*);
std::false_type is_cuda_policy(const void*);

/// Whether a Thrust policy runs on CUDA, or on the host's CPP, OMP or TBB system.
template <class ThrustPolicy>
inline constexpr bool runs_on_cuda =
    decltype(is_cuda_policy(std::declval<const ThrustPolicy*>()))::value;

/// @throws Error when a call of the CUDA runtime failed
inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) {
    throw Error(unlearn::expectation(what, "no error", cudaGetErrorString(status)));
  }
}

/// @throws Error when a call of cuBLAS failed
inline void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw Error(unlearn::expectation(what, "no error", cublasGetStatusString(status)));
  }
}

template <class ThrustPolicy>
[[nodiscard]] cudaStream_t stream_of(const ThrustPolicy& policy) {
  ThrustPolicy copy = policy;  // Thrust asks a policy that it may change
  return thrust::cuda_cub::stream(copy);
}

/// Waits for the stream if the policy is one that does, as Thrust's algorithms do at their ends:
/// `par` waits, `par_nosync` does not.
template <class ThrustPolicy>
void finish(const ThrustPolicy& policy) {
  ThrustPolicy copy = policy;
  check(thrust::cuda_cub::synchronize_optional(copy), "work on the device");
}

/// cuBLAS, made at its first use. It gets its workspace from us: of its own it would allocate one
/// within a graph that is captured.
template <class Allocator>
class Blas {
 public:
  explicit Blas(Allocator allocator) : workspace_(std::move(allocator)) {}

  /// The handle, set to `stream`.
  [[nodiscard]] cublasHandle_t on(cudaStream_t stream) {
    workspace_.reserve(workspace_bytes);
    if (handle_ == nullptr) {
      cublasHandle_t made = nullptr;
      check(cublasCreate(&made), "cublasCreate");
      handle_.reset(made);
    }
    check(cublasSetStream(handle_.get(), stream), "cublasSetStream");
    // Setting the stream has put the default workspace back.
    check(cublasSetWorkspace(handle_.get(), workspace_.data(), workspace_bytes),
          "cublasSetWorkspace");
    return handle_.get();
  }

 private:
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20U;  // advised for sm_90

  struct Destroy {
    void operator()(cublasHandle_t handle) const { cublasDestroy(handle); }
  };

  Buffer<unsigned char, Allocator> workspace_;
  std::unique_ptr<std::remove_pointer_t<cublasHandle_t>, Destroy> handle_;  // ends first
};

#else

template <class ThrustPolicy>
inline constexpr bool runs_on_cuda = false;

template <class Allocator>
struct Blas {
  explicit Blas(const Allocator& /*allocator*/) {}
};

#endif

}  // namespace detail

/// What the calls on one stream share: scratch memory, and a handle of cuBLAS.
///
/// The first call of each kind may allocate; the same call again does not. Must outlive the work
/// that was started with it and the graphs that were captured with it: they use its memory. They
/// run on its stream only.
/// @tparam Allocator see Arena
template <class Allocator = thrust::device_malloc_allocator<unsigned char>>
class Context {
 public:
  /// @param allocator copied
  explicit Context(Allocator allocator = {}) : arena_(allocator), blas_(std::move(allocator)) {}

  /// @returns scratch memory.
  [[nodiscard]] Arena<Allocator>& arena() { return arena_; }
  /// @returns cuBLAS; empty on systems of the host.
  [[nodiscard]] detail::Blas<Allocator>& blas() { return blas_; }

 private:
  Arena<Allocator> arena_;
  detail::Blas<Allocator> blas_;
};

namespace detail {

/// While it lives, the host may work in the device's memory, as Thrust's systems of the host do. An
/// allocator may close its memory to the host at all other times; it then has open_to_host() and
/// close_to_host(). That of the tests does, to find code that touches the device's memory.
template <class QueueT>
class HostAccess {
 public:
  HostAccess() {
    if constexpr (is_closed) Allocator::open_to_host();
  }
  HostAccess(const HostAccess&) = delete;
  HostAccess& operator=(const HostAccess&) = delete;
  ~HostAccess() {
    if constexpr (is_closed) Allocator::close_to_host();
  }

 private:
  using Allocator = typename QueueT::allocator_type;
  static constexpr bool is_closed = !QueueT::on_cuda && requires {
    Allocator::open_to_host();
    Allocator::close_to_host();
  };
};

}  // namespace detail

/// Where kernels and copies go: a policy of Thrust's, and what the calls on its stream share.
///
/// On CUDA views refer to the device's memory, and calls are enqueued on the policy's stream. With
/// `par_nosync` they return at once, unless their documentation says that they wait, and can be
/// captured in a CUDA graph once the same call was made before; with `par` and `thrust::device`
/// every call waits, as Thrust's own do. On the host's systems (CPP, OMP, TBB) the same calls run
/// on the processor, in its memory.
///
/// Device is a queue with all that the library's algorithms ask for.
template <class ThrustPolicy, class Allocator = thrust::device_malloc_allocator<unsigned char>>
class Queue {
 public:
  /// Where its memory comes from.
  using allocator_type = Allocator;
  /// Whether it runs on CUDA.
  static constexpr bool on_cuda = detail::runs_on_cuda<ThrustPolicy>;

  /// @param policy  stream and allocator: thrust::cuda::par_nosync(alloc).on(stream)
  /// @param context of the policy's stream; must outlive this
  Queue(const ThrustPolicy& policy, Context<Allocator>& context)
      : policy_(policy), context_(&context) {}

  /// @returns the policy for calls of Thrust.
  [[nodiscard]] const ThrustPolicy& thrust_policy() const { return policy_; }
  /// @returns what the calls on this stream share.
  [[nodiscard]] Context<Allocator>& context() const { return *context_; }

  /// @returns room for `count` numbers in the device's memory, until it leaves its scope.
  /// @throws what Arena::borrow throws
  template <class T>
  [[nodiscard]] Scratch<T, Arena<Allocator>> scratch(std::size_t count) const {
    return {context_->arena(), count};
  }

  /// Copies within the device's memory. Does not wait.
  template <class T>
  void copy(const T* from, std::size_t count, T* to) const {
    static_assert(std::is_trivially_copyable_v<T>);
    copy_bytes(from, count * sizeof(T), to);
  }
  /// Copies from the host's memory to the device's, and waits for the stream: pinned memory would
  /// still be read otherwise.
  template <class T>
  void copy_in(const T* host, std::size_t count, T* to) const {
    copy(host, count, to);
    wait();
  }
  /// Copies from the device's memory to the host's, and waits for the stream.
  template <class T>
  void copy_out(const T* from, std::size_t count, T* host) const {
    copy(from, count, host);
    wait();
  }

  /// Waits for the policy's stream.
  /// @throws Error when work on the device failed
  void wait() const {
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
    if constexpr (on_cuda) {
      detail::check(cudaStreamSynchronize(detail::stream_of(policy_)), "work on the device");
    }
#endif
  }

 private:
  /// Copies bytes from anywhere to anywhere, on the policy's stream. Does not wait.
  void copy_bytes(const void* from, std::size_t bytes, void* to) const {
    if (bytes == 0) return;
    if constexpr (on_cuda) {
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
      detail::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, detail::stream_of(policy_)),
                    "copy");
#endif
    } else {
      const detail::HostAccess<Queue> access;
      std::memcpy(to, from, bytes);
    }
  }

  ThrustPolicy policy_;
  Context<Allocator>* context_;
};

namespace detail {

/// Multiprocessors of the current GPU; 1 on a system of the host.
template <class P, class A>
[[nodiscard]] std::size_t multiprocessors(const Queue<P, A>& /*queue*/) {
  int count = 1;
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
  if constexpr (Queue<P, A>::on_cuda) {
    int id = 0;
    check(cudaGetDevice(&id), "current GPU");
    check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, id), "multiprocessors");
  }
#endif
  return static_cast<std::size_t>(count);
}

}  // namespace detail

}  // namespace unlearn::cuda
