// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// PyTorch's memory, stream and tensors behind the backend's calls. The only header of the backend
/// that names LibTorch; it needs a CUDA build of it, and cuda.cuh leaves it out.

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>
#include <thrust/execution_policy.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/device.cuh"

namespace unlearn::cuda {

/// Bytes from PyTorch's caching allocator, on the current stream of the thread that asks: for
/// Context<TorchAllocator>, so that scratch memory and tensors come from one pool.
class TorchAllocator {
 public:
  using value_type = unsigned char;
  using pointer = unsigned char*;

  /// @throws c10::OutOfMemoryError when there is no more
  [[nodiscard]] static pointer allocate(std::size_t size) {
    return static_cast<pointer>(c10::cuda::CUDACachingAllocator::raw_alloc(size));
  }
  static void deallocate(pointer memory, std::size_t /*size*/) {
    c10::cuda::CUDACachingAllocator::raw_delete(memory);
  }
};

/// A policy that enqueues on PyTorch's current stream, which must be that of the context at all of
/// its calls.
template <class Allocator>
[[nodiscard]] auto on_current_stream(Context<Allocator>& context) {
  return on(thrust::cuda::par_nosync.on(c10::cuda::getCurrentCUDAStream().stream()), context);
}

/// The elements of a tensor on a GPU as a View for the backend, without a copy. The tensor must
/// outlive the view.
/// @tparam T const for a view that only reads
/// @throws InvalidArgument unless the tensor is on a GPU, dense and row-major, and has the element
///         type T and Rank dimensions.
template <class T, std::size_t Rank>
[[nodiscard]] View<T, Rank> device_view_of(const at::Tensor& tensor) {
  using Element = std::remove_const_t<T>;
  constexpr at::ScalarType dtype = c10::CppTypeToScalarType<Element>::value;
  unlearn::require(tensor.defined() && tensor.is_cuda(), "device of a tensor to be viewed", "cuda",
                   tensor.defined() ? tensor.device().str() : "none");
  unlearn::require(tensor.scalar_type() == dtype, "element type of a tensor to be viewed",
                   c10::toString(dtype), c10::toString(tensor.scalar_type()));
  unlearn::require_size("dimensions of a tensor to be viewed", Rank,
                        static_cast<std::size_t>(tensor.dim()));
  unlearn::require(tensor.is_contiguous(), "layout of a tensor to be viewed", "dense and row-major",
                   "a tensor with other strides");
  std::array<std::size_t, Rank> extents{};
  for (std::size_t d = 0; d < Rank; ++d) {
    extents[d] = static_cast<std::size_t>(tensor.size(static_cast<std::int64_t>(d)));
  }
  return {static_cast<T*>(tensor.data_ptr()), extents};
}

}  // namespace unlearn::cuda
