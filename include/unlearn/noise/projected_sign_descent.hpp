// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <type_traits>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/result.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/noise_backend.hpp"
#include "unlearn/noise/sign_update.hpp"

namespace unlearn {

/// A set of noises in which the descent can step, and onto which it can project.
///
/// Requirements, for a set `s`, an execution policy `p`, and `noise` and `grad` of one shape [rows,
/// elements]:
///  1. `s.project(p, noise)` moves `noise` into the set, in place, and leaves a point of the set as
///     it is, to rounding.
///  2. `s.sign_step(p, noise, grad, signed_step)` does the same with noise + signed_step ·
///     sign(grad), where sign(0) is 0. A negative step descends.
///  3. Both throw InvalidArgument for a shape that does not fit the set.
///  4. The result is the same for every policy.
template <class S, class X>
concept FeasibleSet = requires(const S& set, View<X, 2> noise, View<const gradient_of_t<X>, 2> grad,
                               double signed_step) {
  set.project(parallel, noise);
  set.sign_step(parallel, noise, grad, signed_step);
};

/// A loss as a function of the noise.
///
/// Requirements, for an objective `f`:
///  1. `f(noise, grad)` returns the value (convertible to double) and writes the gradient with
///     respect to the noise to every element of `grad`.
///
/// Optional: `f(noise)` returns the value alone. It is called where no gradient is needed.
template <class F, class X>
concept NoiseObjective = requires(F& f, View<const X, 2> noise, View<gradient_of_t<X>, 2> grad) {
  { f(noise, grad) } -> std::convertible_to<double>;
};

/// A NoiseObjective over one flat point: `f(x, grad)`, and optionally `f(x)`, of std::span.
template <class F, class T>
concept PointObjective = requires(F& f, std::span<const T> x, std::span<T> grad) {
  { f(x, grad) } -> std::convertible_to<double>;
};

namespace detail {

template <class F, class X>
concept HasValueAlone = requires(F& f, X x) {
  { f(x) } -> std::convertible_to<double>;
};

/// An objective of a flat point, as one of noise with a single row.
template <class F, class T>
struct PointAsNoise {
  F* objective;

  double operator()(View<const T, 2> x, View<T, 2> grad) const {
    return static_cast<double>((*objective)(x.flat(), grad.flat()));
  }
  double operator()(View<const T, 2> x) const
    requires HasValueAlone<F, std::span<const T>>
  {
    return static_cast<double>((*objective)(x.flat()));
  }
};

/// A ball alone, as a set of noise with a single row.
template <class BallT>
struct BallAsSet {
  BallT ball;

  template <class T>
  void project(const Sequential& /*policy*/, View<T, 2> x) const {
    ball.project(x.flat());
  }

  template <class T>
  void sign_step(const Sequential& policy, View<T, 2> x, View<const T, 2> grad,
                 double signed_step) const {
    const auto distance = static_cast<T>(signed_step);
    for (std::size_t i = 0; i < x.size(); ++i) x.flat()[i] += distance * sign<T>(grad.flat()[i]);
    project(policy, x);
  }
};

}  // namespace detail

/// Which iterate a descent ends at.
enum class Keep {
  best,  ///< the one of lowest (or highest) value; the earliest of equals
  last,  ///< the last one
};

/// What a descent did.
struct DescentResult {
  double value;     ///< the objective's value at the iterate that was kept
  int steps;        ///< sign steps taken
  int evaluations;  ///< calls of the objective
  StopReason stop;  ///< step_limit, converged (at stop_value) or not_finite
};

/// Projected sign gradient descent (PGD): δ ← Proj(δ ∓ step · sign ∇f(δ)), `steps` times.
///
/// The start is projected first. The objective is evaluated at every iterate, the last included:
/// steps + 1 evaluations. The run stops early at the first iterate whose value is at or beyond
/// `stop_value`, and at the first whose value or gradient is NaN or infinite. Such an iterate is
/// never kept, unless it is the start: then it is left as it is, with its value.
///
/// Source: MEM (Liu et al., ACM MM 2024), Eq. 5; PGD: Madry et al., ICLR 2018.
struct ProjectedSignDescent {
  double step = 1.0 / 255;             ///< in the signal's units; not negative
  int steps = 8;                       ///< sign steps, at most; not negative
  Goal goal = Goal::minimize;          ///< whether the sign of the gradient is followed down or up
  Keep keep = Keep::best;              ///< which iterate the noise is left at
  std::optional<double> stop_value{};  ///< a finite number; without one there is no such stop

