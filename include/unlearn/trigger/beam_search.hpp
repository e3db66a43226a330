// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/stable_sort_by.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"

namespace unlearn {

/// How a beam search decides whether to take new triggers.
enum class Acceptance {
  /// Each group takes its own best trigger if that lowers the loss.
  per_sample,
  /// All groups take their r-th candidates together, or none does. The reference implementation of
  /// MEM does this.
  whole_batch,
};

/// Scores hypotheses of the form "group g has this trigger", with everything else unchanged.
///
/// Requirements, for a scorer `s` that starts from the triggers it was made for:
///  1. `s.loss()` is the loss with the current triggers.
///  2. `s.propose(groups, triggers)` announces hypothesis m = "groups[m] has triggers[m]", for any
///     number of hypotheses, [M] and [M, n]. They replace those proposed before.
///  3. `s.score(losses)` writes, for each hypothesis alone, the loss if it were true.
///  4. `s.joint_loss(chosen)` is the loss if these hypotheses, of different groups, were all true.
///  5. `s.commit(chosen)` makes them true. `s.loss()` then equals what `joint_loss` returned.
template <class S>
concept TriggerScorer = requires(S& s, std::span<const Index> indices,
                                 View<const Token, 2> triggers, std::span<double> losses) {
  { s.loss() } -> std::convertible_to<double>;
  s.propose(indices, triggers);
  s.score(losses);
  { s.joint_loss(indices) } -> std::convertible_to<double>;
  s.commit(indices);
};

/// The constraint that allows every trigger.
struct AnyTrigger {
  /// Always true.
  constexpr bool operator()(Index, std::span<const Token>) const { return true; }
};

/// Says whether a group may have a whole trigger: for instance whether its text, encoded again
/// with the caption, gives the same ids.
///
/// Requirements, for a constraint `c`:
///  1. `c(index, trigger)` is const and returns a bool. The index is the group in a BeamSearch, and
///     the row in a run: a trigger that several captions share is asked about for each of their
///     rows, in the whole data set, until one says no.
template <class L>
concept TriggerConstraint =
    std::invocable<const L&, Index, std::span<const Token>> &&
    std::convertible_to<std::invoke_result_t<const L&, Index, std::span<const Token>>, bool>;

/// The result of a beam search.
struct BeamResult {
  double loss = 0;             ///< with the final triggers
  std::size_t hypotheses = 0;  ///< how many hypotheses were scored
  std::size_t accepted = 0;    ///< how often a group took a new trigger
};

namespace detail {

/// Commits all of `chosen` if that lowers the loss, else the better half of them, and so on.
///
/// Each hypothesis alone lowers the loss. Together they may raise it, because each was scored with
/// the old triggers of the other groups. The loss never rises. Takes O(log m) joint losses for m
/// chosen hypotheses.
/// @param scorer has scored the hypotheses
/// @param chosen hypotheses of different groups; sorted by their losses on return
/// @param losses the loss with each of the scorer's hypotheses alone
/// @returns how many were committed: the first ones of `chosen`
template <TriggerScorer Scorer>
std::size_t accept_improving(Scorer& scorer, std::span<Index> chosen,
                             std::span<const double> losses) {
  stable_sort_by(chosen, [&](Index m) { return losses[m]; });
  for (std::size_t count = chosen.size(); count > 0; count /= 2) {
    const double loss = scorer.joint_loss(chosen.first(count));
    if (is_below_infinity(loss) && loss < scorer.loss()) {
      scorer.commit(chosen.first(count));
      return count;
    }
  }
  return 0;
}

}  // namespace detail

/// Lowers the loss L(t) over triggers t by a beam search, one position after the other.
///
/// The beam of a group holds `width` triggers. At each position j, from left to right, the search
/// forms all variants of these triggers with one of the k candidates as token j, scores them by the
/// true loss, and keeps the best `width`. The current trigger always competes, with its known loss.
/// After each position the groups take better triggers (see Acceptance); the loss of the batch
/// never rises.
///
/// Among equal losses the current trigger comes first, then the order of the beam and of the
/// candidates. A trigger whose loss is NaN or +∞ leaves the beam. A batch whose loss is NaN keeps
/// its triggers, because no loss is below NaN.
/// Source: MEM (Liu et al., ACM MM 2024), the trigger step; Wallace et al., Universal Adversarial
/// Triggers, EMNLP 2019.
struct BeamSearch {
  std::size_t width = 1;  ///< how many triggers a group keeps from position to position; at least 1
  Acceptance acceptance = Acceptance::per_sample;  ///< how new triggers are accepted

