// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include "unlearn/core/tensor_view.hpp"

// Eigen's matrices are allocated and freed in ways that depend on the instruction set, so a program
// of which one object was compiled with -mavx and another one without crashes. Here every object
// defines this symbol with its alignment; linkers refuse definitions of different values.
#if defined(__ELF__) && defined(__GNUC__) && !defined(__CUDACC__)
#define UNLEARN_IN_ASSEMBLY_(value) #value
#define UNLEARN_IN_ASSEMBLY(value) UNLEARN_IN_ASSEMBLY_(value)
asm(".globl unlearn_needs_the_same_march_in_all_sources\n"
    ".hidden unlearn_needs_the_same_march_in_all_sources\n"
    ".set unlearn_needs_the_same_march_in_all_sources, " UNLEARN_IN_ASSEMBLY(
        EIGEN_MAX_ALIGN_BYTES));
#undef UNLEARN_IN_ASSEMBLY
#undef UNLEARN_IN_ASSEMBLY_
#endif

namespace unlearn {

/// A dense row-major matrix that owns its elements. The library returns matrices of this type.
template <class T>
using MatrixOf = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Embeddings, gradients and tables in single precision.
using Matrix = MatrixOf<float>;

namespace detail {

template <class M>
concept EigenMatrix = std::derived_from<M, Eigen::PlainObjectBase<M>> ||
                      std::derived_from<M, Eigen::MapBase<M, Eigen::ReadOnlyAccessors>>;

/// A row-major Eigen matrix, or a vector: its storage order makes no difference.
template <class M>
concept RowMajorEigen = EigenMatrix<M> && (bool(M::IsRowMajor) || bool(M::IsVectorAtCompileTime));

}  // namespace detail

/// Lets a row-major Eigen matrix, array or contiguous map pass as a View [rows, columns], without a
/// copy. A column-major one does not compile, as it would be read as its transpose.
template <detail::EigenMatrix M>
struct ViewTraits<M> {
  static_assert(detail::RowMajorEigen<M>,
                "unlearn reads matrices row by row: use unlearn::MatrixOf<T> (Eigen::RowMajor), "
                "this matrix is column-major");
  static_assert(int(M::InnerStrideAtCompileTime) == 1 || int(M::InnerStrideAtCompileTime) == 0,
                "unlearn needs contiguous elements: this map has an inner stride");

  /// The view [rows, columns] of the matrix's own elements.
  /// @throws InvalidArgument when there is a gap between the rows of a map
  template <class C>
  static auto view(C& matrix) {
    using Element = std::remove_pointer_t<decltype(matrix.data())>;
    require(matrix.rows() <= 1 || matrix.outerStride() == matrix.innerSize(),
            "outer stride of an Eigen map", matrix.innerSize(), matrix.outerStride());
    return View<Element, 2>(matrix.data(), {static_cast<std::size_t>(matrix.rows()),
                                            static_cast<std::size_t>(matrix.cols())});
  }
};

/// An Eigen map that reads and writes the elements of a view of rank 2, without a copy.
/// @param matrix a View or a container that converts to one; its elements must outlive the map
template <MatrixLike M>
[[nodiscard]] auto as_eigen(M&& matrix) {
  const auto view = as_view(matrix);
  using Element = typename decltype(view)::element_type;
  using Plain = MatrixOf<std::remove_const_t<Element>>;
  using Mapped = std::conditional_t<std::is_const_v<Element>, const Plain, Plain>;
  return Eigen::Map<Mapped>(view.data(), static_cast<Eigen::Index>(view.extent(0)),
                            static_cast<Eigen::Index>(view.extent(1)));
}

/// An Eigen map that reads and writes contiguous numbers as a column of an array, without a copy.
/// @param numbers their memory must outlive the map
template <class T>
[[nodiscard]] auto as_array(std::span<T> numbers) {
  using Column = Eigen::ArrayX<std::remove_const_t<T>>;
  using Mapped = std::conditional_t<std::is_const_v<T>, const Column, Column>;
  return Eigen::Map<Mapped>(numbers.data(), static_cast<Eigen::Index>(numbers.size()));
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
