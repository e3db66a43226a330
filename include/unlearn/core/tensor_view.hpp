// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "unlearn/core/error.hpp"

namespace unlearn {

template <class T, std::size_t Rank>
class View;

/// How a foreign container is seen as a View. Specialise it for a type of yours that should pass
/// wherever a view is asked for. `core/matrix.hpp` does so for Eigen, `interop/xtensor.hpp` for
/// xtensor.
///
/// Requirements, for a container `c` of type `C`:
///  1. `ViewTraits<C>::view(c)` returns a `View<T, Rank>` over the elements of `c`, without a copy.
///  2. For a const container it returns a `View<const T, Rank>`.
///  3. Elements stay where they are while a view of them is in use.
template <class C>
struct ViewTraits;

/// A View, or a type that ViewTraits converts to one.
template <class C>
concept Viewable = requires(C& container) {
  { ViewTraits<std::remove_cvref_t<C>>::view(container) };
};

/// The elements of `container` as a View, without a copy.
/// @param container must outlive the view
template <Viewable C>
[[nodiscard]] constexpr auto as_view(C& container) {
  return ViewTraits<std::remove_cvref_t<C>>::view(container);
}

/// The View type that `C` converts to.
template <class C>
using view_of_t = decltype(as_view(std::declval<C&>()));

/// A dense, row-major (C-ordered) array of `Rank` dimensions. The view does not own the elements.
///
/// Trivially copyable; pass it by value. `View<const T, Rank>` reads, `View<T, Rank>` also writes,
/// and the second converts to the first. Element (i, j, k) is at the flat index
/// (i · extent(1) + j) · extent(2) + k.
template <class T, std::size_t Rank>
class View {
  static_assert(Rank >= 1, "a View has at least one dimension");

 public:
  /// T; const if the view only reads.
  using element_type = T;
  /// T without const.
  using value_type = std::remove_cv_t<T>;
  /// The number of dimensions.
  static constexpr std::size_t rank = Rank;

  /// No elements: every extent is 0.
  constexpr View() = default;

  /// A view of elements in memory.
  /// @param data    the first element; must outlive the view
  /// @param extents their product is the number of elements
  constexpr View(T* data, const std::array<std::size_t, Rank>& extents)
      : data_(data), extents_(extents) {}

  /// A view of a flat range with the given extents.
  /// @throws InvalidArgument when the product of the extents is not the size of the range
  constexpr View(std::span<T> flat, const std::array<std::size_t, Rank>& extents)
      : data_(flat.data()), extents_(extents) {
    require_size("elements of a View", size(), flat.size());
  }

  /// A writable view is also a readable one.
  template <class U>
    requires(std::is_const_v<T> && std::same_as<U, value_type>)
  constexpr View(const View<U, Rank>& other)  // NOLINT(google-explicit-constructor)
      : data_(other.data()), extents_(other.extents()) {}

  /// Converts from any Viewable of the same element type and rank.
  /// @throws InvalidArgument when the container's ViewTraits do, for instance for its strides
  template <class C>
    requires(!std::same_as<std::remove_cvref_t<C>, View> &&
             !std::same_as<std::remove_cvref_t<C>, View<value_type, Rank>> &&
             Viewable<std::remove_reference_t<C>> &&
             (view_of_t<std::remove_reference_t<C>>::rank == Rank) &&
             std::convertible_to<typename view_of_t<std::remove_reference_t<C>>::element_type (*)[],
                                 T (*)[]>)
  // NOLINTNEXTLINE(google-explicit-constructor,bugprone-forwarding-reference-overload)
  constexpr View(C&& container)
      : data_(as_view(container).data()), extents_(as_view(container).extents()) {}

  /// The first element.
  [[nodiscard]] constexpr T* data() const { return data_; }
  /// The number of entries of each dimension.
  [[nodiscard]] constexpr const std::array<std::size_t, Rank>& extents() const { return extents_; }
  /// The number of entries of `dimension`.
  [[nodiscard]] constexpr std::size_t extent(std::size_t dimension) const {
    return extents_[dimension];
  }
  /// The number of elements: the product of the extents.
  [[nodiscard]] constexpr std::size_t size() const {
    std::size_t product = 1;
    for (const std::size_t extent : extents_) product *= extent;
    return product;
  }
  /// Whether there are no elements.
  [[nodiscard]] constexpr bool empty() const { return size() == 0; }

  /// All elements in row-major order.
  [[nodiscard]] constexpr std::span<T> flat() const { return {data_, size()}; }

  /// Entry `index` of the first dimension: an element if the rank is 1, else a view whose rank is
  /// lower by one. The index is not checked.
  [[nodiscard]] constexpr decltype(auto) operator[](std::size_t index) const {
    if constexpr (Rank == 1) {
      return (data_[index]);
    } else {
      const auto inner = inner_extents();
      std::size_t stride = 1;
      for (const std::size_t extent : inner) stride *= extent;
      return View<T, Rank - 1>(data_ + index * stride, inner);
    }
  }

  /// Row `index` as a flat range: all elements whose first coordinate is `index`.
  [[nodiscard]] constexpr std::span<T> row(std::size_t index) const
    requires(Rank >= 2)
  {
    return (*this)[index].flat();
  }

  /// The `count` entries of the first dimension from `first` on. The range is not checked.
  [[nodiscard]] constexpr View slice(std::size_t first, std::size_t count) const {
    std::array<std::size_t, Rank> extents = extents_;
    extents[0] = count;
    std::size_t stride = 1;
    for (std::size_t d = 1; d < Rank; ++d) stride *= extents_[d];
    return {data_ + first * stride, extents};
  }

 private:
  [[nodiscard]] constexpr std::array<std::size_t, Rank - 1> inner_extents() const {
    std::array<std::size_t, Rank - 1> inner{};
    for (std::size_t d = 1; d < Rank; ++d) inner[d - 1] = extents_[d];
    return inner;
  }

  T* data_ = nullptr;
  std::array<std::size_t, Rank> extents_{};
};

/// A View converts to itself.
template <class T, std::size_t Rank>
struct ViewTraits<View<T, Rank>> {
  /// Returns the argument.
  static constexpr View<T, Rank> view(const View<T, Rank>& view) { return view; }
};

/// A Viewable of rank 2: rows by columns.
template <class M>
concept MatrixLike = Viewable<M> && (view_of_t<M>::rank == 2);

/// A MatrixLike of floats: it converts to View<const float, 2>.
template <class M>
concept FloatMatrix = MatrixLike<M> && std::convertible_to<M, View<const float, 2>>;

/// The element type of a Viewable, without `const`.
template <Viewable C>
using element_of_t = typename view_of_t<C>::value_type;

/// Checks the shape of a matrix.
/// @param thing    what the matrix is, for the message
/// @param expected a view of the right shape
/// @param got      the view to check
/// @throws InvalidArgument unless both views have the same numbers of rows and columns
template <class T, class U>
void require_same_shape(std::string_view thing, View<T, 2> expected, View<U, 2> got) {
  require_size("rows of the " + std::string(thing), expected.extent(0), got.extent(0));
  require_size("columns of the " + std::string(thing), expected.extent(1), got.extent(1));
}

static_assert(std::is_trivially_copyable_v<View<float, 2>>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
