// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "unlearn/core/backend.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/result.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/ball.hpp"
#include "unlearn/noise/noise_backend.hpp"
#include "unlearn/noise/row_descent_result.hpp"
#include "unlearn/noise/rowwise_objective.hpp"
#include "unlearn/noise/sign_step.hpp"
#include "unlearn/noise/sign_update.hpp"
#include "unlearn/noise/step_rule.hpp"

namespace unlearn {

/// A set of noises in which the descent can step, and onto which it can project.
///
/// Requirements, for a set `s`, an execution policy `p`, and `noise` and `grad`, both
/// [rows, elements]:
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
  int steps;        ///< steps taken
  int evaluations;  ///< calls of the objective
  StopReason stop;  ///< step_limit, converged (at stop_value) or not_finite
};

/// Projected gradient descent (PGD): δ ← Proj(δ ∓ step · d), `steps` times. The direction d comes
/// from the gradient by a StepRule: sign ∇f(δ) with SignStep, ∇f(δ) / ‖∇f(δ)‖₂ in each row with
/// NormalizedGradientStep, and the sign of an average over steps with MomentumSignStep.
///
///     ProjectedDescent<MomentumSignStep>{.step = 1.0 / 255, .steps = 10, .rule = {.decay = 0.9}}
///
/// The start is projected first. The objective is evaluated at every iterate, the last included:
/// steps + 1 evaluations. The run stops early at the first iterate whose value is at or beyond
/// `stop_value`, and at the first whose value or gradient is NaN or infinite. Such an iterate is
/// never kept, unless it is the start: then it is left as it is, with its value.
///
/// optimize() does so for one value of the whole batch, optimize_rows() for each row by itself.
///
/// Source: MEM (Liu et al., ACM MM 2024), Eq. 5; PGD: Madry et al., ICLR 2018.
template <StepRule Rule = SignStep>
struct ProjectedDescent {
  double step = 1.0 / 255;             ///< in the signal's units; not negative
  int steps = 8;                       ///< the most steps; not negative
  Goal goal = Goal::minimize;          ///< whether the direction is followed down or up
  Keep keep = Keep::best;              ///< which iterate the noise is left at
  std::optional<double> stop_value{};  ///< a finite number; without one there is no such stop
  [[no_unique_address]] Rule rule{};   ///< how a gradient becomes a step

  /// Optimises the noise of a batch within a feasible set, in place.
  ///
  /// @param objective see NoiseObjective
  /// @param noise     [rows, elements] of float, double or std::int8_t, or what is viewed as one;
  ///                  the start, and in the end the kept iterate
  /// @param set       BallAndBoxSet, PixelGridSet or another FeasibleSet
  /// @param policy    how the steps are run; the objective is called on this thread. With a
  ///                  NoiseBackend, `noise`, `grad` and the set's signals are in its memory, and
  ///                  each step waits for it to know whether the gradient was finite. On a device
  ///                  the rule is SignStep
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

  /// Optimises each row of the noise by its own value, in place: a row stops by itself, and is left
  /// at the iterate that `keep` says. A row that has stopped takes no more steps, and the objective
  /// is told which rows are left. The descent ends when all rows have stopped.
  ///
  /// @param objective see RowwiseObjective
  /// @param noise     as in optimize()
  /// @param set       as in optimize()
  /// @param policy    as in optimize(). With a NoiseBackend the values are in the host's memory
  /// @returns what was done to each row
  /// @throws InvalidArgument as optimize() does. If the objective throws, each row of `noise` is at
  ///         the iterate that it threw at, or where it has stopped.
  template <class F, MatrixLike N, class Set, ExecutionPolicy P = Parallel>
    requires RowwiseObjective<F, element_of_t<N>> && FeasibleSet<Set, element_of_t<N>> &&
             std::constructible_from<View<element_of_t<N>, 2>, N&>
  RowDescentResult optimize_rows(F&& objective, N&& noise, const Set& set,
                                 const P& policy = {}) const {
    const auto view = as_view(noise);
    return descend_rows(objective, view, set, policy, all_rows(view.extent(0)));
  }
  /// The same for some rows. The others are left as they are, and have no outcome.
  /// @param objective, noise, set, policy as in optimize_rows() of all rows
  /// @param rows      ascending, without repetition
  template <class F, MatrixLike N, class Set, ExecutionPolicy P>
    requires RowwiseObjective<F, element_of_t<N>> && FeasibleSet<Set, element_of_t<N>> &&
             std::constructible_from<View<element_of_t<N>, 2>, N&>
  RowDescentResult optimize_rows(F&& objective, N&& noise, const Set& set, const P& policy,
                                 std::span<const Index> rows) const {
    return descend_rows(objective, as_view(noise), set, policy, {rows.begin(), rows.end()});
  }

