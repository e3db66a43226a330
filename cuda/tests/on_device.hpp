// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <thrust/copy.h>
#include <thrust/device_vector.h>
#include <thrust/execution_policy.h>

#include <array>
#include <cstddef>
#include <vector>

#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/device.cuh"

namespace unlearn::testing {

/// Counts what is allocated from it.
class CountingAllocator : public thrust::device_malloc_allocator<unsigned char> {
 public:
  using Base = thrust::device_malloc_allocator<unsigned char>;

  explicit CountingAllocator(std::size_t& count) : count_(&count) {}

  [[nodiscard]] pointer allocate(size_type size) {
    ++*count_;
    return Base::allocate(size);
  }

 private:
  std::size_t* count_;
};

/// Numbers in the device's memory.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : numbers_(count) {}
  explicit DeviceArray(const std::vector<T>& numbers) : numbers_(numbers.begin(), numbers.end()) {}

  [[nodiscard]] T* data() { return thrust::raw_pointer_cast(numbers_.data()); }
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
    std::vector<T> host(numbers_.size());
    thrust::copy(numbers_.begin(), numbers_.end(), host.begin());
    return host;
  }

 private:
  thrust::device_vector<T> numbers_;
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
