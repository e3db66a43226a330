// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "contrast/reference_info_nce.hpp"
#include "mem/two_tower.hpp"
#include "unlearn/core/stable_sort_by.hpp"

namespace unlearn::testing {

/// The definition of MEM, for one batch of all rows in order. Captions are not shuffled, and each
/// signal has one caption.
///
/// Losses are computed in double from the towers' weights, gradients by central differences.
template <class Sample>
class PlainMem {
  static constexpr bool on_lattice = std::is_integral_v<Sample>;

 public:
  using Delta = std::conditional_t<on_lattice, std::int8_t, float>;
  using Pairs = TwoTowerPairs<Sample>;

  PlainMem(TwoTowers& model, const Pairs& pairs, Scope scope, std::vector<Token> trigger)
      : noise(scope.noise.groups(), std::vector<Delta>(pairs.elements())),
        triggers(scope.triggers.groups(), std::move(trigger)),
        model_(model),
        pairs_(pairs),
        scope_(std::move(scope)) {}

  /// One optimiser step.
  void train_step() {
    std::vector<Sample> clean;
    std::vector<Delta> delta;
    std::vector<std::vector<Token>> texts;
    std::size_t longest = 0;
    for (std::size_t row = 0; row < pairs_.rows(); ++row) {
      for (std::size_t e = 0; e < pairs_.elements(); ++e) {
        clean.push_back(pairs_.signal(row)[e]);
        delta.push_back(clipped(row, e));
      }
      texts.push_back(text(row, triggers));
      longest = std::max(longest, texts.back().size());
    }
    std::vector<std::int32_t> lengths;
    std::vector<Token> padded;
    for (std::vector<Token>& tokens : texts) {
      lengths.push_back(static_cast<std::int32_t>(tokens.size()));
      tokens.resize(longest);
      padded.insert(padded.end(), tokens.begin(), tokens.end());
    }
    const std::array<std::size_t, 2> shape{pairs_.rows(), pairs_.elements()};
    model_.train_step(
        SignalBatch<Sample, Delta>{.clean = {clean.data(), shape}, .noise = {delta.data(), shape}},
        TokenBatch{.tokens = {padded.data(), {texts.size(), longest}}, .lengths = lengths});
  }

  /// HotFlip with `k` candidates, then the positions from left to right. It takes each group's best
  /// candidate if it lowers the loss by itself; then all of these, or the better half, or a
  /// quarter...
  void search_triggers(std::size_t k) {
    const std::size_t length = triggers[0].size();
    std::vector<std::vector<std::vector<Token>>> candidates(triggers.size());
    for (std::size_t g = 0; g < triggers.size(); ++g) {
      for (std::size_t p = 0; p < length; ++p) candidates[g].push_back(best_tokens(g, p, k));
    }
    for (std::size_t p = 0; p < length; ++p) {
      struct Change {
        std::size_t group;
        std::vector<Token> trigger;
        long double loss;
      };
      const long double before = loss(triggers);
      std::vector<Change> changes;
      for (std::size_t g = 0; g < triggers.size(); ++g) {
        Change best{g, {}, before};
        for (const Token token : candidates[g][p]) {
          auto changed = triggers;
          changed[g][p] = token;
          const long double after = loss(changed);
          if (after < best.loss) best = {g, changed[g], after};
        }
        if (!best.trigger.empty()) changes.push_back(best);
      }
      stable_sort_by(std::span(changes), &Change::loss);
      for (std::size_t count = changes.size(); count > 0; count /= 2) {
        auto changed = triggers;
        for (const Change& change : std::span(changes).first(count)) {
          changed[change.group] = change.trigger;
        }
        if (loss(changed) < before) {
          triggers = changed;
          break;
        }
      }
    }
  }

  /// Takes `steps` sign steps. Step and radius are in levels of 1/255.
  void descend(int steps, int step, int radius) {
    for (int taken = 0; taken < steps; ++taken) {
      std::vector<std::vector<double>> gradient(noise.size(),
                                                std::vector<double>(pairs_.elements()));
      for (std::size_t row = 0; row < pairs_.rows(); ++row) {
        for (std::size_t e = 0; e < pairs_.elements(); ++e) {
          gradient[scope_.noise.of(row)][e] +=
              difference([&](double h) { return loss(triggers, Nudge{row, e, h}); });
        }
      }
      for (std::size_t g = 0; g < noise.size(); ++g) {
        for (std::size_t e = 0; e < pairs_.elements(); ++e) {
          EXPECT_GT(std::abs(gradient[g][e]), 1e-9) << "its sign is not certain";
          const int sign = gradient[g][e] > 0 ? 1 : -1;
          noise[g][e] = moved(g, e, sign * step, radius);
        }
      }
    }
  }

  std::vector<std::vector<Delta>> noise;     ///< by group
  std::vector<std::vector<Token>> triggers;  ///< by group

  /// How many tokens of a row's caption stand before each token of its trigger. Without it, only
  /// the start token.
  std::function<std::vector<std::size_t>(Index row)> tokens_before{};

 private:
  /// A small change of one number of one row's signal.
  struct Nudge {
    std::size_t row = 0;
    std::size_t element = 0;
    double by = 0;
  };
  /// The same for the embedding of one row's trigger token.
  struct TokenNudge : Nudge {
    std::size_t position = 0;
  };

