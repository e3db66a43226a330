// SPDX-License-Identifier: Apache-2.0
#include "unlearn/trigger/beam_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "message_of.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/stable_sort_by.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using testing::infinity;
using ::testing::IsEmpty;
using testing::message_of;
using testing::nan;

using Tokens = std::vector<Token>;
using Indices = std::vector<Index>;
using Triggers = std::vector<Tokens>;  // [G], n tokens each
using Loss = std::function<double(const Triggers&)>;

// --- Concepts ------------------------------------------------------------------------------------

/// A minimal TriggerScorer.
struct Scorer {
  double loss();
  void propose(std::span<const Index> groups, View<const Token, 2> triggers);
  void score(std::span<double> losses);
  double joint_loss(std::span<const Index> chosen);
  void commit(std::span<const Index> chosen);
};
static_assert(TriggerScorer<Scorer>);

struct WithoutLoss : Scorer {
  double loss() = delete;
};
struct WithoutPropose : Scorer {
  void propose(std::span<const Index>, View<const Token, 2>) = delete;
};
struct WithoutScore : Scorer {
  void score(std::span<double>) = delete;
};
struct WithoutJointLoss : Scorer {
  double joint_loss(std::span<const Index>) = delete;
};
struct WithoutCommit : Scorer {
  void commit(std::span<const Index>) = delete;
};
struct WithLossAsText : Scorer {
  std::string loss();
};
static_assert(!TriggerScorer<WithoutLoss>);
static_assert(!TriggerScorer<WithoutPropose>);
static_assert(!TriggerScorer<WithoutScore>);
static_assert(!TriggerScorer<WithoutJointLoss>);
static_assert(!TriggerScorer<WithoutCommit>);
static_assert(!TriggerScorer<WithLossAsText>);

/// A minimal TriggerConstraint.
struct Legality {
  bool operator()(Index group, std::span<const Token> trigger) const;
};
static_assert(TriggerConstraint<Legality>);
static_assert(TriggerConstraint<AnyTrigger>);
static_assert(!TriggerConstraint<decltype([](std::span<const Token>) { return true; })>,
              "no group");
static_assert(!TriggerConstraint<decltype([](Index, Token) { return true; })>, "a single token");
static_assert(!TriggerConstraint<decltype([](Index, std::span<const Token>) {})>, "no answer");
struct ChangingLegality {
  bool operator()(Index group, std::span<const Token> trigger);
};
static_assert(!TriggerConstraint<ChangingLegality>, "not const");

// --- A scorer of any function of all triggers ----------------------------------------------------

class ToyScorer {
 public:
  ToyScorer(Loss loss, Triggers triggers)
      : loss_(std::move(loss)), triggers_(std::move(triggers)), value_(loss_(triggers_)) {}

  [[nodiscard]] double loss() const { return value_; }

  void propose(std::span<const Index> groups, View<const Token, 2> triggers) {
    ASSERT_EQ(groups.size(), triggers.extent(0));
    hypotheses_.clear();
    for (std::size_t m = 0; m < groups.size(); ++m) {
      hypotheses_.emplace_back(groups[m], Tokens(triggers.row(m).begin(), triggers.row(m).end()));
    }
    proposals.push_back(hypotheses_);
  }

  void score(std::span<double> losses) const {
    ASSERT_EQ(losses.size(), hypotheses_.size());
    for (Index m = 0; m < losses.size(); ++m) losses[m] = loss_(with({&m, 1}));
  }

  [[nodiscard]] double joint_loss(std::span<const Index> chosen) const {
    ++joint_losses;
    return loss_(with(chosen));
  }

  void commit(std::span<const Index> chosen) {
    triggers_ = with(chosen);
    const double before = std::exchange(value_, loss_(triggers_));
    EXPECT_LT(value_, before);
  }

  [[nodiscard]] const Triggers& triggers() const { return triggers_; }

  using Hypothesis = std::pair<Index, Tokens>;
  std::vector<std::vector<Hypothesis>> proposals;
  mutable std::size_t joint_losses = 0;

 private:
  [[nodiscard]] Triggers with(std::span<const Index> chosen) const {
    Triggers changed = triggers_;
    std::set<Index> groups;
    for (const Index m : chosen) {
      const auto& [group, trigger] = hypotheses_.at(m);
      EXPECT_TRUE(groups.insert(group).second) << "two hypotheses of group " << group;
      changed.at(group) = trigger;
    }
    return changed;
  }

  Loss loss_;
  Triggers triggers_;
  double value_;
  std::vector<Hypothesis> hypotheses_;
};
static_assert(TriggerScorer<ToyScorer>);

/// candidates[g][position]: the tokens to try at this position.
using Candidates = std::vector<std::vector<Tokens>>;

