// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "unlearn/cuda/queue.cuh"

/// @file
/// Copies between the host's memory and a device's that go on beside a policy's stream: CopyLanes
/// of the library, see unlearn/device/streaming_backend.hpp.

namespace unlearn::cuda::detail {

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA

/// Host memory that a GPU copies from and to while the host goes on.
template <class T>
class PinnedArray {
 public:
  /// Makes room for `count` numbers, if there is less. What was there is lost then.
  void reserve(std::size_t count) {
    if (count <= size_) return;
    memory_.reset();
    size_ = 0;
    void* memory = nullptr;
    check(cudaMallocHost(&memory, count * sizeof(T)), "pinned memory of the host");
    memory_.reset(static_cast<T*>(memory));
    size_ = count;
  }
  [[nodiscard]] T* data() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(T* memory) const { cudaFreeHost(memory); }
  };
  std::unique_ptr<T, Free> memory_;
  std::size_t size_ = 0;
};

/// A stream of its own, for one copy at a time between an array of the host's and a buffer of the
/// device's.
class CudaCopyLane {
 public:
  /// @param queue whose stream the copies go beside
  template <class P, class A>
  explicit CudaCopyLane(const Queue<P, A>& queue) : beside_(stream_of(queue.thrust_policy())) {
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream for copies");
    stream_.reset(stream);
    done_.reset(new_event());
    released_.reset(new_event());
  }

  /// Begins a copy, once the policy's stream has come to the last release().
  void begin(const void* from, std::size_t bytes, void* to) {
    check(cudaStreamWaitEvent(stream_.get(), released_.get(), 0), "wait for the device");
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_.get()), "copy");
    check(cudaEventRecord(done_.get(), stream_.get()), "event of a copy");
  }
  /// The policy's stream goes on when the last copy is done.
  void join() { check(cudaStreamWaitEvent(beside_, done_.get(), 0), "wait for a copy"); }
  /// The device's buffer is free once the policy's stream has come to here.
  void release() { check(cudaEventRecord(released_.get(), beside_), "event of the device"); }
  /// Returns when the last copy is done, so the host's array is free.
  void settle() { check(cudaEventSynchronize(done_.get()), "copy"); }

 private:
  static cudaEvent_t new_event() {
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "event");
    return event;
  }
  struct DestroyStream {
    void operator()(cudaStream_t stream) const {
      cudaStreamSynchronize(stream);
      cudaStreamDestroy(stream);
    }
  };
  struct DestroyEvent {
    void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
  };
  using Event = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, DestroyEvent>;

  cudaStream_t beside_;
  Event done_;
  Event released_;
  std::unique_ptr<std::remove_pointer_t<cudaStream_t>, DestroyStream> stream_;  // ends first
};

#else

/// Memory of the host: any will do where nothing goes on beside it.
template <class T>
class PinnedArray {
 public:
  /// Makes room for `count` numbers, if there is less.
  void reserve(std::size_t count) {
    if (count > memory_.size()) memory_.resize(count);
  }
  [[nodiscard]] T* data() { return memory_.data(); }

 private:
  std::vector<T> memory_;
};

#endif

/// On the host, where a copy is done at once.
template <class QueueT>
class HostCopyLane {
 public:
  explicit HostCopyLane(const QueueT& /*queue*/) {}
  static void begin(const void* from, std::size_t bytes, void* to) {
    const HostAccess<QueueT> access;
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  static void join() {}
  static void release() {}
  static void settle() {}
};

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
template <class QueueT>
using CopyLaneOf = std::conditional_t<QueueT::on_cuda, CudaCopyLane, HostCopyLane<QueueT>>;
#else
template <class QueueT>
using CopyLaneOf = HostCopyLane<QueueT>;
#endif

}  // namespace unlearn::cuda::detail
