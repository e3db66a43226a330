// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/detail/launch.cuh"
#include "unlearn/cuda/detail/pack.cuh"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"
#include "unlearn/noise/sign_update.hpp"

/// @file
/// The noise update δ ← Proj(δ + step · sign ∇L) in one pass over noise, gradient and signals: what
/// PixelGridSet and BallAndBoxSet do with a policy of the device. To the last bit as on the host.
/// Source: MEM (Liu et al., ACM MM 2024), Eq. 5.

namespace unlearn::cuda {
namespace detail {

/// −1, 0 or 1; 0 for NaN.
template <class G>
[[nodiscard]] UNLEARN_HOST_DEVICE int sign_of(G x) {
  return static_cast<int>(x > G{0}) - static_cast<int>(x < G{0});
}

/// One noise of 8-bit pixels, moved and made feasible.
struct PixelUpdate {
  using Noise = std::int8_t;
  using Clean = std::uint8_t;
  using Gradient = float;
  int radius;
  int step;

  UNLEARN_HOST_DEVICE Noise operator()(Noise delta, Clean x, Gradient gradient,
                                       std::size_t /*element*/) const {
    const int moved = delta + step * sign_of(gradient);
    const int lowest = radius < x ? -radius : -static_cast<int>(x);
    const int highest = radius < PixelGrid::levels - x ? radius : PixelGrid::levels - x;
    return static_cast<Noise>(moved < lowest ? lowest : (moved > highest ? highest : moved));
  }
};

/// The radius of every element.
template <class T>
struct OneRadius {
  T radius;
  UNLEARN_HOST_DEVICE T operator()(std::size_t /*element*/) const { return radius; }
};

/// A radius for each channel. By value: a device cannot read the ball's span.
template <class T>
struct ChannelRadii {
  static constexpr std::size_t most_channels = 16;
  T radii[most_channels];
  std::size_t channels;
  std::size_t plane;
  UNLEARN_HOST_DEVICE T operator()(std::size_t element) const {
    return radii[element / plane % channels];
  }
};

template <class T>
[[nodiscard]] OneRadius<T> radii_of(const LinfBall<double>& ball) {
  return {static_cast<T>(ball.radius)};
}

/// @throws InvalidArgument for more channels than ChannelRadii holds
template <class T>
[[nodiscard]] ChannelRadii<T> radii_of(const LinfBall<PerChannel>& ball) {
  ChannelRadii<T> radii{
      .radii = {}, .channels = ball.radius.radii.size(), .plane = ball.radius.plane};
  unlearn::require(radii.channels <= ChannelRadii<T>::most_channels,
                   "channels with radii on a device",
                   "at most " + std::to_string(ChannelRadii<T>::most_channels), radii.channels);
  for (std::size_t c = 0; c < radii.channels; ++c) {
    radii.radii[c] = static_cast<T>(ball.radius.radii[c]);
  }
  return radii;
}

/// One noise of floating point, moved and made feasible. `Number` is what is stored, T what is
/// computed in.
template <class Number, class T, class Radii>
struct FloatUpdate {
  using Noise = Number;
  using Clean = Number;
  using Gradient = Number;
  T step;
  T low;
  T high;
  Radii radius_at;

  UNLEARN_HOST_DEVICE Noise operator()(Noise delta, Clean clean, Gradient gradient,
                                       std::size_t element) const {
    const T x = static_cast<T>(clean);
    const T moved =
        static_cast<T>(delta) + step * static_cast<T>(sign_of(static_cast<T>(gradient)));
    const T boxed = clamp(moved, low - x, high - x);
    const T radius = radius_at(element);
    return static_cast<Noise>(clamp(boxed, T{0} - radius, radius));
  }

 private:
  UNLEARN_HOST_DEVICE static T clamp(T x, T lowest, T highest) {
    const T raised = x < lowest ? lowest : x;
    return highest < raised ? highest : raised;
  }
};

/// Updates pack `p` of the noise, or, where packs cannot be read, number by number.
template <class Update, bool packs>
struct UpdatePack {
  Update update;
  typename Update::Noise* noise;
  const typename Update::Clean* clean;
  const typename Update::Gradient* gradient;  ///< null: no step, only the projection
  std::size_t count;
  std::size_t columns;