  /// @throws InvalidArgument when the settings are invalid, whatever is optimised
  void validate() const {
    require_step(step);
    require(step >= 0, "step of the descent", "a number that is not negative", step);
    require(steps >= 0, "steps of the descent", "at least 0", steps);
    require(!stop_value || is_finite(*stop_value), "stop_value of the descent",
            "a finite number, or none", stop_value.value_or(0));
    detail::validate_rule(rule);
  }

 private:
  /// The arrays of a descent, all [rows, elements].
  template <class X>
  struct Arrays {
    View<X, 2> noise;
    View<gradient_of_t<X>, 2> grad;
    View<gradient_of_t<X>, 2> memory;  ///< without rows, unless the rule has a memory
  };

  template <class X>
  static constexpr bool directs_rows = detail::DirectsRows<Rule, gradient_of_t<X>>;
  /// Whether a step works on the rows in the host's memory, and not by the set alone.
  template <class X>
  static constexpr bool steps_by_row = directs_rows<X> || Rule::move == Move::by_direction;

  template <class X, class P>
  static constexpr void check_types() {
    static_assert(std::floating_point<X> || Rule::move == Move::by_sign,
                  "on the pixel grid every number moves by whole levels along a sign: use "
                  "unlearn::SignStep or unlearn::MomentumSignStep");
    static_assert(!DevicePolicy<P> || !steps_by_row<X>,
                  "this step rule reads gradients in the host's memory: on a device use "
                  "unlearn::SignStep");
    static_assert(directs_rows<X> || !detail::has_memory<Rule>,
                  "a step rule with a memory needs direct(grad, memory): see its requirements in "
                  "unlearn/noise/step_rule.hpp");
  }

