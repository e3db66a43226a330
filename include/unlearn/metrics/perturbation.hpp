// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <Eigen/Core>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// Two views, or containers that convert to views, of the same rank and element type.
template <class A, class B>
concept Comparable = Viewable<const A> && Viewable<const B> &&
                     (view_of_t<const A>::rank == view_of_t<const B>::rank) &&
                     std::same_as<element_of_t<const A>, element_of_t<const B>>;

namespace detail {

/// @throws InvalidArgument unless both have the same extents and at least one element
template <class Signal>
void require_comparable(const Signal& clean, const Signal& perturbed) {
  require(!clean.empty(), "elements of a clean signal", "at least 1", clean.size());
  for (std::size_t d = 0; d < Signal::rank; ++d) {
    require_size("extent " + std::to_string(d) + " of a perturbed signal", clean.extent(d),
                 perturbed.extent(d));
  }
}

/// b − a element by element in double, as an expression that is not evaluated yet.
template <class T, std::size_t Rank>
auto difference(View<const T, Rank> a, View<const T, Rank> b) {
  using Flat = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>>;
  const auto size = static_cast<Eigen::Index>(a.size());
  return Flat(b.data(), size).template cast<double>() -
         Flat(a.data(), size).template cast<double>();
}

/// The read-only view of a container.
template <class C>
using reading_view_t = View<const element_of_t<const C>, view_of_t<const C>::rank>;

}  // namespace detail

/// ‖b − a‖∞ for a clean signal a and a perturbed signal b of any shape.
///
/// @param clean     a
/// @param perturbed b, with the same extents
/// @returns the norm in the units of the elements, which are levels for uint8; NaN if any element
///          is NaN
/// @throws InvalidArgument when the extents differ or there are no elements
template <class A, class B>
  requires Comparable<A, B>
[[nodiscard]] double linf(const A& clean, const B& perturbed) {
  const detail::reading_view_t<A> a = clean;
  const detail::reading_view_t<B> b = perturbed;
  detail::require_comparable(a, b);
  const auto differences = detail::difference(a, b);
  if constexpr (std::floating_point<element_of_t<const A>>) {
    for (Eigen::Index i = 0; i < differences.size(); ++i) {
      const double d = differences[i];
      if (is_nan(d)) return not_a_number<double>();
    }
  }
  return differences.abs().maxCoeff();
}

/// Peak signal-to-noise ratio 10 log₁₀(peak² / mean((b − a)²)) of signals a and b of any shape.
///
/// @param clean     a
/// @param perturbed b, with the same extents
/// @param peak      the largest possible value of an element: 255 for uint8
/// @returns the ratio in dB; +∞ when a and b are equal, and NaN if an element is NaN
/// @throws InvalidArgument when the extents differ, there are no elements, or the peak is not
///         positive and finite
template <class A, class B>
  requires Comparable<A, B>
[[nodiscard]] double psnr(const A& clean, const B& perturbed, double peak) {
  const detail::reading_view_t<A> a = clean;
  const detail::reading_view_t<B> b = perturbed;
  detail::require_comparable(a, b);
  require(peak > 0 && is_finite(peak), "peak of a signal", "a positive number", peak);
  const double mean_square = detail::difference(a, b).square().mean();
  if (is_nan(mean_square)) return not_a_number<double>();
  if (mean_square == 0) return positive_infinity<double>();
  return 10 * std::log10(peak * peak / mean_square);
}

