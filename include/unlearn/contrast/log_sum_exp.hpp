// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"

/// @file
/// Sums of exponentials by their logarithms. Nothing here subtracts exponentials, so a small
/// result is as accurate as a large one; all of it runs in vector registers; NaN in, NaN out.
///
/// All functions take contiguous numbers, so a program compiles each of them once. They are
/// templates so that a program that calls none compiles none.

namespace unlearn {

/// Stands for log 0, the logarithm of an empty sum: below every logit, and finite, so that the
/// difference of two empty sums is 0 and not NaN.
inline constexpr double log_zero = std::numeric_limits<double>::lowest() / 2;

namespace detail {

/// How many numbers are computed at once, so that intermediate results stay in the cache.
inline constexpr std::size_t chunk_size = 256;

/// Intermediate results of a chunk.
template <class T>
class Chunk {
 public:
  explicit Chunk(std::size_t count) : count_(count) {}
  [[nodiscard]] std::span<T> numbers() { return std::span(numbers_).first(count_); }

 private:
  std::size_t count_;
  alignas(64) std::array<T, chunk_size> numbers_;  // NOLINT: written before it is read
};

/// Calls f(begin, count) for the chunks of n numbers.
template <class F>
void for_each_chunk(std::size_t n, const F& f) {
  for (std::size_t begin = 0; begin < n; begin += chunk_size) {
    f(begin, std::min(chunk_size, n - begin));
  }
}

}  // namespace detail

/// x ← log(1 + x) for x in [0, 1], to a few ulp of the result however small x is.
/// @param x any number of elements, overwritten
template <std::same_as<double> Real = double>
void log_one_plus(std::span<Real> x) {
  detail::for_each_chunk(x.size(), [&](std::size_t begin, std::size_t count) {
    detail::Chunk<Real> sums(count);
    detail::Chunk<Real> differences(count);
    auto argument = as_array(x.subspan(begin, count));
    auto one_plus = as_array(sums.numbers());
    auto restored = as_array(differences.numbers());
    // With -ffast-math, (1 + x) − 1 would become x, and nothing be left of what rounding has lost.
    one_plus = 1 + argument;
    detail::hide_from_optimizer(one_plus.data());
    restored = one_plus - 1;
    detail::hide_from_optimizer(restored.data());
    // Eigen's log1p is scalar in double; the quotient gives back what was lost.
    argument = one_plus.log() - (restored - argument) / one_plus;
  });
}

/// x ← log(1 + eˣ).
/// @param x any number of elements, overwritten
template <std::same_as<double> Real = double>
void softplus(std::span<Real> x) {
  detail::for_each_chunk(x.size(), [&](std::size_t begin, std::size_t count) {
    detail::Chunk<Real> rest(count);
    auto numbers = as_array(x.subspan(begin, count));
    as_array(rest.numbers()) = (-numbers.abs()).exp();
    log_one_plus(rest.numbers());
    numbers = numbers.max(0.0) + as_array(rest.numbers());
  });
}

/// out ← log(eᵃ + eᵇ); log_zero is its neutral element.
/// @param a, b equally many elements
/// @param out  as many; may be a or b
/// @throws InvalidArgument when the sizes differ.
template <std::same_as<double> Real = double>
void log_add_exp(std::span<const Real> a, std::span<const Real> b, std::span<Real> out) {
  require_size("second logarithms", a.size(), b.size());
  require_size("logarithms of sums", a.size(), out.size());
  detail::for_each_chunk(a.size(), [&](std::size_t begin, std::size_t count) {
    detail::Chunk<Real> rest(count);
    const auto x = as_array(a.subspan(begin, count));
    const auto y = as_array(b.subspan(begin, count));
    as_array(rest.numbers()) = (-(x - y).abs()).exp();
    log_one_plus(rest.numbers());
    as_array(out.subspan(begin, count)) = x.max(y) + as_array(rest.numbers());
  });
}

/// x ← exp(x − shift).
/// @param x any number of elements, overwritten
template <std::same_as<double> Real = double>
void exp_of_difference(std::span<Real> x, Real shift) {
  auto numbers = as_array(x);
  numbers = (numbers - shift).exp();
}

/// log Σ eˣ.
/// @param x at least one element
/// @returns the logarithm; log_zero if each element is log_zero
template <std::same_as<double> Real = double>
[[nodiscard]] Real log_sum_exp(std::span<const Real> x) {
  const auto numbers = as_array(x);
  const Real largest = numbers.maxCoeff();
  return largest + std::log((numbers - largest).exp().sum());
}

/// Σ x.
/// @param x any number of elements
/// @returns the sum; 0 of no elements
template <std::same_as<double> Real = double>
[[nodiscard]] Real sum_of(std::span<const Real> x) {
  return as_array(x).sum();
}

}  // namespace unlearn
