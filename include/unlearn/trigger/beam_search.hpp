// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/stable_sort_by.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"

namespace unlearn {

/// Who decides whether a new trigger is taken.
enum class Acceptance {
  /// Each group takes its own best trigger if the loss falls.
  per_sample,
  /// All groups take their r-th candidates at once or not at all, as in the reference
  /// implementation of MEM.
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

/// The hook that allows every trigger.
struct AnyTrigger {
  /// True.
  constexpr bool operator()(Index, std::span<const Token>) const { return true; }
};

/// Says whether a group may have a whole trigger: for instance whether its text, encoded again in
/// front of the caption, gives the same ids.
///
/// Requirements, for a constraint `c`:
///  1. `c(index, trigger)` is const and returns a bool. The index is the group in a BeamSearch, and
///     the row in a run: a trigger that several captions share is asked about for each of their
///     rows, in the whole data set, until one says no.
template <class L>
concept TriggerConstraint =
    std::invocable<const L&, Index, std::span<const Token>> &&
    std::convertible_to<std::invoke_result_t<const L&, Index, std::span<const Token>>, bool>;

/// What a beam search did.
struct BeamResult {
  double loss = 0;             ///< with the triggers that it left
  std::size_t hypotheses = 0;  ///< triggers that it had scored
  std::size_t accepted = 0;    ///< replacements that it made
};

namespace detail {

/// Commits the largest share of `chosen` that lowers the loss.
///
/// Every hypothesis lowers the loss by itself; together they may not, as each was scored with the
/// others' old triggers. Takes them all if that lowers the loss, else the better half, and so on:
/// O(log m) joint losses. So the loss never rises.
/// @param chosen hypotheses of different groups
/// @param losses of every hypothesis by itself
/// @returns how many were committed; they stand first in `chosen`
template <TriggerScorer Scorer>
std::size_t accept_improving(Scorer& scorer, std::span<Index> chosen,
                             std::span<const double> losses) {
  stable_sort_by(chosen, [&](Index m) { return losses[m]; });
  for (std::size_t count = chosen.size(); count > 0; count /= 2) {
    if (scorer.joint_loss(chosen.first(count)) < scorer.loss()) {
      scorer.commit(chosen.first(count));
      return count;
    }
  }
  return 0;
}

}  // namespace detail

/// Searches the trigger positions from left to right with a beam of `width` triggers a group.
///
/// At each position every trigger in the beam is joined by its variants with one of the k
/// candidates there; all of them are scored by the true loss, and the best `width` go on. The
/// current trigger always competes, with its known loss. After each position, groups whose best
/// trigger lowers the loss take it, and the loss of the batch never rises (`Acceptance`).
/// Equal losses: the current trigger first, then in the order of beam and candidates. Losses of NaN
/// or +∞ leave the beam; a batch whose loss is NaN keeps its triggers, as nothing is below NaN.
/// Source: MEM (Liu et al., ACM MM 2024), the trigger step; Wallace et al., Universal Adversarial
/// Triggers, EMNLP 2019.
struct BeamSearch {
  std::size_t width = 1;  ///< triggers that go on to the next position; at least 1
  Acceptance acceptance = Acceptance::per_sample;  ///< who decides

  /// @param triggers   [G, n] in: the triggers that `scorer` starts from; out: the accepted ones
  /// @param candidates [G, n, k] for each position, padded with `no_token`
  /// @param scorer     starts from `triggers`, and ends at the accepted ones
  /// @param constraint      asked for every new trigger before it is scored
  /// @throws InvalidArgument when the shapes disagree or the width is 0.
  template <TriggerScorer Scorer, TriggerConstraint Constraint = AnyTrigger>
  BeamResult operator()(View<Token, 2> triggers, View<const Token, 3> candidates, Scorer& scorer,
                        const Constraint& constraint = {}) const {
    require(width > 0, "width of a beam search", "at least 1", width);
    require_size("groups of the trigger candidates", triggers.extent(0), candidates.extent(0));
    require_size("positions of the trigger candidates", triggers.extent(1), candidates.extent(1));
    BeamResult result{.loss = scorer.loss()};
    if (std::isnan(result.loss)) return result;
    if (acceptance == Acceptance::per_sample) {
      search_per_sample(triggers, candidates, scorer, constraint, result);
    } else {
      search_whole_batch(triggers, candidates, scorer, constraint, result);
    }
    result.loss = scorer.loss();
    return result;
  }

 private:
  /// Triggers of known or wanted loss, in rows; which group each is for.
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
    /// Adds `trigger` with `token` at `position`, if that is another trigger and an allowed one.
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
    // Beside the current triggers; empty at first, and always at width 1.
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

  // Not std::ranges::equal, which GCC 12 turns into a memcmp whose bound it then doubts.
  static bool same(std::span<const Token> a, std::span<const Token> b) {
    return std::ranges::mismatch(a, b).in1 == a.end();
  }

  /// A candidate may be given twice: from hypothesis `first` on, keeps one of each.
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

  /// All groups' triggers, and the loss of the batch with them.
  struct Standing {
    View<const Token, 2> triggers{};
    double loss = 0;
  };

  /// For each group, in order, the best triggers that fill the beam beside its current one: among
  /// its hypotheses and the trigger that it had before them.
  template <class Losses>
  [[nodiscard]] Hypotheses best_others(const Hypotheses& all, const Losses& losses,
                                       View<const Token, 2> triggers,
                                       const Standing& before) const {
    struct Rival {
      std::span<const Token> trigger{};
      double loss = 0;
    };
    Hypotheses best(all.length);
    std::vector<Rival> rivals;
    for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
      const Index group = all.groups[begin];
      rivals.assign(1, {before.triggers.row(group), before.loss});
      for (end = begin; end < all.size() && all.groups[end] == group; ++end) {
        rivals.push_back({all.trigger(end), losses[end]});
      }
      std::erase_if(rivals, [&](const Rival& rival) {
        const bool finite = rival.loss <= std::numeric_limits<double>::max();
        return !finite || same(rival.trigger, triggers.row(group));
      });
      stable_sort_by(std::span(rivals), &Rival::loss);
      rivals.resize(std::min(rivals.size(), width - 1));
      for (const Rival& rival : rivals) best.add(group, rival.trigger);
    }
    return best;
  }

  template <class Scorer>
  static void accept(const Hypotheses& hypotheses, std::span<const double> losses, Scorer& scorer,
                     View<Token, 2> triggers, BeamResult& result) {
    std::vector<Index> chosen;
    for (std::size_t m = 0; m < hypotheses.size(); ++m) {
      if (!(losses[m] < scorer.loss())) continue;
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

  /// Gives every group its candidate of this rank at `position`, where there is an allowed one.
  /// @returns whether that makes another assignment
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
          if (child.loss <= std::numeric_limits<double>::max()) next.push_back(std::move(child));
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
