// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <xtensor/xadapt.hpp>

#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {
namespace detail {

template <class C>
void takes_xtensor_container(const xt::xcontainer<C>& container);

/// An xt::xtensor, xt::xtensor_fixed or xt::xarray, or an adaptor that xt::adapt makes.
template <class C>
concept XtensorContainer = requires(const C& container) { takes_xtensor_container(container); };

template <std::size_t Rank, XtensorContainer C>
auto view_of_xtensor(C& container) {
  static_assert(C::static_layout != xt::layout_type::column_major,
                "unlearn reads arrays in C order: this xtensor container is column-major");
  using Element = std::remove_pointer_t<decltype(container.data())>;
  std::array<std::size_t, Rank> extents{};
  for (std::size_t d = 0; d < Rank; ++d) extents[d] = container.shape(d);

  // An adaptor can have any strides.
  const View<Element, Rank> view(container.data(), extents);
  std::size_t stride = 1;
  for (std::size_t d = Rank; d > 0 && !view.empty(); --d) {
    const auto actual = static_cast<std::size_t>(container.strides()[d - 1]);
    require(extents[d - 1] == 1 || actual == stride,
            "stride " + std::to_string(d - 1) + " of an xtensor container", stride, actual);
    stride *= extents[d - 1];
  }
  return view;
}

}  // namespace detail

/// Lets an xtensor container of fixed rank pass as a View of the same rank, without a copy.
///
/// A column-major container does not compile. For a container of dynamic layout or an adaptor with
/// strides, the order is checked when the view is made.
template <detail::XtensorContainer C>
struct ViewTraits<C> {
  static_assert(C::rank != SIZE_MAX,
                "the rank of an xt::xarray is known at run time only: use "
                "unlearn::view_of_rank<N>(array)");

  /// The view of the container's own elements.
  /// @throws InvalidArgument when they are not in C order
  template <class X>
  static auto view(X& container) {
    return detail::view_of_xtensor<C::rank>(container);
  }
};

/// A view of an xt::xarray, whose rank is known only at run time, without a copy.
/// @tparam Rank the expected number of dimensions
/// @param array must outlive the view
/// @throws InvalidArgument unless the array has `Rank` dimensions and is in C order
template <std::size_t Rank, detail::XtensorContainer C>
[[nodiscard]] auto view_of_rank(C& array) {
  require_size("rank of an xtensor container", Rank, array.dimension());
  return detail::view_of_xtensor<Rank>(array);
}

/// An xtensor adaptor that reads and writes the elements of a view, without a copy.
/// @param container a View, or a container that converts to one; must outlive the adaptor
template <Viewable C>
[[nodiscard]] auto as_xtensor(C&& container) {
  const auto view = as_view(container);
  return xt::adapt<xt::layout_type::row_major>(view.data(), view.size(), xt::no_ownership(),
                                               view.extents());
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