struct Search {
  Triggers triggers;
  BeamResult result;
  std::vector<std::vector<ToyScorer::Hypothesis>> proposals;
};

Tokens flat(const Triggers& triggers) {
  Tokens tokens;
  for (const Tokens& trigger : triggers)
    tokens.insert(tokens.end(), trigger.begin(), trigger.end());
  return tokens;
}

/// Runs `beam`, and checks that the resulting triggers are those that the scorer committed.
template <class Constraint = AnyTrigger>
Search search(const BeamSearch& beam, const Loss& loss, const Triggers& start,
              const Candidates& candidates, const Constraint& constraint = {}) {
  Tokens tokens = flat(start);
  Tokens options;
  for (const auto& group : candidates) {
    for (const Tokens& position : group) {
      options.insert(options.end(), position.begin(), position.end());
    }
  }
  const std::size_t groups = start.size();
  const std::size_t length = start.at(0).size();
  const std::size_t k = candidates.at(0).at(0).size();
  ToyScorer scorer(loss, start);
  const BeamResult result =
      beam(View<Token, 2>(std::span(tokens), {groups, length}),
           View<const Token, 3>(std::span<const Token>(options), {groups, length, k}), scorer,
           constraint);
  EXPECT_EQ(tokens, flat(scorer.triggers()));
  return {scorer.triggers(), result, std::move(scorer.proposals)};
}

/// The loss of one group's trigger of two tokens, read from a table.
Loss table(std::vector<std::vector<double>> losses) {
  return [losses = std::move(losses)](const Triggers& triggers) {
    const Tokens& trigger = triggers.at(0);
    return losses.at(static_cast<std::size_t>(trigger.at(0)))
        .at(static_cast<std::size_t>(trigger.at(1)));
  };
}

// --- Examples worked out by hand -----------------------------------------------------------------

const auto both_acceptances = {Acceptance::per_sample, Acceptance::whole_batch};
const Triggers zeros{{0, 0}};
const Candidates one_or_two{{{1, 2}, {1, 2}}};

TEST(BeamSearch, OfWidthOneIsGreedyFromLeftToRight) {
  // The best of the first column, then the best of its row.
  const Loss loss = table({{9, 0, 0}, {7, 8, 6}, {8, 1, 2}});
  for (const Acceptance acceptance : both_acceptances) {
    const Search found = search({.width = 1, .acceptance = acceptance}, loss, zeros, one_or_two);
    EXPECT_THAT(found.triggers, ElementsAre(ElementsAre(1, 2)));
    EXPECT_EQ(found.result.loss, 6);
    EXPECT_EQ(found.result.hypotheses, 4U);
  }
}

TEST(BeamSearch, OfWidthTwoFindsWhatGreedySearchMisses) {
  const Loss loss = table({{9, 9, 9}, {7, 8, 6}, {8, 1, 2}});
  for (const Acceptance acceptance : both_acceptances) {
    const Search found = search({.width = 2, .acceptance = acceptance}, loss, zeros, one_or_two);
    EXPECT_THAT(found.triggers, ElementsAre(ElementsAre(2, 1)));
    EXPECT_EQ(found.result.loss, 1);
  }
}

TEST(BeamSearch, KeepsTheTriggerThatItGaveUpInTheBeam) {
  const Loss loss = table({{5, 1}, {4, 6}});
  const Candidates one{{{1}, {1}}};
  for (const Acceptance acceptance : both_acceptances) {
    EXPECT_EQ(search({.width = 1, .acceptance = acceptance}, loss, zeros, one).result.loss, 4);
    const Search found = search({.width = 2, .acceptance = acceptance}, loss, zeros, one);
    EXPECT_THAT(found.triggers, ElementsAre(ElementsAre(0, 1)));
    EXPECT_EQ(found.result.loss, 1);
  }
}

TEST(BeamSearch, ATriggerThatItGaveUpMustBeAmongTheBest) {
  // After (1, 0) come (2, 0) with 6 and the old (0, 0) with 8. A beam of two has no room for the
  // latter.
  const Loss loss = table({{8, 0, 0}, {4, 5, 5}, {6, 5, 5}});
  EXPECT_EQ(search({.width = 2}, loss, zeros, one_or_two).result.loss, 4);
  EXPECT_EQ(search({.width = 3}, loss, zeros, one_or_two).result.loss, 0);
  // With the same loss as (2, 0), it comes first.
  const Loss equal = table({{8, 0, 0}, {4, 5, 5}, {8, 5, 5}});
  EXPECT_EQ(search({.width = 2}, equal, zeros, one_or_two).result.loss, 0);
}

