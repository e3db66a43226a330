// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "unlearn/cuda/device.cuh"

/// @file
/// Copies between the host's memory and a device's that go on beside a policy's stream.

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
  CudaCopyLane() {
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
  template <class P, class A>
  void join(const Device<P, A>& device) {
    check(cudaStreamWaitEvent(stream_of(device.thrust), done_.get(), 0), "wait for a copy");
  }
  /// The device's buffer is free once the policy's stream has come to here.
  template <class P, class A>
  void release(const Device<P, A>& device) {
    check(cudaEventRecord(released_.get(), stream_of(device.thrust)), "event of the device");
  }
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

  Event done_;
  Event released_;
  std::unique_ptr<std::remove_pointer_t<cudaStream_t>, DestroyStream> stream_;  // ends first
};

#else

template <class T>
class PinnedArray {
 public:
  void reserve(std::size_t count) {
    if (count > memory_.size()) memory_.resize(count);
  }
  [[nodiscard]] T* data() { return memory_.data(); }

 private:
  std::vector<T> memory_;
};

#endif

/// On the host, where a copy is done at once.
template <class DeviceT>
class HostCopyLane {
 public:
  static void begin(const void* from, std::size_t bytes, void* to) {
    const HostAccess<DeviceT> access;
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  static void join(const DeviceT& /*device*/) {}
  static void release(const DeviceT& /*device*/) {}
  static void settle() {}
};

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
template <class DeviceT>
using CopyLane = std::conditional_t<DeviceT::on_cuda, CudaCopyLane, HostCopyLane<DeviceT>>;
#else
template <class DeviceT>
using CopyLane = HostCopyLane<DeviceT>;
#endif

}  // namespace unlearn::cuda::detail
