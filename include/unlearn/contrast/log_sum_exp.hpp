// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include <cmath>
#include <limits>

#include "unlearn/core/finite.hpp"

/// @file
/// Sums of exponentials by their logarithms. Nothing here subtracts exponentials, so a small
/// result is as accurate as a large one; all of it runs in vector registers; NaN in, NaN out.

namespace unlearn {

/// Stands for log 0, the logarithm of an empty sum: below every logit, and finite, so that the
/// difference of two empty sums is 0 and not NaN.
inline constexpr double log_zero = std::numeric_limits<double>::lowest() / 2;

/// log(1 + x) for x in [0, 1], to a few ulp of the result however small x is, element by element.
/// @returns an array of the shape of x
template <class X>
[[nodiscard]] typename X::PlainObject log_one_plus(const Eigen::ArrayBase<X>& x) {
  const typename X::PlainObject argument = x;
  // With -ffast-math, (1 + x) − 1 would become x, and nothing be left of what rounding has lost.
  typename X::PlainObject one_plus = 1 + argument;
  detail::hide_from_optimizer(one_plus.data());
  typename X::PlainObject restored = one_plus - 1;
  detail::hide_from_optimizer(restored.data());
  // Eigen's log1p is scalar in double; the quotient gives back what was lost.
  return one_plus.log() - (restored - argument) / one_plus;
}

/// log(1 + eˣ), element by element.
/// @returns an array of the shape of x
template <class X>
[[nodiscard]] typename X::PlainObject softplus(const Eigen::ArrayBase<X>& x) {
  return x.max(0.0) + log_one_plus((-x.abs()).exp());
}

/// log(eᵃ + eᵇ), element by element; log_zero is its neutral element.
/// @param a, b arrays of one shape
/// @returns    an array of that shape
template <class A, class B>
[[nodiscard]] typename A::PlainObject log_add_exp(const Eigen::ArrayBase<A>& a,
                                                  const Eigen::ArrayBase<B>& b) {
  return a.max(b) + log_one_plus((-(a - b).abs()).exp());
}

/// log Σ eˣ over all elements.
/// @param x of at least one element
/// @returns the logarithm; log_zero if each element is log_zero
template <class X>
[[nodiscard]] double log_sum_exp(const Eigen::ArrayBase<X>& x) {
  const double largest = x.maxCoeff();
  return largest + std::log((x - largest).exp().sum());
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