TEST(BeamSearch, KeepsTheCurrentTriggerAmongEquals) {
  const Loss always_three = [](const Triggers&) { return 3.0; };
  const Triggers start{{5, 6}, {7, 8}};
  const Candidates others{{{1, 2}, {3, 4}}, {{1, 2}, {3, 4}}};
  for (const Acceptance acceptance : both_acceptances) {
    for (const std::size_t width : {1U, 2U, 10U}) {
      const Search found =
          search({.width = width, .acceptance = acceptance}, always_three, start, others);
      EXPECT_EQ(found.triggers, start);
      EXPECT_EQ(found.result.loss, 3);
      EXPECT_EQ(found.result.accepted, 0U);
    }
  }
}

TEST(BeamSearch, TakesTheEarlierCandidateAmongEquals) {
  const Loss loss = [](const Triggers& triggers) { return triggers[0][0] < 3 ? 2.0 : 1.0; };
  for (const Acceptance acceptance : both_acceptances) {
    const Search found =
        search({.acceptance = acceptance}, loss, {{0}, {0}}, {{{1, 4, 3, 9}}, {{7, 8, 6, 5}}});
    EXPECT_EQ(found.triggers[0], Tokens{4});
    EXPECT_EQ(found.result.loss, 1);
  }
}

TEST(BeamSearch, ScoresEachPositionInOneProposal) {
  const Loss rising = [](const Triggers& triggers) {
    const Tokens tokens = flat(triggers);
    return static_cast<double>(std::accumulate(tokens.begin(), tokens.end(), Token{0}));
  };
  const Triggers start(5, Tokens{0, 0, 0});
  const Candidates candidates(5, {{1, 2, 3, 0}, {4, 5, no_token, no_token}, {6, 7, 8, 9}});
  const Search greedy = search({.width = 1}, rising, start, candidates);
  ASSERT_EQ(greedy.proposals.size(), 3U);
  // The current token and padding are not hypotheses.
  EXPECT_EQ(greedy.proposals[0].size(), 5U * 3);
  EXPECT_EQ(greedy.proposals[1].size(), 5U * 2);
  EXPECT_EQ(greedy.proposals[2].size(), 5U * 4);
  EXPECT_EQ(greedy.result.hypotheses, 5U * 9);
  EXPECT_EQ(greedy.result.accepted, 0U);

  const Search wide = search({.width = 3}, rising, start, candidates);
  ASSERT_EQ(wide.proposals.size(), 3U);
  EXPECT_EQ(wide.proposals[0].size(), 5U * 3);
  EXPECT_EQ(wide.proposals[1].size(), 5U * (2 + 2 * (1 + 2)));
  EXPECT_EQ(wide.proposals[2].size(), 5U * (4 + 2 * (1 + 4)));
}

TEST(BeamSearch, CountsTheReplacementsThatItMade) {
  const Loss falling = [](const Triggers& triggers) {
    const Tokens tokens = flat(triggers);
    return -static_cast<double>(std::accumulate(tokens.begin(), tokens.end(), Token{0}));
  };
  const Candidates candidates{{{1}, {2}}, {{no_token}, {no_token}}, {{3}, {no_token}}};
  const Triggers start{{0, 0}, {0, 0}, {0, 0}};
  const Search single = search({}, falling, start, candidates);
  EXPECT_EQ(single.result.accepted, 3U) << "two in group 0, one in group 2";
  const Search whole = search({.acceptance = Acceptance::whole_batch}, falling, start, candidates);
  EXPECT_EQ(whole.result.accepted, 2U) << "group 1 keeps its trigger";
  for (const Search& found : {single, whole}) {
    EXPECT_THAT(found.triggers, ElementsAre(Tokens{1, 2}, Tokens{0, 0}, Tokens{3, 0}));
    EXPECT_EQ(found.result.loss, -6);
  }
}

TEST(BeamSearch, WholeBatchSubstitutesEveryGroupsCandidateOfOneRank) {
  // Separately, group 0 would take its first candidate and group 1 its second. Together, the second
  // is best.
  const Loss loss = [](const Triggers& triggers) {
    const std::vector<double> first{5, 1, 4};
    const std::vector<double> second{5, 9, 2};
    return first.at(static_cast<std::size_t>(triggers[0][0])) +
           second.at(static_cast<std::size_t>(triggers[1][0]));
  };
  const Candidates candidates{{{1, 2}}, {{1, 2}}};
  const Triggers start{{0}, {0}};
  const Search whole = search({.acceptance = Acceptance::whole_batch}, loss, start, candidates);
  EXPECT_THAT(whole.triggers, ElementsAre(Tokens{2}, Tokens{2}));
  EXPECT_EQ(whole.result.hypotheses, 4U);
  const Search single = search({.acceptance = Acceptance::per_sample}, loss, start, candidates);
  EXPECT_THAT(single.triggers, ElementsAre(Tokens{1}, Tokens{2}));
}

