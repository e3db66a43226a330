// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <thrust/device_malloc_allocator.h>
#include <thrust/execution_policy.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "closed_allocator.hpp"
#include "late_copy_lane.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/buffer.cuh"
#include "unlearn/cuda/device.cuh"

/// @file
/// The backend that the tests of tests/device run on, here: CUDA's, on a system of Thrust's. Beside
/// those tests there is another header of this name, with a backend that needs no Thrust.

namespace unlearn::testing {

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
using DeviceAllocator = thrust::device_malloc_allocator<unsigned char>;
#else
using DeviceAllocator = ClosedAllocator;
#endif

/// Counts what is allocated from it.
class CountingAllocator : public DeviceAllocator {
 public:
  explicit CountingAllocator(std::size_t& count) : count_(&count) {}

  [[nodiscard]] pointer allocate(size_type size) {
    ++*count_;
    return DeviceAllocator::allocate(size);
  }

 private:
  std::size_t* count_;
};

}  // namespace unlearn::testing

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_OMP || \
    THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_TBB
/// On these systems copies come late; on CPP they are done at once.
template <class ThrustPolicy>
class unlearn::cuda::detail::HostCopyLane<
    unlearn::cuda::Queue<ThrustPolicy, unlearn::testing::CountingAllocator>>
    : public unlearn::testing::LateCopyLane<unlearn::cuda::detail::HostAccess<
          unlearn::cuda::Queue<ThrustPolicy, unlearn::testing::CountingAllocator>>> {
 public:
  using Queue = unlearn::cuda::Queue<ThrustPolicy, unlearn::testing::CountingAllocator>;
  explicit HostCopyLane(const Queue& /*queue*/) {}
};
#endif

namespace unlearn::testing {

/// Numbers in the device's memory.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : DeviceArray(std::vector<T>(count)) {}
  explicit DeviceArray(const std::vector<T>& numbers) : count_(numbers.size()) {
    numbers_.reserve(count_);
    move(numbers.data(), data());
  }

  [[nodiscard]] T* data() { return numbers_.data(); }
  template <std::size_t Rank>
  [[nodiscard]] View<T, Rank> view(const std::array<std::size_t, Rank>& extents) {
    return {data(), extents};
  }
  template <std::size_t Rank>
  [[nodiscard]] View<const T, Rank> read(const std::array<std::size_t, Rank>& extents) {
    return {data(), extents};
  }
  /// A copy on the host.
  [[nodiscard]] std::vector<T> numbers() const {
    std::vector<T> host(count_);
    move(numbers_.data(), host.data());
    return host;
  }

 private:
  void move(const T* from, T* to) const {
    if (count_ == 0) return;
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
    ASSERT_EQ(cudaMemcpy(to, from, count_ * sizeof(T), cudaMemcpyDefault), cudaSuccess);
#else
    DeviceAllocator::open_to_host();
    std::copy(from, from + count_, to);
    DeviceAllocator::close_to_host();
#endif
  }

  cuda::Buffer<T, DeviceAllocator> numbers_{DeviceAllocator{}};
  std::size_t count_;
};

/// A policy of the system that the tests are built for, whose allocations are counted.
class OnDevice : public ::testing::Test {
 protected:
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
  // Not the default stream, which nobody would have to name. It waits for that one, and is waited
  // for: the arrays' own copies are enqueued there.
  [[nodiscard]] auto device() {
    return cuda::on(thrust::cuda::par_nosync(allocator_).on(stream_), context_);
  }

  class OwnedStream {
   public:
    OwnedStream() { EXPECT_EQ(cudaStreamCreate(&stream_), cudaSuccess); }
    OwnedStream(const OwnedStream&) = delete;
    OwnedStream& operator=(const OwnedStream&) = delete;
    ~OwnedStream() { cudaStreamDestroy(stream_); }
    operator cudaStream_t() const { return stream_; }

   private:
    cudaStream_t stream_ = nullptr;
  };
  OwnedStream stream_;  // before the context, which ends first
#else
  [[nodiscard]] auto device() { return cuda::on(thrust::device(allocator_), context_); }
#endif

  /// Calls `call` twice. @returns what the second one allocated
  template <class Call>
  [[nodiscard]] std::size_t allocations_of_second(const Call& call) {
    call();
    const std::size_t before = allocations_;
    call();
    return allocations_ - before;
  }

  std::size_t allocations_ = 0;
  CountingAllocator allocator_{allocations_};
  cuda::Context<CountingAllocator> context_{allocator_};
};

}  // namespace unlearn::testing