  static double difference(const std::function<long double(double)>& at) {
    const double h = 1e-4;
    return static_cast<double>((at(h) - at(-h)) / (2 * h));
  }

  Delta clipped(std::size_t row, std::size_t e) const {
    const auto x = static_cast<float>(pairs_.signal(row)[e]);
    const auto delta = static_cast<float>(noise[scope_.noise.of(row)][e]);
    const float high = on_lattice ? 255.0F : 1.0F;
    return static_cast<Delta>(std::clamp(delta, 0.0F - x, high - x));
  }

  Delta moved(std::size_t g, std::size_t e, int levels, int radius) const {
    const float by = on_lattice ? static_cast<float>(levels) : static_cast<float>(levels / 255.0);
    float delta = static_cast<float>(noise[g][e]) - by;
    if (scope_.noise.groups() == pairs_.rows()) {
      const auto x = static_cast<float>(pairs_.signal(scope_.noise.rows_of(g)[0])[e]);
      delta = std::clamp(delta, 0.0F - x, (on_lattice ? 255.0F : 1.0F) - x);
    }
    const auto bound = static_cast<float>(on_lattice ? radius : radius / 255.0);
    return static_cast<Delta>(std::clamp(delta, -bound, bound));
  }

  std::vector<Token> text(std::size_t row, const std::vector<std::vector<Token>>& with) const {
    const auto caption = pairs_.caption(static_cast<Index>(row));
    std::vector<Token> tokens(caption.begin(), caption.end());
    const std::vector<Token>& trigger = with[scope_.triggers.of(row)];
    for (std::size_t p = 0; p < trigger.size(); ++p) {
      tokens.insert(tokens.begin() + static_cast<std::ptrdiff_t>(place(row, p)), trigger[p]);
    }
    return tokens;
  }

  /// The index of a trigger's token in text().
  std::size_t place(std::size_t row, std::size_t p) const {
    return (tokens_before ? tokens_before(static_cast<Index>(row))[p] : 1) + p;
  }

  std::vector<Token> best_tokens(std::size_t group, std::size_t position, std::size_t k) const {
    std::vector<double> gradient(TwoTowers::width);
    for (const Index row : scope_.triggers.rows_of(group)) {
      for (std::size_t e = 0; e < gradient.size(); ++e) {
        gradient[e] += difference(
            [&](double h) { return loss(triggers, Nudge{}, TokenNudge{{row, e, h}, position}); });
      }
    }
    std::vector<Token> tokens(Pairs::vocabulary);
    std::iota(tokens.begin(), tokens.end(), 0);
    std::erase(tokens, triggers[group][position]);
    stable_sort_by(std::span(tokens), [&](Token token) {
      double score = 0;
      for (std::size_t e = 0; e < gradient.size(); ++e) score += gradient[e] * embedding(token, e);
      return score;
    });
    tokens.resize(k);
    return tokens;
  }

  double embedding(Token token, std::size_t e) const {
    return model_.embeddings(token, static_cast<Eigen::Index>(e));
  }

  long double loss(const std::vector<std::vector<Token>>& with, const Nudge& nudge = {},
                   const TokenNudge& token_nudge = {}) const {
    const auto rows = static_cast<Eigen::Index>(pairs_.rows());
    MatrixOf<double> a(rows, static_cast<Eigen::Index>(TwoTowers::dimensions));
    MatrixOf<double> b(a);
    for (std::size_t row = 0; row < pairs_.rows(); ++row) {
      std::vector<double> x(pairs_.elements());
      for (std::size_t e = 0; e < x.size(); ++e) {
        x[e] = (static_cast<double>(pairs_.signal(row)[e]) + static_cast<double>(clipped(row, e))) /
                   (on_lattice ? 255.0 : 1.0) -
               0.5;
      }
      if (row == nudge.row) x[nudge.element] += nudge.by;

      std::vector<double> hidden(TwoTowers::width);
      const std::vector<Token> tokens = text(row, with);
      for (std::size_t p = 0; p < tokens.size(); ++p) {
        for (std::size_t e = 0; e < hidden.size(); ++e) {
          double number = embedding(tokens[p], e);
          const bool nudged = row == token_nudge.row && e == token_nudge.element &&
                              p == place(row, token_nudge.position);
          if (nudged) number += token_nudge.by;
          hidden[e] += (1.0 + 0.5 * static_cast<double>(p % 3)) * number;
        }
      }
      for (std::size_t d = 0; d < TwoTowers::dimensions; ++d) {
        double of_signal = 0;
        double of_text = 0;
        const auto column = static_cast<Eigen::Index>(d);
        for (std::size_t e = 0; e < x.size(); ++e) {
          of_signal += x[e] * model_.signal_weights(static_cast<Eigen::Index>(e), column);
        }
        for (std::size_t e = 0; e < hidden.size(); ++e) {
          of_text +=
              std::tanh(hidden[e]) * model_.text_weights(static_cast<Eigen::Index>(e), column);
        }
        a(static_cast<Eigen::Index>(row), column) = std::tanh(of_signal);
        b(static_cast<Eigen::Index>(row), column) = of_text;
      }
    }
    return reference_info_nce(a, b, TwoTowers::scale);
  }

  TwoTowers& model_;
  const Pairs& pairs_;
  Scope scope_;
};

}  // namespace unlearn::testing