  UNLEARN_HOST_DEVICE void operator()(std::size_t p) const {
    const std::size_t first = p * pack_size;
    if (packs && first + pack_size <= count) {
      Pack<typename Update::Noise> delta = load_pack(noise + first);
      const Pack<typename Update::Clean> x = load_pack(clean + first);
      Pack<typename Update::Gradient> g{};
      if (gradient != nullptr) g = load_pack(gradient + first);
      std::size_t element = first % columns;  // one division for a pack
      for (std::size_t i = 0; i < pack_size; ++i) {
        delta.numbers[i] = update(delta.numbers[i], x.numbers[i], g.numbers[i], element);
        element = element + 1 == columns ? 0 : element + 1;
      }
      store_pack(delta, noise + first);
      return;
    }
    for (std::size_t i = first; i < count && i < first + pack_size; ++i) {
      const auto g = gradient != nullptr ? gradient[i] : typename Update::Gradient(0);
      noise[i] = update(noise[i], clean[i], g, i % columns);
    }
  }
};

template <class P, class A, class Update>
void update_all(const Queue<P, A>& queue, const Update& update,
                View<typename Update::Noise, 2> noise, View<const typename Update::Clean, 2> clean,
                const typename Update::Gradient* gradient) {
  const std::size_t count = noise.size();
  const std::size_t units = (count + pack_size - 1) / pack_size;
  const std::size_t columns = noise.extent(1);
  with_packs(is_aligned(noise.data()) && is_aligned(clean.data()) && is_aligned(gradient),
             [&](auto packs) {
               for_each_index(queue, units,
                              UpdatePack<Update, decltype(packs)::value>{.update = update,
                                                                         .noise = noise.data(),
                                                                         .clean = clean.data(),
                                                                         .gradient = gradient,
                                                                         .count = count,
                                                                         .columns = columns});
             });
}

template <class P, class A, class T, class Radius>
void update_floats(const Queue<P, A>& queue, const BallAndBoxSet<T, LinfBall<Radius>>& set,
                   View<T, 2> noise, const T* gradient, T step) {
  const auto radii = radii_of<T>(set.ball);
  update_all(queue,
             FloatUpdate<T, T, decltype(radii)>{
                 .step = step, .low = set.box.low, .high = set.box.high, .radius_at = radii},
             noise, set.clean, gradient);
}

}  // namespace detail

/// PixelGridSet::project on a device.
template <class P, class A>
void project(const Queue<P, A>& queue, const PixelGridSet& set, View<std::int8_t, 2> noise) {
  detail::update_all(queue, detail::PixelUpdate{.radius = set.lattice.radius, .step = 0}, noise,
                     set.clean, nullptr);
}

/// PixelGridSet::sign_step on a device; `step` in levels.
template <class P, class A>
void sign_step(const Queue<P, A>& queue, const PixelGridSet& set, View<std::int8_t, 2> noise,
               View<const float, 2> gradient, int step) {
  detail::update_all(queue, detail::PixelUpdate{.radius = set.lattice.radius, .step = step}, noise,
                     set.clean, gradient.data());
}

/// BallAndBoxSet::project on a device, for balls of the maximum norm with at most 16 channels.
template <class P, class A, class T, class Radius>
void project(const Queue<P, A>& queue, const BallAndBoxSet<T, LinfBall<Radius>>& set,
             View<T, 2> noise) {
  // Minus zero, which added changes no number, a zero's sign included.
  detail::update_floats(queue, set, noise, static_cast<const T*>(nullptr), -T{0});
}

/// BallAndBoxSet::sign_step on a device, for balls of the maximum norm with at most 16 channels.
template <class P, class A, class T, class Radius>
void sign_step(const Queue<P, A>& queue, const BallAndBoxSet<T, LinfBall<Radius>>& set,
               View<T, 2> noise, View<const T, 2> gradient, T step) {
  detail::update_floats(queue, set, noise, gradient.data(), step);
}

/// Noise of half precision: __half, __nv_bfloat16, or any two-byte number that converts to float
/// and back, rounding to nearest.
///
/// {δ : |δ_i| ≤ ε and x_i + δ_i ∈ box}, computed in float. ε is rounded down to a Number, so that
/// the bound holds for what is stored; the box holds to one rounding of Number.
template <class Number>
struct HalfNoise {
  LinfBall<double> ball;        ///< bounds each row of the noise
  View<const Number, 2> clean;  ///< [rows, elements]
  Box<float> box{};             ///< bounds the perturbed signals
  static_assert(sizeof(Number) == sizeof(std::uint16_t));

  /// δ ← the feasible noise nearest to δ, in place.
  /// @throws InvalidArgument when the shape is not that of `clean`, or the ball or box is invalid.
  template <class P, class A>
  void project(const Queue<P, A>& queue, View<Number, 2> noise) const {
    update(queue, noise, nullptr, -0.0F);
  }

  /// δ ← the feasible noise nearest to δ + signed_step · sign(grad), in place.
  /// @throws InvalidArgument as project() does, and when `grad` has another shape.
  template <class P, class A>
  void sign_step(const Queue<P, A>& queue, View<Number, 2> noise, View<const Number, 2> grad,
                 double signed_step) const {
    unlearn::require_same_shape("gradient", clean, grad);
    unlearn::require_step(signed_step);
    update(queue, noise, grad.data(), static_cast<float>(signed_step));
  }

  /// ε as it is stored: the greatest Number that is not above it.
  [[nodiscard]] float stored_radius() const {
    Number nearest(static_cast<float>(ball.radius));
    if (static_cast<double>(static_cast<float>(nearest)) > ball.radius) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, &nearest, sizeof bits);
      --bits;  // the next number towards 0, as the radius is positive
      std::memcpy(static_cast<void*>(&nearest), &bits, sizeof bits);
    }
    return static_cast<float>(nearest);
  }

 private:
  template <class P, class A>
  void update(const Queue<P, A>& queue, View<Number, 2> noise, const Number* gradient,
              float step) const {
    unlearn::require_same_shape("noise", clean, noise);
    ball.validate(noise.extent(1));
    box.validate();
    using Update = detail::FloatUpdate<Number, float, detail::OneRadius<float>>;
    detail::update_all(
        queue,
        Update{.step = step, .low = box.low, .high = box.high, .radius_at = {stored_radius()}},
        noise, clean, gradient);
  }
};

}  // namespace unlearn::cuda