TEST(BeamSearch, ScoresAndTakesLegalTriggersOnly) {
  const Loss loss = table({{9, 8, 7}, {5, 1, 2}, {6, 0, 3}});
  const Candidates with_the_current{{{1, 0, 2}, {0, 1, 2}}};
  for (const Acceptance acceptance : both_acceptances) {
    std::vector<ToyScorer::Hypothesis> asked;
    const auto constraint = [&](Index group, std::span<const Token> trigger) {
      asked.emplace_back(group, Tokens(trigger.begin(), trigger.end()));
      return trigger[1] != 1;
    };
    const Search found =
        search({.width = 9, .acceptance = acceptance}, loss, zeros, with_the_current, constraint);
    EXPECT_THAT(found.triggers, ElementsAre(ElementsAre(1, 2)));
    EXPECT_EQ(found.result.loss, 2);
    for (const auto& proposal : found.proposals) {
      for (const auto& [group, trigger] : proposal) EXPECT_NE(trigger.at(1), 1);
    }
    EXPECT_EQ(asked.size(), 2U + 3 * 2) << "the current trigger is not in question";
  }
}

// --- Comparison with plain searches --------------------------------------------------------------

std::uint64_t mixed(std::uint64_t seed, const Tokens& tokens) {
  for (const Token token : tokens) {
    seed = SplitMix64(seed ^ (static_cast<std::uint64_t>(token + 1) * 0x9E3779B97F4A7C15U))();
  }
  return seed;
}

/// Σ_g f_g(t_g) + coupling · h(t_1, ..., t_G), with random integers as values.
struct RandomLoss {
  std::uint64_t seed;
  std::uint64_t levels;    ///< number of values of f and h; if it is small, ties are common
  std::uint64_t coupling;  ///< 0: groups are independent
  bool spoilt = false;     ///< whether one loss in five is NaN or infinite

  double operator()(const Triggers& triggers) const {
    std::uint64_t sum = 0;
    for (std::size_t g = 0; g < triggers.size(); ++g) sum += mixed(seed + g, triggers[g]) % levels;
    const std::uint64_t joint = mixed(seed ^ 0xABCD, flat(triggers));
    if (spoilt && joint % 10 < 2) return joint % 10 == 0 ? nan : infinity;
    return static_cast<double>(sum + coupling * (joint / 16 % levels));
  }
};

struct Problem {
  RandomLoss loss;
  Triggers start;
  Candidates candidates;
  bool all_legal;

  explicit Problem(std::uint64_t seed, std::size_t most_groups = 5)
      : Problem(SplitMix64(seed), most_groups) {}

  [[nodiscard]] bool allows(Index group, std::span<const Token> trigger) const {
    const Tokens tokens(trigger.begin(), trigger.end());
    return all_legal || mixed(loss.seed + 77 * group, tokens) % 4 != 0;
  }
  [[nodiscard]] auto legality() const {
    return [this](Index group, std::span<const Token> trigger) { return allows(group, trigger); };
  }
  [[nodiscard]] Search solve(const BeamSearch& beam) const {
    return search(beam, loss, start, candidates, legality());
  }

 private:
  static Tokens draw(std::size_t count, std::size_t vocabulary, SplitMix64& rng) {
    Tokens tokens(count);
    for (Token& token : tokens) token = static_cast<Token>(uniform_below(vocabulary, rng));
    return tokens;
  }

  Problem(SplitMix64 rng, std::size_t most_groups)
      : loss{.seed = rng(),
             .levels = std::vector<std::uint64_t>{2, 6, 1'000'000}[uniform_below(3, rng)],
             .coupling = uniform_below(5, rng)},
        all_legal(rng() % 2 == 0) {
    const std::size_t groups = 1 + uniform_below(most_groups, rng);
    const std::size_t length = 1 + uniform_below(3, rng);
    const std::size_t k = 1 + uniform_below(4, rng);
    const std::size_t vocabulary = 2 + uniform_below(4, rng);
    for (std::size_t g = 0; g < groups; ++g) {
      start.push_back(draw(length, vocabulary, rng));
      candidates.emplace_back();
      for (std::size_t position = 0; position < length; ++position) {
        Tokens options = draw(1 + uniform_below(k, rng), vocabulary, rng);
        options.resize(k, no_token);
        candidates.back().push_back(std::move(options));
      }
    }
  }
};

/// Some triggers, and the loss of each of them.
template <class Triggers>
using Scored = std::vector<std::pair<Triggers, double>>;