  /// Searches better triggers for all groups of a batch.
  /// @param triggers   [G, n]; the current triggers of `scorer`, replaced by the accepted ones
  /// @param candidates [G, n, k] tokens for each position, padded with `no_token`
  /// @param scorer     a TriggerScorer; its current triggers are the accepted ones in the end
  /// @param constraint a TriggerConstraint; only triggers that it allows are scored
  /// @returns the final loss, and how many triggers were scored and accepted
  /// @throws InvalidArgument when the shapes disagree or the width is 0. What the scorer or the
  ///         constraint throws passes through.
  template <TriggerScorer Scorer, TriggerConstraint Constraint = AnyTrigger>
  BeamResult operator()(View<Token, 2> triggers, View<const Token, 3> candidates, Scorer& scorer,
                        const Constraint& constraint = {}) const {
    require(width > 0, "width of a beam search", "at least 1", width);
    require_size("groups of the trigger candidates", triggers.extent(0), candidates.extent(0));
    require_size("positions of the trigger candidates", triggers.extent(1), candidates.extent(1));
    BeamResult result{.loss = scorer.loss()};
    if (is_nan(result.loss)) return result;
    if (acceptance == Acceptance::per_sample) {
      search_per_sample(triggers, candidates, scorer, constraint, result);
    } else {
      search_whole_batch(triggers, candidates, scorer, constraint, result);
    }
    result.loss = scorer.loss();
    return result;
  }

 private:
  /// Triggers, each with the group that it is for.
  struct Hypotheses {
    explicit Hypotheses(std::size_t trigger_length) : length(trigger_length) {}

    std::size_t length;
    std::vector<Index> groups;
    std::vector<Token> tokens;

    [[nodiscard]] std::size_t size() const { return groups.size(); }
    [[nodiscard]] std::span<const Token> trigger(std::size_t m) const {
      return std::span(tokens).subspan(m * length, length);
    }
    [[nodiscard]] View<const Token, 2> triggers() const {
      return {tokens.data(), {size(), length}};
    }
    void add(std::size_t group, std::span<const Token> trigger) {
      groups.push_back(static_cast<Index>(group));
      tokens.insert(tokens.end(), trigger.begin(), trigger.end());
    }
    /// Adds `trigger` with `token` at `position`, if that is a different trigger and it is allowed.
    template <class Constraint>
    void add_variant(std::size_t group, std::span<const Token> trigger, std::size_t position,
                     Token token, const Constraint& constraint) {
      if (token == no_token || token == trigger[position]) return;
      add(group, trigger);
      tokens[tokens.size() - length + position] = token;
      if (!constraint(static_cast<Index>(group), std::span<const Token>(tokens).last(length))) {
        groups.pop_back();
        tokens.resize(tokens.size() - length);
      }
    }
  };

  template <class Scorer, class Constraint>
  void search_per_sample(View<Token, 2> triggers, View<const Token, 3> candidates, Scorer& scorer,
                         const Constraint& constraint, BeamResult& result) const {
    const std::size_t length = triggers.extent(1);
    // Without the current triggers, so it is always empty for width 1.
    Hypotheses beam(length);
    for (std::size_t position = 0; position < length; ++position) {
      Hypotheses next(length);
      for (std::size_t g = 0, from = 0; g < triggers.extent(0); ++g) {
        const auto options = candidates[g].row(position);
        const std::size_t first = next.size();
        for (const Token token : options) {
          next.add_variant(g, triggers.row(g), position, token, constraint);
        }
        for (; from < beam.size() && beam.groups[from] == g; ++from) {
          next.add(g, beam.trigger(from));
          for (const Token token : options) {
            next.add_variant(g, beam.trigger(from), position, token, constraint);
          }
        }
        drop_repeated(next, first);
      }
      const std::vector<double> losses = scored(next, scorer, result);
      const std::vector<Token> before(triggers.flat().begin(), triggers.flat().end());
      const double loss_before = scorer.loss();
      accept(next, losses, scorer, triggers, result);
      beam = best_others(next, losses, triggers,
                         {.triggers = {before, triggers.extents()}, .loss = loss_before});
    }
  }

  // Not std::ranges::equal: GCC 12 makes a memcmp of it, and then warns about that memcmp.
  static bool same(std::span<const Token> a, std::span<const Token> b) {
    return std::ranges::mismatch(a, b).in1 == a.end();
  }

  /// Removes repeated triggers among the hypotheses from `first` on: candidates can repeat.
  static void drop_repeated(Hypotheses& hypotheses, std::size_t first) {
    std::size_t kept = first;
    for (std::size_t m = first; m < hypotheses.size(); ++m) {
      const auto trigger = hypotheses.trigger(m);
      bool repeated = false;
      for (std::size_t other = first; other < kept && !repeated; ++other) {
        repeated = same(trigger, hypotheses.trigger(other));
      }
      if (repeated) continue;
      std::ranges::copy(trigger, hypotheses.tokens.begin() +
                                     static_cast<std::ptrdiff_t>(kept * hypotheses.length));
      ++kept;
    }
    hypotheses.groups.resize(kept);
    hypotheses.tokens.resize(kept * hypotheses.length);
  }

  template <class Scorer>
  static std::vector<double> scored(const Hypotheses& hypotheses, Scorer& scorer,
                                    BeamResult& result) {
    std::vector<double> losses(hypotheses.size());
    scorer.propose(hypotheses.groups, hypotheses.triggers());
    scorer.score(losses);
    result.hypotheses += hypotheses.size();
    return losses;
  }

