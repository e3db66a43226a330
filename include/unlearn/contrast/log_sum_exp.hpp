// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>

#include "unlearn/core/error.hpp"
#include "unlearn/core/matrix.hpp"

/// @file
/// Sums of exponentials by their logarithms. Nothing here subtracts exponentials, so a small
/// result is as accurate as a large one; all of it runs in vector registers. NaN in, NaN out, but
/// not with -ffast-math: ask for NaN before.
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

/// log(1 + x) for x in [0, 1], to a few ulp of the result however small x is.
///
///     log(1 + x) = 2 artanh(z) = 2z (1 + w Q(w)),   z = x / (2 + x) ≤ 1/3,   w = z² ≤ 1/9
///
/// Q is the polynomial of degree 9 that takes the values of Σ_k wᵏ / (2k + 3) at the Chebyshev
/// nodes of [0, 1/9]; its error is below 5e-18 of the result. No sum of 1 and x is formed, so
/// -ffast-math finds nothing to cancel, and compilers vectorise a loop of it.
[[nodiscard]] constexpr double log_one_plus(double x) {
  const double z = x / (2 + x);
  const double w = z * z;
  double q = 0x1.4b0a26c5f2aefp-4;
  q = q * w + 0x1.687a6e7c95176p-5;
  q = q * w + 0x1.eb905e8575054p-5;
  q = q * w + 0x1.10ac75dc602b1p-4;
  q = q * w + 0x1.3b18b294bebf9p-4;
  q = q * w + 0x1.745cf0b0e03bdp-4;
  q = q * w + 0x1.c71c727143318p-4;
  q = q * w + 0x1.24924923d44c6p-3;
  q = q * w + 0x1.999999999a3ddp-3;
  q = q * w + 0x1.5555555555555p-2;
  return 2 * z + 2 * z * (w * q);
}

/// x ← log(1 + eˣ).
/// @param x any number of elements, overwritten
template <std::same_as<double> Real = double>
void softplus(std::span<Real> x) {
  detail::for_each_chunk(x.size(), [&](std::size_t begin, std::size_t count) {
    const std::span<Real> numbers = x.subspan(begin, count);
    detail::Chunk<Real> memory(count);
    const std::span<Real> rest = memory.numbers();
    as_array(rest) = (-as_array(numbers).abs()).exp();
    for (std::size_t i = 0; i < count; ++i) {
      numbers[i] = std::max(numbers[i], Real{0}) + log_one_plus(rest[i]);
    }
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
    const std::span<const Real> x = a.subspan(begin, count);
    const std::span<const Real> y = b.subspan(begin, count);
    detail::Chunk<Real> memory(count);
    const std::span<Real> rest = memory.numbers();
    as_array(rest) = (-(as_array(x) - as_array(y)).abs()).exp();
    for (std::size_t i = 0; i < count; ++i) {
      rest[i] = std::max(x[i], y[i]) + log_one_plus(rest[i]);
    }
    std::ranges::copy(rest, out.begin() + static_cast<std::ptrdiff_t>(begin));
  });
}

/// x ← exp(x − shift).
/// @param x     any number of elements, overwritten
/// @param shift subtracted from each
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

/// Σ x, in an order that depends on the number of elements alone.
/// @param x any number of elements
/// @returns the sum; 0 of no elements
template <std::same_as<double> Real = double>
[[nodiscard]] Real sum_of(std::span<const Real> x) {
  // Eigen sums a bare array from the first aligned element on, so that the order of the sum would
  // depend on the address. It does not know one of an expression.
  return (as_array(x) + Real{0}).sum();
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