template <class T>
void keep_best(Scored<T>& scored, std::size_t count) {
  stable_sort_by(std::span(scored), &std::pair<T, double>::second);
  scored.resize(std::min(scored.size(), count));
}

struct Answer {
  Triggers triggers;
  std::size_t hypotheses = 0;
  std::size_t accepted = 0;
};

/// Whether a loss is below another; NaN is below nothing, and nothing is below NaN.
bool is_less(const double& a, const double& b) { return !is_nan(a) && !is_nan(b) && a < b; }

/// A direct implementation of the beam search, for each group separately.
class PlainPerSample {
 public:
  PlainPerSample(const Problem& problem, std::size_t width)
      : problem_(problem), width_(width), answer_{.triggers = problem.start} {
    for (const Tokens& trigger : problem.start) beams_.push_back({trigger});
    for (std::size_t p = 0; p < problem.start[0].size(); ++p) search_position(p);
  }

  [[nodiscard]] const Answer& answer() const { return answer_; }

 private:
  void search_position(std::size_t position) {
    const double before = problem_.loss(answer_.triggers);
    std::vector<Scored<Tokens>> pools;
    for (std::size_t g = 0; g < beams_.size(); ++g) {
      pools.push_back({{answer_.triggers[g], before}});
      for (const Tokens& parent : beams_[g]) {
        add(pools[g], g, parent);
        for (const Token token : problem_.candidates[g][position]) {
          Tokens child = parent;
          child[position] = token;
          if (token == no_token || !problem_.allows(static_cast<Index>(g), child)) continue;
          add(pools[g], g, child);
        }
      }
      answer_.hypotheses += pools[g].size() - 1;
    }
    accept(pools, before);
    for (std::size_t g = 0; g < beams_.size(); ++g) {
      std::erase_if(pools[g], [&](const auto& scored) {
        return scored.first == answer_.triggers[g] || !is_finite(scored.second);
      });
      keep_best(pools[g], width_ - 1);
      beams_[g] = {answer_.triggers[g]};
      for (const auto& [trigger, loss] : pools[g]) beams_[g].push_back(trigger);
    }
  }

  void add(Scored<Tokens>& pool, std::size_t group, const Tokens& trigger) const {
    for (const auto& [known, loss] : pool) {
      if (known == trigger) return;
    }
    Triggers changed = answer_.triggers;
    changed[group] = trigger;
    pool.emplace_back(trigger, problem_.loss(changed));
  }

  void accept(const std::vector<Scored<Tokens>>& pools, double before) {
    Scored<std::pair<std::size_t, Tokens>> improving;
    for (std::size_t g = 0; g < pools.size(); ++g) {
      Scored<Tokens> pool = pools[g];
      std::erase_if(pool, [&](const auto& scored) { return !is_less(scored.second, before); });
      keep_best(pool, 1);
      if (!pool.empty()) improving.push_back({{g, pool[0].first}, pool[0].second});
    }
    keep_best(improving, improving.size());
    for (std::size_t count = improving.size(); count > 0; count /= 2) {
      Triggers changed = answer_.triggers;
      for (std::size_t i = 0; i < count; ++i)
        changed[improving[i].first.first] = improving[i].first.second;
      if (is_less(problem_.loss(changed), before)) {
        answer_.triggers = changed;
        answer_.accepted += count;
        return;
      }
    }
  }

  const Problem& problem_;
  std::size_t width_;
  Answer answer_;
  std::vector<std::vector<Tokens>> beams_;  // of each group; the current trigger is first
};

/// The reference implementation's search: the r-th candidates of all groups at once.
Answer plain_whole_batch(const Problem& problem, std::size_t width) {
  const double before = problem.loss(problem.start);
  Scored<Triggers> beam{{problem.start, before}};
  Answer answer;
  for (std::size_t position = 0; position < problem.start[0].size(); ++position) {
    Scored<Triggers> pool = beam;
    for (const auto& [parent, parent_loss] : beam) {
      for (std::size_t rank = 0; rank < problem.candidates[0][0].size(); ++rank) {
        Triggers child = parent;
        for (std::size_t g = 0; g < child.size(); ++g) {
          Tokens changed = child[g];
          changed[position] = problem.candidates[g][position][rank];
          if (changed[position] == no_token) continue;
          if (problem.allows(static_cast<Index>(g), changed)) child[g] = changed;
        }
        if (child == parent) continue;
        answer.hypotheses += child.size();
        const double loss = problem.loss(child);
        if (is_finite(loss)) pool.emplace_back(child, loss);
      }
    }
    keep_best(pool, width);
    beam = pool;
  }
  answer.triggers = beam[0].second < before ? beam[0].first : problem.start;
  for (std::size_t g = 0; g < problem.start.size(); ++g) {
    if (answer.triggers[g] != problem.start[g]) ++answer.accepted;
  }
  return answer;
}

