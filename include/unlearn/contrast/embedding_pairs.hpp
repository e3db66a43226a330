// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <string>
#include <string_view>

#include "unlearn/core/error.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// Two matrices of one element type, float or double: the embeddings of two towers.
template <class A, class B>
concept EmbeddingPair =
    MatrixLike<const A> && MatrixLike<const B> &&
    std::same_as<element_of_t<const A>, element_of_t<const B>> &&
    (std::same_as<element_of_t<const A>, float> || std::same_as<element_of_t<const A>, double>);

/// Checks that two sets of embeddings belong together row by row.
/// @param name_of_b what a message calls `b`
/// @throws InvalidArgument when `a` has no rows, or `b` has another shape than `a`.
template <class T>
void require_pairs(View<T, 2> a, View<T, 2> b, std::string_view name_of_b) {
  require(a.extent(0) > 0, "pairs of embeddings", "at least 1", a.extent(0));
  const auto shape_of = [](View<T, 2> view) {
    std::string shape = detail::in_words(view.extent(0));
    shape += " x ";
    shape += detail::in_words(view.extent(1));
    return shape;
  };
  require(a.extents() == b.extents(), name_of_b, shape_of(a), shape_of(b));
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