  /// Optimises the noise of a batch within a feasible set, in place.
  ///
  /// @param objective see NoiseObjective
  /// @param noise     [rows, elements] of float, double or std::int8_t, or what is viewed as one;
  ///                  the start, and in the end the kept iterate
  /// @param set       BallAndBoxSet, PixelGridSet or another FeasibleSet
  /// @param policy    how the set's steps are run; the objective is called on this thread. With
  ///                  a NoiseBackend, `noise`, `grad` and the set's signals are in its memory, and
  ///                  each step waits for it to know whether the gradient was finite
  /// @returns what was done, and the value at the kept iterate
  /// @throws InvalidArgument when the settings, the set or the shapes are invalid, or the start is
  ///         not finite. If the objective throws, `noise` is at the iterate that it threw at.
  template <class F, MatrixLike N, class Set, ExecutionPolicy P = Parallel>
    requires NoiseObjective<F, element_of_t<N>> && FeasibleSet<Set, element_of_t<N>> &&
             std::constructible_from<View<element_of_t<N>, 2>, N&>
  DescentResult optimize(F&& objective, N&& noise, const Set& set, const P& policy = {}) const {
    return descend(objective, as_view(noise), set, policy);
  }

  /// Optimises one point of any length within a ball around 0, in place.
  ///
  /// @param objective see PointObjective
  /// @param x         the start, and in the end the kept iterate
  /// @param ball      see Ball
  /// @returns what was done, and the value at the kept iterate
  /// @throws InvalidArgument when the settings or the ball are invalid, or the start is not finite.
  template <class F, std::floating_point T, Ball<T> BallT>
    requires PointObjective<F, T>
  DescentResult optimize(F&& objective, std::span<T> x, const BallT& ball) const {
    using Objective = detail::PointAsNoise<std::remove_reference_t<F>, T>;
    return descend(Objective{&objective}, View<T, 2>(x, {1, x.size()}),
                   detail::BallAsSet<BallT>{ball}, sequential);
  }

 private:
  /// @throws InvalidArgument
  void validate() const {
    require_step(step);
    require(step >= 0, "step of the descent", "a number that is not negative", step);
    require(steps >= 0, "steps of the descent", "at least 0", steps);
    require(!stop_value || is_finite(*stop_value), "stop_value of the descent",
            "a finite number, or none", stop_value.value_or(0));
  }

  [[nodiscard]] bool is_better(double a, double b) const {
    return goal == Goal::minimize ? a < b : a > b;
  }

  [[nodiscard]] StopReason stop_reason(bool finite, double value, bool last) const {
    if (!finite) return StopReason::not_finite;
    if (stop_value && !is_better(*stop_value, value)) return StopReason::converged;
    return last ? StopReason::step_limit : StopReason::running;
  }

  template <class F, class X, class Set, class P>
  DescentResult descend(F&& objective, View<X, 2> noise, const Set& set, const P& policy) const {
    validate();
    const auto& backend = backend_of(policy);
    if constexpr (std::floating_point<X>) {
      require(backend.all_finite(noise.data(), noise.size()), "start of the descent",
              "finite numbers", "NaN or infinity");
    }
    set.project(policy, noise);

    const double signed_step = goal == Goal::minimize ? -step : step;
    auto gradient = scratch<gradient_of_t<X>>(policy, noise.size());
    const View<gradient_of_t<X>, 2> grad(gradient.data(), noise.extents());
    auto kept = scratch<X>(policy, noise.size());
    DescentResult result{.value = 0, .steps = 0, .evaluations = 0, .stop = StopReason::running};
    bool at_kept = true;
    while (true) {
      const bool first = result.steps == 0;
      const bool last = result.steps == steps;
      const bool value_alone = last && detail::HasValueAlone<F, View<const X, 2>>;
      const double value = evaluate(objective, View<const X, 2>(noise), grad, value_alone);
      ++result.evaluations;
      const bool finite =
          is_finite(value) && (value_alone || backend.all_finite(grad.data(), grad.size()));
      at_kept = first || (finite && (keep == Keep::last || is_better(value, result.value)));
      if (at_kept) result.value = value;

      result.stop = stop_reason(finite, value, last);
      if (result.stop != StopReason::running) break;

      if (at_kept) backend.copy(noise.data(), noise.size(), kept.data());
      set.sign_step(policy, noise, View<const gradient_of_t<X>, 2>(grad), signed_step);
      ++result.steps;
    }
    if (!at_kept) backend.copy(kept.data(), noise.size(), noise.data());
    return result;
  }

  template <class F, class X, class G>
  static double evaluate(F& objective, View<const X, 2> noise, View<G, 2> grad, bool value_alone) {
    if constexpr (detail::HasValueAlone<F, View<const X, 2>>) {
      if (value_alone) return static_cast<double>(objective(noise));
    }
    return static_cast<double>(objective(noise, grad));
  }
};

static_assert(std::is_trivially_copyable_v<ProjectedSignDescent>);
static_assert(std::is_aggregate_v<ProjectedSignDescent>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