void expect_answer(const Search& found, const Answer& expected) {
  EXPECT_EQ(found.triggers, expected.triggers);
  EXPECT_EQ(found.result.hypotheses, expected.hypotheses);
  EXPECT_EQ(found.result.accepted, expected.accepted);
}

TEST(BeamSearch, PerSampleIsThePlainSearch) {
  std::size_t accepted = 0;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem(seed);
    problem.loss.spoilt = seed % 3 == 0;
    if (is_nan(problem.loss(problem.start))) continue;
    for (const std::size_t width : {1U, 2U, 3U, 1000U}) {
      const Answer expected = PlainPerSample(problem, width).answer();
      expect_answer(problem.solve({.width = width}), expected);
      accepted += expected.accepted;
    }
  }
  EXPECT_GT(accepted, 1500U);
}

TEST(BeamSearch, WholeBatchIsThePlainSearch) {
  std::size_t accepted = 0;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem(seed);
    problem.loss.spoilt = seed % 3 == 0;
    if (is_nan(problem.loss(problem.start))) continue;
    for (const std::size_t width : {1U, 2U, 3U, 1000U}) {
      const Answer expected = plain_whole_batch(problem, width);
      expect_answer(problem.solve({.width = width, .acceptance = Acceptance::whole_batch}),
                    expected);
      accepted += expected.accepted;
    }
  }
  EXPECT_GT(accepted, 1500U);
}

/// The lowest loss over all triggers made of one group's candidates and its tokens at the start.
double exhaustive_best(const Problem& problem) {
  std::vector<Tokens> all{problem.start[0]};
  for (std::size_t position = 0; position < problem.start[0].size(); ++position) {
    for (std::size_t i = 0, known = all.size(); i < known; ++i) {
      for (const Token token : problem.candidates[0][position]) {
        Tokens trigger = all[i];
        trigger[position] = token;
        if (token != no_token) all.push_back(std::move(trigger));
      }
    }
  }
  double best = infinity;
  for (const Tokens& trigger : all) best = std::min(best, problem.loss({trigger}));
  return best;
}

TEST(BeamSearch, WideEnoughFindsTheBestTriggerOfAll) {
  int greedy_misses = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem(seed, 1);
    problem.all_legal = true;
    const double best = exhaustive_best(problem);
    for (const Acceptance acceptance : both_acceptances) {
      EXPECT_EQ(problem.solve({.width = 1000, .acceptance = acceptance}).result.loss, best);
    }
    greedy_misses += int{problem.solve({.width = 1}).result.loss > best};
  }
  EXPECT_GT(greedy_misses, 50);
}

TEST(BeamSearch, NeverRaisesTheLoss) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem(seed, 9);
    problem.loss.coupling = std::vector<std::uint64_t>{1, 3, 100}[seed % 3];
    problem.loss.spoilt = seed % 2 == 0;
    const double before = problem.loss(problem.start);
    for (const Acceptance acceptance : both_acceptances) {
      const Search found = problem.solve({.width = 1 + seed % 4, .acceptance = acceptance});
      // The scorer also checks every commit.
      EXPECT_EQ(is_less(found.result.loss, before), found.result.accepted > 0);
      EXPECT_EQ(found.triggers != problem.start, found.result.accepted > 0);
      const double recomputed = problem.loss(found.triggers);
      EXPECT_EQ(is_nan(recomputed), is_nan(before));
      EXPECT_TRUE(is_nan(before) || found.result.loss == recomputed);
    }
  }
}

TEST(BeamSearch, SearchesGroupsThatDoNotInteractAsIfEachWereAlone) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem(seed);
    problem.loss.coupling = 0;
    problem.all_legal = true;
    const std::size_t width = 1 + seed % 3;
    const Search together = problem.solve({.width = width});
    for (std::size_t g = 0; g < problem.start.size(); ++g) {
      RandomLoss loss = problem.loss;
      loss.seed += g;
      const Search alone =
          search({.width = width}, loss, {problem.start[g]}, {problem.candidates[g]});
      EXPECT_EQ(together.triggers[g], alone.triggers[0]);
    }
  }
}

TEST(BeamSearch, LeavesABatchWhoseLossIsNan) {
  const Loss loss = [](const Triggers& triggers) { return triggers[0][0] == 0 ? nan : 1.0; };
  for (const Acceptance acceptance : both_acceptances) {
    const Search found = search({.width = 2, .acceptance = acceptance}, loss, zeros, one_or_two);
    EXPECT_EQ(found.triggers, zeros);
    EXPECT_TRUE(is_nan(found.result.loss));
    EXPECT_THAT(found.proposals, IsEmpty());
  }
}