namespace detail {

using Plane = Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// These are templates so that a program compiles Eigen's expressions only where it calls ssim().

/// One channel of an image [H, W, C], as [H, W].
template <class Byte>
Plane channel_of(View<const Byte, 3> image, std::size_t channel) {
  using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  using Bytes = Eigen::Array<Byte, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto height = static_cast<Eigen::Index>(image.extent(0));
  const auto width = static_cast<Eigen::Index>(image.extent(1));
  const auto channels = static_cast<Eigen::Index>(image.extent(2));
  return Eigen::Map<const Bytes, Eigen::Unaligned, Strides>(image.data() + channel, height, width,
                                                            Strides(width * channels, channels))
      .template cast<double>();
}

/// The weighted mean of each n × n window that is completely inside a plane [H, W].
/// @param weights [n]; the weights of a window are their outer product with themselves
/// @returns [H − n + 1, W − n + 1]
template <class P, class Weights>
P window_means(const P& plane, const Weights& weights) {
  const Eigen::Index height = plane.rows() - weights.size() + 1;
  const Eigen::Index width = plane.cols() - weights.size() + 1;
  P across = P::Zero(plane.rows(), width);
  for (Eigen::Index i = 0; i < weights.size(); ++i) {
    across += weights[i] * plane.middleCols(i, width);
  }
  P means = P::Zero(height, width);
  for (Eigen::Index i = 0; i < weights.size(); ++i) {
    means += weights[i] * across.middleRows(i, height);
  }
  return means;
}

/// The SSIM of one channel with values from 0 to 255.
template <class P, class Weights>
double ssim_of(const P& a, const P& b, const Weights& weights) {
  constexpr double c1 = (0.01 * 255) * (0.01 * 255);
  constexpr double c2 = (0.03 * 255) * (0.03 * 255);
  const P mean_a = window_means(a, weights);
  const P mean_b = window_means(b, weights);
  const P var_a = window_means<P>(a * a, weights) - mean_a * mean_a;
  const P var_b = window_means<P>(b * b, weights) - mean_b * mean_b;
  const P cov = window_means<P>(a * b, weights) - mean_a * mean_b;
  return (((2 * mean_a * mean_b + c1) * (2 * cov + c2)) /
          ((mean_a * mean_a + mean_b * mean_b + c1) * (var_a + var_b + c2)))
      .mean();
}

/// The mean of the SSIM of all channels.
template <class Byte>
double mean_ssim(View<const Byte, 3> clean, View<const Byte, 3> perturbed, std::size_t window) {
  using Weights = Eigen::ArrayX<typename decltype(channel_of(clean, 0))::Scalar>;
  const auto half = static_cast<double>(window - 1) / 2;
  Weights weights = Weights::LinSpaced(static_cast<Eigen::Index>(window), -half, half);
  weights = (-(weights / 1.5).square() / 2).exp();
  weights /= weights.sum();

  double total = 0;
  for (std::size_t channel = 0; channel < clean.extent(2); ++channel) {
    total += ssim_of(channel_of(clean, channel), channel_of(perturbed, channel), weights);
  }
  return total / static_cast<double>(clean.extent(2));
}

}  // namespace detail

/// Structural similarity of two 8-bit images, in [−1, 1]; 1 when they are equal.
///
/// With means μ, variances σ² and covariance σ_ab of the two images in a window,
/// SSIM = (2 μ_a μ_b + C₁)(2 σ_ab + C₂) / ((μ_a² + μ_b² + C₁)(σ_a² + σ_b² + C₂)),
/// C₁ = (0.01·255)², C₂ = (0.03·255)², averaged over all windows that are completely inside the
/// image, and over the channels. The window is 11 × 11, Gaussian with σ = 1.5. The result is that
/// of scikit-image's structural_similarity(a, b, gaussian_weights=True, sigma=1.5,
/// use_sample_covariance=False, data_range=255, channel_axis=2). Source: Wang, Bovik, Sheikh,
/// Simoncelli, IEEE Transactions on Image Processing 13(4), 2004, Eq. 13.
///
/// @param clean_image     [H, W, C] with interleaved channels. Compare a planar image [C, H, W]
///                        plane by plane, each as [H, W, 1], and take the mean.
/// @param perturbed_image the same extents
/// @returns the similarity, without a unit
/// @throws InvalidArgument when the extents differ, there is no channel, or H or W is below 11
template <std::convertible_to<View<const std::uint8_t, 3>> Clean,
          std::convertible_to<View<const std::uint8_t, 3>> Perturbed>
[[nodiscard]] double ssim(const Clean& clean_image, const Perturbed& perturbed_image) {
  const View<const std::uint8_t, 3> clean = as_view(clean_image);
  const View<const std::uint8_t, 3> perturbed = as_view(perturbed_image);
  constexpr std::size_t window = 11;
  detail::require_comparable(clean, perturbed);
  require(clean.extent(0) >= window, "height of an image for SSIM", "at least 11", clean.extent(0));
  require(clean.extent(1) >= window, "width of an image for SSIM", "at least 11", clean.extent(1));
  return detail::mean_ssim(clean, perturbed, window);
}

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
