// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <numeric>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <type_traits>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/result.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/projected_descent.hpp"
#include "unlearn/noise/row_descent_result.hpp"
#include "unlearn/noise/rowwise_objective.hpp"
#include "unlearn/noise/sign_step.hpp"
#include "unlearn/noise/step_rule.hpp"

namespace unlearn {

/// A FeasibleSet from which a start can be drawn.
///
/// Requirements, for a set `s`, `noise` [rows, elements] in the host's memory and a generator `r`:
///  1. `s.draw(noise, r)` sets `noise` to a random point of the set. It does not depend on what
///     `noise` was.
///  2. It throws InvalidArgument for a shape that does not fit, and for a set without bounds.
template <class S, class X, class Rng>
concept DrawableSet = FeasibleSet<S, X> &&
                      requires(const S& set, View<X, 2> noise, Rng& rng) { set.draw(noise, rng); };

/// A descent from random starts, of which the best is kept: PGD with restarts.
///
///     RandomStarts{.descent = ProjectedSignDescent{.steps = 20}, .starts = 5}
///
/// Each start is drawn from the set, whatever the noise was. The noise is in the host's memory.
/// Source: Madry et al., ICLR 2018, section 3.
template <StepRule Rule = SignStep>
struct RandomStarts {
  ProjectedDescent<Rule> descent{};  ///< what is done from each start
  int starts = 1;                    ///< the most; at least 1

  /// Optimises the noise of a batch: of all starts, the one with the best value of the batch is
  /// kept. The first that comes to the stop_value of the descent is the last.
  ///
  /// @param objective see NoiseObjective
  /// @param noise     [rows, elements]; in the end the kept iterate of the best start
  /// @param set       BallAndBoxSet, PixelGridSet or another DrawableSet
  /// @param rng       where the starts are drawn from
  /// @param policy    how the steps are run
  /// @returns what was done from the best start, the earliest of equals, with the evaluations of
  ///          all. A start with a value or gradient that is NaN or infinite is the worst
  /// @throws InvalidArgument when settings, set or shapes are invalid, or the set is unbounded. If
  ///         the objective throws, `noise` is at the iterate that it threw at.
  template <class F, MatrixLike N, class Set, std::uniform_random_bit_generator Rng,
            HostPolicy P = Parallel>
    requires NoiseObjective<F, element_of_t<N>> && DrawableSet<Set, element_of_t<N>, Rng> &&
             std::constructible_from<View<element_of_t<N>, 2>, N&>
  DescentResult optimize(F&& objective, N&& noise, const Set& set, Rng& rng,
                         const P& policy = {}) const {
    validate();
    const View<element_of_t<N>, 2> iterate = as_view(noise);
    std::vector<element_of_t<N>> best(iterate.size());
    DescentResult result{};
    int evaluations = 0;
    for (int start = 0; start < starts; ++start) {
      set.draw(iterate, rng);
      const DescentResult found = descent.optimize(objective, iterate, set, policy);
      evaluations += found.evaluations;
      if (start == 0 || is_better(found, result)) {
        result = found;
        std::ranges::copy(iterate.flat(), best.begin());
      }
      if (result.stop == StopReason::converged) break;
    }
    std::ranges::copy(best, iterate.flat().begin());
    result.evaluations = evaluations;
    return result;
  }

  /// Optimises each row by its own value: of all starts, each row keeps the one with its best
  /// value. A row that has come to the stop_value of the descent is not started again.
  ///
  /// @param objective see RowwiseObjective
  /// @param noise     as in optimize()
  /// @param set       as in optimize()
  /// @param rng       draws a start for every row at every start
  /// @param policy    how the steps are run
  /// @returns what was done to each row from its best start, and the evaluations of all starts
  /// @throws InvalidArgument as optimize() does
  template <class F, MatrixLike N, class Set, std::uniform_random_bit_generator Rng,
            HostPolicy P = Parallel>
    requires RowwiseObjective<F, element_of_t<N>> && DrawableSet<Set, element_of_t<N>, Rng> &&
             std::constructible_from<View<element_of_t<N>, 2>, N&>
  RowDescentResult optimize_rows(F&& objective, N&& noise, const Set& set, Rng& rng,
                                 const P& policy = {}) const {
    validate();
    using X = element_of_t<N>;
    const View<X, 2> iterate = as_view(noise);
    std::vector<X> best_numbers(iterate.size());
    const View<X, 2> best(best_numbers, iterate.extents());
    std::vector<Index> left(iterate.extent(0));
    std::iota(left.begin(), left.end(), Index{0});
    RowDescentResult result{.rows = std::vector<RowOutcome>(iterate.extent(0))};
    for (int start = 0; start < starts && !left.empty(); ++start) {
      set.draw(iterate, rng);
      for (std::size_t row = 0; row < result.rows.size(); ++row) {
        if (result.rows[row].success()) std::ranges::copy(best.row(row), iterate.row(row).begin());
      }
      const RowDescentResult found =
          descent.optimize_rows(objective, iterate, set, policy, std::span<const Index>(left));
      result.evaluations += found.evaluations;
      for (const Index row : left) {
        if (start > 0 && !is_better(found.rows[row], result.rows[row])) continue;
        result.rows[row] = found.rows[row];
        result.rows[row].start = start;
        std::ranges::copy(iterate.row(row), best.row(row).begin());
      }
      std::erase_if(left, [&](Index row) { return result.rows[row].success(); });
    }
    std::ranges::copy(best.flat(), iterate.flat().begin());
    return result;
  }

 private:
  void validate() const {
    require(starts >= 1, "random starts of a descent", "at least 1", starts);
    descent.validate();
  }

  /// @tparam Outcome DescentResult or RowOutcome
  template <class Outcome>
  [[nodiscard]] bool is_better(const Outcome& a, const Outcome& b) const {
    const auto usable = [](const Outcome& outcome) {
      return outcome.stop != StopReason::not_finite || outcome.steps > 0;
    };
    if (!usable(a) || !usable(b)) return usable(a) && !usable(b);
    return descent.goal == Goal::minimize ? a.value < b.value : a.value > b.value;
  }
};

static_assert(std::is_trivially_copyable_v<RandomStarts<>>);
static_assert(std::is_aggregate_v<RandomStarts<>>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