TEST(BeamSearch, LowersALossOfInfinity) {
  const Loss loss = table({{infinity, infinity}, {infinity, 3}});
  const Candidates one{{{1}, {1}}};
  for (const Acceptance acceptance : both_acceptances) {
    const BeamSearch beam{.width = 2, .acceptance = acceptance};
    EXPECT_EQ(search(beam, loss, {{1, 0}}, one).result.loss, 3);
    EXPECT_EQ(search(beam, loss, {{0, 0}}, one).result.loss, infinity) << "3 lies behind infinity";
  }
}

// --- Sizes ---------------------------------------------------------------------------------------

TEST(BeamSearch, OfTriggersWithoutTokensDoesNothing) {
  for (const Acceptance acceptance : both_acceptances) {
    ToyScorer scorer([](const Triggers&) { return 2.0; }, Triggers(3));
    const BeamResult result = BeamSearch{.acceptance = acceptance}(
        View<Token, 2>(nullptr, {3, 0}), View<const Token, 3>(nullptr, {3, 0, 4}), scorer);
    EXPECT_EQ(result.loss, 2);
    EXPECT_EQ(result.hypotheses, 0U);
    EXPECT_EQ(result.accepted, 0U);
  }
}

TEST(BeamSearch, NamesWhatIsWrong) {
  Tokens triggers(4);
  const Tokens candidates(12);
  ToyScorer scorer([](const Triggers&) { return 2.0; }, {{0, 0}, {0, 0}});
  const auto message = [&](const BeamSearch& beam, std::size_t groups, std::size_t positions) {
    return message_of<InvalidArgument>([&] {
      beam(View<Token, 2>(triggers.data(), {2, 2}),
           View<const Token, 3>(candidates.data(), {groups, positions, 2}), scorer);
    });
  };
  for (const Acceptance acceptance : both_acceptances) {
    EXPECT_EQ(message({.width = 0, .acceptance = acceptance}, 2, 2),
              "width of a beam search: expected at least 1, got 0");
    EXPECT_EQ(message({.acceptance = acceptance}, 3, 2),
              "groups of the trigger candidates: expected 2, got 3");
    EXPECT_EQ(message({.acceptance = acceptance}, 2, 3),
              "positions of the trigger candidates: expected 2, got 3");
  }
}

// --- Accepting many groups at once ---------------------------------------------------------------

/// `losses[s]` is the loss when the groups in the bit set s have taken their hypotheses.
struct Acceptances {
  explicit Acceptances(std::vector<double> losses_of_sets)
      : losses(std::move(losses_of_sets)), scorer(loss(), Triggers(groups(), Tokens{0})) {
    Indices everyone(groups());
    std::iota(everyone.begin(), everyone.end(), Index{0});
    scorer.propose(everyone, View<const Token, 2>(Tokens(groups(), 1).data(), {groups(), 1}));
  }

  /// Offers `chosen` with the given claims about their losses.
  /// @returns those that were accepted
  Indices accept(Indices chosen, const std::vector<double>& claims) {
    const std::size_t count = detail::accept_improving(scorer, std::span(chosen), claims);
    EXPECT_LE(count, chosen.size());
    chosen.resize(count);
    std::size_t taken = 0;
    for (const Tokens& trigger : scorer.triggers()) taken += std::size_t{trigger[0] == 1};
    EXPECT_EQ(taken, count);
    for (const Index m : chosen) EXPECT_EQ(scorer.triggers()[m], Tokens{1});
    return chosen;
  }

  [[nodiscard]] std::size_t groups() const {
    std::size_t count = 0;
    while ((std::size_t{1} << count) < losses.size()) ++count;
    return count;
  }
  [[nodiscard]] double of(const Indices& taken) const {
    std::size_t set = 0;
    for (const Index g : taken) set |= std::size_t{1} << g;
    return losses[set];
  }
  [[nodiscard]] Loss loss() const {
    return [losses = losses](const Triggers& triggers) {
      std::size_t set = 0;
      for (std::size_t g = 0; g < triggers.size(); ++g) {
        set |= static_cast<std::size_t>(triggers[g][0]) << g;
      }
      return losses[set];
    };
  }

  std::vector<double> losses;
  ToyScorer scorer;
};

TEST(AcceptImproving, TakesAllIfThatLowersTheLoss) {
  Acceptances both({5, 4, 3, 2});
  EXPECT_THAT(both.accept({0, 1}, {4, 3}), ElementsAre(1, 0));
  EXPECT_EQ(both.scorer.loss(), 2);
  EXPECT_EQ(both.scorer.joint_losses, 1U);
}

