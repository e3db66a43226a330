// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

/// @file
/// Tensors of LibTorch as views, and views as tensors. This is the only header of the library that
/// uses LibTorch. The umbrella header leaves it out; a program that includes it must link LibTorch.

#include <ATen/ATen.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// The elements of a tensor as a View, without a copy.
/// @tparam T    the element type; const for a view that only reads
/// @tparam Rank the number of dimensions
/// @param tensor must outlive the view
/// @returns a view with the extents of the tensor
/// @throws InvalidArgument unless the tensor is on the CPU, is dense and row-major, and has
///         elements T and Rank dimensions
template <class T, std::size_t Rank>
[[nodiscard]] View<T, Rank> view_of(const at::Tensor& tensor) {
  using Element = std::remove_const_t<T>;
  constexpr at::ScalarType dtype = c10::CppTypeToScalarType<Element>::value;
  require(tensor.defined(), "tensor to be viewed", "a defined one", "an undefined one");
  require(tensor.device().is_cpu(), "device of a tensor to be viewed", "cpu",
          tensor.device().str());
  require(tensor.scalar_type() == dtype, "element type of a tensor to be viewed",
          c10::toString(dtype), c10::toString(tensor.scalar_type()));
  require_size("dimensions of a tensor to be viewed", Rank, static_cast<std::size_t>(tensor.dim()));
  require(tensor.is_contiguous(), "layout of a tensor to be viewed", "dense and row-major",
          "a tensor with other strides");
  std::array<std::size_t, Rank> extents{};
  for (std::size_t d = 0; d < Rank; ++d) {
    extents[d] = static_cast<std::size_t>(tensor.size(static_cast<std::int64_t>(d)));
  }
  return {tensor.data_ptr<Element>(), extents};
}

/// A tensor over the elements of a view, without a copy.
///
/// LibTorch has no type for a tensor that may only be read: do not write to a tensor over a
/// `View<const T, Rank>`.
/// @param container a View, or a container that converts to one; its elements must outlive the
///                  tensor
/// @param device    the device that holds the elements in its memory
/// @returns a tensor with the extents and the element type of the view
template <Viewable C>
[[nodiscard]] at::Tensor as_tensor(const C& container, at::Device device = at::kCPU) {
  const auto view = as_view(container);
  using Element = typename decltype(view)::value_type;
  std::vector<std::int64_t> sizes;
  for (const std::size_t extent : view.extents())
    sizes.push_back(static_cast<std::int64_t>(extent));
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): from_blob takes no pointer to const
  auto* data = const_cast<Element*>(view.data());
  return at::from_blob(data, sizes,
                       at::dtype(c10::CppTypeToScalarType<Element>::value).device(device));
}

/// ∂L/∂(embeddings): calls a pullback with embeddings that are a tensor.
/// @param pullback   the loss L with all but these embeddings fixed
/// @param embeddings [B, D], on any device and of any floating type
/// @returns [B, D], on the same device and of the same type
/// @throws InvalidArgument when the pullback does, for instance for another B or D
template <class Loss>
[[nodiscard]] at::Tensor pull_back(LossPullback<Loss>& pullback, const at::Tensor& embeddings) {
  const at::Tensor rows = embeddings.detach().to(at::kCPU, at::kFloat).contiguous();
  const Matrix gradient = pullback(view_of<const float, 2>(rows));
  // The last argument makes to() copy: the elements of `gradient` end with this function.
  return as_tensor(gradient).to(embeddings.device(), embeddings.scalar_type(), false, true);
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