  /// @throws InvalidArgument
  template <class X, class P>
  void validate_start(View<X, 2> noise, const P& policy) const {
    validate();
    if constexpr (std::floating_point<X>) {
      require(backend_of(policy).all_finite(noise.data(), noise.size()), "start of the descent",
              "finite numbers", "NaN or infinity");
    }
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
    check_types<X, P>();
    validate_start(noise, policy);
    set.project(policy, noise);

    const auto& backend = backend_of(policy);
    auto gradient = scratch<gradient_of_t<X>>(policy, noise.size());
    const View<gradient_of_t<X>, 2> grad(gradient.data(), noise.extents());
    auto memory = scratch<gradient_of_t<X>>(policy, memory_size(noise));
    if constexpr (detail::has_memory<Rule>) {
      backend_of(policy).fill(gradient_of_t<X>{0}, noise.size(), memory.data());
    }
    const Arrays<X> arrays = arrays_of(noise, grad, memory.data());
    const std::vector<Index> rows = all_rows(steps_by_row<X> ? noise.extent(0) : 0);
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
      take_step(arrays, rows, set, policy);
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

  /// @param active the rows that take part
  template <class F, class X, class Set, class P>
  RowDescentResult descend_rows(F&& objective, View<X, 2> noise, const Set& set, const P& policy,
                                std::vector<Index> active) const {
    check_types<X, P>();
    validate_start(noise, policy);
    std::vector<Index> frozen = rows_beside(active, noise.extent(0));

    // Of a frozen row, `kept` is what it is left at, else the iterate to keep. A step moves all
    // rows, as a set need not know how to move some, and then the frozen ones are taken from
    // `kept`.
    auto kept_numbers = scratch<X>(policy, noise.size());
    const View<X, 2> kept(kept_numbers.data(), noise.extents());
    copy_rows<X>(frozen, noise, kept, policy);
    set.project(policy, noise);
    copy_rows<X>(frozen, kept, noise, policy);

    auto gradient = scratch<gradient_of_t<X>>(policy, noise.size());
    const View<gradient_of_t<X>, 2> grad(gradient.data(), noise.extents());
    auto memory = scratch<gradient_of_t<X>>(policy, memory_size(noise));
    if constexpr (detail::has_memory<Rule>) {
      backend_of(policy).fill(gradient_of_t<X>{0}, noise.size(), memory.data());
    }
    const Arrays<X> arrays = arrays_of(noise, grad, memory.data());
    std::vector<double> values(noise.extent(0));
    std::vector<Index> improved;
    RowDescentResult result{.rows = std::vector<RowOutcome>(noise.extent(0))};
    for (int taken = 0; !active.empty(); ++taken) {
      const RowEvaluation<X> at{.noise = noise,
                                .rows = active,
                                .values = values,
                                .grad = grad,
                                .gradient_needed = taken < steps};
      objective(at);
      ++result.evaluations;
      record(at, taken, policy, result.rows, improved);
      copy_rows<X>(improved, noise, kept, policy);

      const auto has_stopped = [&](Index row) {
        return result.rows[row].stop != StopReason::running;
      };
      std::ranges::copy_if(active, std::back_inserter(frozen), has_stopped);
      std::ranges::sort(frozen);
      std::erase_if(active, has_stopped);
      if (!active.empty()) take_step(arrays, active, set, policy);
      copy_rows<X>(frozen, kept, noise, policy);
    }
    return result;
  }

  /// Writes what an evaluation says to the outcomes of its rows.
  /// @param improved becomes the rows whose iterate is to be kept
  template <class X, class P>
  void record(const RowEvaluation<X>& at, int taken, const P& policy,
              std::span<RowOutcome> outcomes, std::vector<Index>& improved) const {
    const auto& backend = backend_of(policy);
    const bool finite_gradients =
        !at.gradient_needed || backend.all_finite(at.grad.data(), at.grad.size());
    improved.clear();
    for (const Index row : at.rows) {
      const double value = at.values[row];
      const std::span<const gradient_of_t<X>> grad = at.grad.row(row);
      const bool finite =
          is_finite(value) && (finite_gradients || backend.all_finite(grad.data(), grad.size()));
      RowOutcome& outcome = outcomes[row];
      if (taken == 0 || (finite && (keep == Keep::last || is_better(value, outcome.value)))) {
        outcome.value = value;
        outcome.step = taken;
        improved.push_back(row);
      }
      outcome.steps = taken;
      outcome.stop = stop_reason(finite, value, !at.gradient_needed);
    }
  }

  /// Turns the gradients of `rows` into directions, and moves the noise within the set.
  template <class X, class Set, class P>
  void take_step(const Arrays<X>& at, [[maybe_unused]] std::span<const Index> rows, const Set& set,
                 const P& policy) const {
    const double signed_step = goal == Goal::minimize ? -step : step;
    if constexpr (directs_rows<X>) {
      for_each_row(policy, rows, at.noise.extent(1), [&](Index row) {
        rule.direct(at.grad.row(row),
                    detail::has_memory<Rule> ? at.memory.row(row) : std::span<gradient_of_t<X>>{});
      });
    }
    if constexpr (Rule::move == Move::by_sign) {
      set.sign_step(policy, at.noise, View<const gradient_of_t<X>, 2>(at.grad), signed_step);
    } else {
      for_each_row(policy, rows, at.noise.extent(1), [&](Index row) {
        const std::span<X> delta = at.noise.row(row);
        const std::span<const gradient_of_t<X>> direction = at.grad.row(row);
        const auto distance = static_cast<X>(signed_step);
        for (std::size_t i = 0; i < delta.size(); ++i) delta[i] += distance * direction[i];
      });
      set.project(policy, at.noise);
    }
  }

  /// Calls work(row) for each of `rows`, of `elements` numbers.
  template <class P, class Work>
  static void for_each_row(const P& policy, std::span<const Index> rows, std::size_t elements,
                           const Work& work) {
    if constexpr (ThreadedPolicy<P>) {
      const std::size_t grain =
          std::max<std::size_t>(update_grain / std::max<std::size_t>(elements, 1), 1);
      for_each_piece(policy, rows.size(), grain, [&](std::size_t begin, std::size_t end) {
        for (; begin < end; ++begin) work(rows[begin]);
      });
    } else {
      for (const Index row : rows) work(row);
    }
  }

  /// to[r] ← from[r] for each of `rows`, with one copy for rows that follow each other.
  template <class X, class P>
  static void copy_rows(std::span<const Index> rows, View<const X, 2> from, View<X, 2> to,
                        const P& policy) {
    for (std::size_t i = 0; i < rows.size();) {
      std::size_t end = i + 1;
      while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
      const View<const X, 2> block = from.slice(rows[i], end - i);
      backend_of(policy).copy(block.data(), block.size(), to.slice(rows[i], end - i).data());
      i = end;
    }
  }

  [[nodiscard]] static std::vector<Index> all_rows(std::size_t count) {
    std::vector<Index> rows(count);
    std::iota(rows.begin(), rows.end(), Index{0});
    return rows;
  }

  /// @throws InvalidArgument unless `rows` is ascending and below `count`
  [[nodiscard]] static std::vector<Index> rows_beside(std::span<const Index> rows,
                                                      std::size_t count) {
    std::vector<Index> others;
    std::size_t next = 0;
    for (const Index row : rows) {
      require(row >= next && row < count, "rows of a descent",
              "ascending numbers below " + std::to_string(count), row);
      for (; next < row; ++next) others.push_back(static_cast<Index>(next));
      ++next;
    }
    for (; next < count; ++next) others.push_back(static_cast<Index>(next));
    return others;
  }

  /// How many numbers the rule remembers.
  template <class X>
  [[nodiscard]] static std::size_t memory_size(View<X, 2> noise) {
    return detail::has_memory<Rule> ? noise.size() : 0;
  }

  template <class X>
  [[nodiscard]] static Arrays<X> arrays_of(View<X, 2> noise, View<gradient_of_t<X>, 2> grad,
                                           gradient_of_t<X>* memory) {
    const std::size_t rows = detail::has_memory<Rule> ? noise.extent(0) : 0;
    return {.noise = noise, .grad = grad, .memory = {memory, {rows, noise.extent(1)}}};
  }
};

static_assert(std::is_trivially_copyable_v<ProjectedDescent<>>);
static_assert(std::is_aggregate_v<ProjectedDescent<>>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