TEST(AcceptImproving, TakesTheBetterHalfIfTheyInterfere) {
  Acceptances either({5, 4, 3, 6});
  EXPECT_THAT(either.accept({0, 1}, {4, 3}), ElementsAre(1));
  EXPECT_EQ(either.scorer.loss(), 3);
}

TEST(AcceptImproving, TakesNothingThatIsNotStrictlyBetter) {
  for (const double joint : {5.0, 6.0, infinity, nan}) {
    Acceptances one({5, joint});
    // The claim is checked.
    EXPECT_THAT(one.accept({0}, {0}), IsEmpty());
    EXPECT_EQ(one.scorer.loss(), 5);
  }
  Acceptances equal({5, 4, 3, 5});
  EXPECT_THAT(equal.accept({0, 1}, {4, 3}), ElementsAre(1)) << "together they are no better";
}

TEST(AcceptImproving, AmongEqualsTakesTheFirstChosen) {
  const std::vector<double> interfering{5, 4, 4, 6};
  EXPECT_THAT(Acceptances(interfering).accept({0, 1}, {4, 4}), ElementsAre(0));
  EXPECT_THAT(Acceptances(interfering).accept({1, 0}, {4, 4}), ElementsAre(1));
}

TEST(AcceptImproving, OfNothingTakesNothing) {
  Acceptances none({5, 4});
  EXPECT_THAT(none.accept({}, {4}), IsEmpty());
  EXPECT_EQ(none.scorer.joint_losses, 0U);
}

/// How often all offers were accepted, only the better ones, one, or none.
struct Outcomes {
  int all = 0;
  int better = 0;
  int one = 0;
  int none = 0;
};

/// Accepts hypotheses whose sets have arbitrary losses, and checks all guarantees.
/// @param claim computes the claimed loss of a hypothesis from the true one
template <class Claim>
Outcomes accept_in_random_batches(SplitMix64& rng, const Claim& claim) {
  Outcomes outcomes;
  for (int trial = 0; trial < 4000; ++trial) {
    const std::size_t groups = 2 + uniform_below(7, rng);
    std::vector<double> losses(std::size_t{1} << groups);
    for (double& loss : losses) {
      loss = static_cast<double>(uniform_below(10, rng));
      if (uniform_below(20, rng) == 0) loss = rng() % 2 == 0 ? nan : infinity;
    }
    losses[0] = static_cast<double>(1 + uniform_below(9, rng));
    Indices chosen(groups);
    std::iota(chosen.begin(), chosen.end(), Index{0});
    shuffle(std::span(chosen), rng);
    chosen.resize(1 + uniform_below(groups, rng));
    std::vector<double> claims(groups);
    for (const Index m : chosen) claims[m] = claim(losses[std::size_t{1} << m]);

    Acceptances batch(losses);
    const Indices taken = batch.accept(chosen, claims);

    stable_sort_by(std::span(chosen), [&](Index m) { return claims[m]; });
    Indices expected = chosen;
    std::size_t tried = 0;
    for (; !expected.empty(); expected.resize(expected.size() / 2)) {
      ++tried;
      if (batch.of(expected) < losses[0]) break;
    }
    EXPECT_EQ(taken, expected);
    EXPECT_EQ(batch.scorer.loss(), batch.of(taken));
    EXPECT_LE(batch.scorer.loss(), losses[0]);
    EXPECT_EQ(batch.scorer.loss() < losses[0], !taken.empty());
    EXPECT_EQ(batch.scorer.joint_losses, tried);
    if (chosen.size() > 1) {
      ++(taken.size() == chosen.size() ? outcomes.all
         : taken.size() > 1            ? outcomes.better
         : taken.size() == 1           ? outcomes.one
                                       : outcomes.none);
    }
  }
  return outcomes;
}

void expect_all_kinds(const Outcomes& outcomes) {
  EXPECT_GT(outcomes.all, 100);
  EXPECT_GT(outcomes.better, 100);
  EXPECT_GT(outcomes.one, 100);
  EXPECT_GT(outcomes.none, 100);
}

TEST(AcceptImproving, NeverRaisesTheLoss) {
  SplitMix64 rng(9);
  expect_all_kinds(
      accept_in_random_batches(rng, [](double loss) { return is_nan(loss) ? infinity : loss; }));
}

TEST(AcceptImproving, NeverRaisesTheLossWhateverIsClaimed) {
  SplitMix64 rng(10);
  expect_all_kinds(accept_in_random_batches(
      rng, [&](double) { return static_cast<double>(uniform_below(4, rng)) - 2; }));
}

}  // namespace
}  // namespace unlearn