  /// The triggers of all groups, and the loss of the batch with them.
  struct ScoredTriggers {
    View<const Token, 2> triggers{};
    double loss = 0;
  };

  /// For each group, the best `width` − 1 triggers other than its current one. They are chosen from
  /// its hypotheses and the trigger that it had before.
  template <class Losses>
  [[nodiscard]] Hypotheses best_others(const Hypotheses& all, const Losses& losses,
                                       View<const Token, 2> triggers,
                                       const ScoredTriggers& before) const {
    struct ScoredTrigger {
      std::span<const Token> trigger{};
      double loss = 0;
    };
    Hypotheses best(all.length);
    std::vector<ScoredTrigger> others;
    for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
      const Index group = all.groups[begin];
      others.assign(1, {before.triggers.row(group), before.loss});
      for (end = begin; end < all.size() && all.groups[end] == group; ++end) {
        others.push_back({all.trigger(end), losses[end]});
      }
      std::erase_if(others, [&](const ScoredTrigger& other) {
        return !is_below_infinity(other.loss) || same(other.trigger, triggers.row(group));
      });
      stable_sort_by(std::span(others), &ScoredTrigger::loss);
      others.resize(std::min(others.size(), width - 1));
      for (const ScoredTrigger& other : others) best.add(group, other.trigger);
    }
    return best;
  }

  template <class Scorer>
  static void accept(const Hypotheses& hypotheses, std::span<const double> losses, Scorer& scorer,
                     View<Token, 2> triggers, BeamResult& result) {
    std::vector<Index> chosen;
    for (std::size_t m = 0; m < hypotheses.size(); ++m) {
      if (!is_below_infinity(losses[m]) || !(losses[m] < scorer.loss())) continue;
      const bool same_group =
          !chosen.empty() && hypotheses.groups[chosen.back()] == hypotheses.groups[m];
      if (!same_group) {
        chosen.push_back(static_cast<Index>(m));
      } else if (losses[m] < losses[chosen.back()]) {
        chosen.back() = static_cast<Index>(m);
      }
    }
    const std::size_t count = detail::accept_improving(scorer, std::span(chosen), losses);
    for (const Index m : std::span(chosen).first(count)) {
      std::ranges::copy(hypotheses.trigger(m), triggers.row(hypotheses.groups[m]).begin());
    }
    result.accepted += count;
  }

  /// A trigger for every group, and the loss of the batch with them.
  struct Assignment {
    std::vector<Token> tokens{};  // [G, n]
    double loss = 0;
  };

  /// Gives each group its candidate of this rank at `position`, if there is one and it is allowed.
  /// @returns whether any trigger has changed
  template <class Constraint>
  static bool substitute(View<Token, 2> triggers, View<const Token, 3> candidates,
                         std::size_t position, std::size_t rank, const Constraint& constraint) {
    bool changed = false;
    for (std::size_t g = 0; g < triggers.extent(0); ++g) {
      const std::span<Token> trigger = triggers.row(g);
      const Token token = candidates[g].row(position)[rank];
      if (token == no_token || token == trigger[position]) continue;
      const Token before = std::exchange(trigger[position], token);
      if (constraint(static_cast<Index>(g), std::span<const Token>(trigger))) {
        changed = true;
      } else {
        trigger[position] = before;
      }
    }
    return changed;
  }

  template <class Scorer, class Constraint>
  void search_whole_batch(View<Token, 2> triggers, View<const Token, 3> candidates, Scorer& scorer,
                          const Constraint& constraint, BeamResult& result) const {
    const auto extents = triggers.extents();
    std::vector<Index> everyone(triggers.extent(0));
    std::iota(everyone.begin(), everyone.end(), Index{0});
    std::vector<Assignment> beam{
        {.tokens = {triggers.flat().begin(), triggers.flat().end()}, .loss = scorer.loss()}};

    for (std::size_t position = 0; position < triggers.extent(1); ++position) {
      std::vector<Assignment> next = beam;
      for (const Assignment& parent : beam) {
        for (std::size_t rank = 0; rank < candidates.extent(2); ++rank) {
          Assignment child = parent;
          const View<Token, 2> assigned(child.tokens, extents);
          if (!substitute(assigned, candidates, position, rank, constraint)) continue;
          scorer.propose(everyone, assigned);
          child.loss = scorer.joint_loss(everyone);
          result.hypotheses += everyone.size();
          if (is_below_infinity(child.loss)) next.push_back(std::move(child));
        }
      }
      stable_sort_by(std::span(next), &Assignment::loss);
      next.resize(std::min(next.size(), width));
      beam = std::move(next);
    }

    if (!(beam.front().loss < scorer.loss())) return;
    const View<Token, 2> best(beam.front().tokens, extents);
    scorer.propose(everyone, best);
    scorer.commit(everyone);
    for (std::size_t g = 0; g < everyone.size(); ++g) {
      if (!same(best.row(g), triggers.row(g))) ++result.accepted;
    }
    std::ranges::copy(best.flat(), triggers.flat().begin());
  }
};

static_assert(std::is_trivially_copyable_v<BeamSearch>);
static_assert(std::is_aggregate_v<BeamSearch>);

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
