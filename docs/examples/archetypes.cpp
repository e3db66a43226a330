// SPDX-License-Identifier: Apache-2.0
//
// The smallest type for each concept. The library runs on these types and on nothing else.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <istream>
#include <map>
#include <ostream>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "check.hpp"
#include "unlearn/unlearn.hpp"

using unlearn::Index, unlearn::Matrix, unlearn::Token, unlearn::View;

// [viewable]
/// A buffer that another framework owns.
struct Tensor {
  std::vector<float> numbers;
  std::size_t rows, columns;
};

template <>
struct unlearn::ViewTraits<Tensor> {
  static View<float, 2> view(Tensor& t) { return {t.numbers, {t.rows, t.columns}}; }
  static View<const float, 2> view(const Tensor& t) { return {t.numbers, {t.rows, t.columns}}; }
};
static_assert(unlearn::FloatMatrix<Tensor>);
// [/viewable]

// [dual-encoder]
/// A signal is embedded as it is, a text as the sum of its tokens' embeddings.
struct Model {
  Tensor table;  // [V, elements]

  Matrix encode_signals(const unlearn::FloatBatch& signals) { return signals.perturbed(); }
  Matrix encode_texts(const unlearn::TokenBatch& texts) {
    Matrix sums = Matrix::Zero(texts.size(), table.columns);
    for (std::size_t r = 0; r < texts.size(); ++r) {
      for (const Token token : texts.sequence(r))
        sums.row(r) += unlearn::as_eigen(table).row(token);
    }
    return sums;
  }
  void signal_gradient(const unlearn::FloatBatch& signals, auto& pullback, View<float, 2> out) {
    unlearn::as_eigen(out) = pullback(encode_signals(signals));
  }
  void text_gradient(const unlearn::TokenBatch& texts, auto& pullback, View<float, 3> out) {
    const Matrix gradient = pullback(encode_texts(texts));
    for (std::size_t r = 0; r < texts.size(); ++r) {
      unlearn::as_eigen(out[r]).rowwise() = gradient.row(r);
    }
  }
  View<const float, 2> token_embeddings() { return table; }
  double logit_scale() { return 1; }
};
// [/dual-encoder]

// [trainable]
/// The same, with one weight more for each token to learn.
struct LearningModel : Model {
  double train_step(const unlearn::FloatBatch& signals, const unlearn::TokenBatch& texts,
                    const auto& loss_of) {
    const auto loss = loss_of(encode_signals(signals), encode_texts(texts), logit_scale());
    for (std::size_t r = 0; r < texts.size(); ++r) {
      for (const Token token : texts.sequence(r)) {
        unlearn::as_eigen(table).row(token) -= 0.1F * loss.grad_b.row(r);
      }
    }
    return loss.value;
  }
};
// [/trainable]
static_assert(unlearn::TrainableOn<LearningModel, unlearn::FloatBatch, unlearn::InfoNce>);
static_assert(!unlearn::Trainable<Model, unlearn::FloatBatch, unlearn::InfoNce>);

// [checkpointable]
struct SavedModel : LearningModel {
  void save(std::ostream& out) const {
    out.write(reinterpret_cast<const char*>(table.numbers.data()),
              static_cast<std::streamsize>(table.numbers.size() * sizeof(float)));
  }
  void load(std::istream& in) {
    in.read(reinterpret_cast<char*>(table.numbers.data()),
            static_cast<std::streamsize>(table.numbers.size() * sizeof(float)));
  }
};
static_assert(unlearn::Checkpointable<SavedModel>);
// [/checkpointable]

// [token-ranker]
/// A model that leaves the ranking to the search, and counts how often it was asked.
struct RankingModel : SavedModel {
  int asked = 0;

  void rank_tokens(View<const float, 2> gradients, const unlearn::TokenFilter& filter,
                   View<Token, 2> tokens, View<float, 2> scores) {
    ++asked;
    const std::size_t rows = gradients.extent(0);
    const auto found = unlearn::HotFlipCandidateSearch{.candidates = tokens.extent(1), .spares = 0}(
        unlearn::sequential, View<const float, 3>(gradients.data(), {rows, 1, table.columns}),
        table, filter);
    std::ranges::copy(found.tokens().flat(), tokens.flat().begin());
    std::ranges::copy(found.scores().flat(), scores.flat().begin());
  }
};
static_assert(unlearn::TokenRanker<RankingModel>);
// [/token-ranker]

// [pair-source]
/// Twenty signals that are computed when they are asked for.
struct Ramps {
  using sample_type = float;
  std::vector<Token> words{0, 2, 1};

  std::size_t rows() const { return 20; }
  std::size_t signals() const { return 20; }
  std::size_t elements() const { return 4; }
  Index signal_of(Index row) const { return row; }
  std::span<const Token> caption(Index row) {
    words[1] = static_cast<Token>(2 + row % 6);  // valid until the next call
    return words;
  }
  void load_signals(std::span<const Index> indices, View<float, 2> out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      for (std::size_t e = 0; e < elements(); ++e) {
        out[i][e] = 0.04F * static_cast<float>((indices[i] + 1) * (e + 1) % 20);
      }
    }
  }
};
static_assert(unlearn::PairSource<Ramps>);
// [/pair-source]

// [contrastive-loss]
/// −logit_scale · mean aᵢᵀbᵢ: pulls pairs together, pushes nothing apart.
struct Attraction {
  struct Result {
    double value;
    Matrix grad_a, grad_b;
  };
  template <class A, class B>
  Result operator()(const A& a, const B& b, double logit_scale) const {
    const View<const float, 2> rows_a = unlearn::as_view(a), rows_b = unlearn::as_view(b);
    const float factor = -static_cast<float>(logit_scale) / static_cast<float>(rows_a.extent(0));
    return {.value = value(a, b, logit_scale),
            .grad_a = factor * unlearn::as_eigen(rows_b),
            .grad_b = factor * unlearn::as_eigen(rows_a)};
  }
  template <class A, class B>
  double value(const A& a, const B& b, double logit_scale) const {
    const auto rows_a = unlearn::as_eigen(unlearn::as_view(a));
    const auto rows_b = unlearn::as_eigen(unlearn::as_view(b));
    return -logit_scale * double{rows_a.cwiseProduct(rows_b).sum()} /
           static_cast<double>(rows_a.rows());
  }
};
static_assert(unlearn::ContrastiveLoss<Attraction>);
// [/contrastive-loss]

// [ball]
/// Noise that only brightens: {δ : 0 ≤ δ_i ≤ radius}.
struct Brightening {
  double radius;

  template <std::floating_point T>
  void project(std::span<T> sample) const {
    for (T& x : sample) x = std::clamp(x, T{0}, static_cast<T>(radius));
  }
};
static_assert(unlearn::Ball<Brightening, float>);
static_assert(!unlearn::ElementwiseBall<Brightening, float>);
// [/ball]

// [elementwise-ball]
/// A bound that falls off along the sample: |δ_i| ≤ 0.1 / (1 + i).
struct FallingOff {
  double radius_at(std::size_t i) const { return 0.1 / (1.0 + static_cast<double>(i)); }

  template <std::floating_point T>
  void project(std::span<T> sample) const {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      const T radius = static_cast<T>(radius_at(i));
      sample[i] = std::clamp(sample[i], -radius, radius);
    }
  }
};
static_assert(unlearn::ElementwiseBall<FallingOff, float>);
// [/elementwise-ball]

// [rowwise-ball]
/// A bound that grows from row to row.
struct Growing {
  double first;

  unlearn::L2Ball at_row(std::size_t row) const {
    return {.radius = first * static_cast<double>(row + 1)};
  }
  void validate(std::size_t /*rows*/, std::size_t elements) const { at_row(0).validate(elements); }
};
static_assert(unlearn::RowwiseBall<Growing, float>);
// [/rowwise-ball]

// [rowwise-objective]
/// The sum of each row.
struct RowSums {
  void operator()(const unlearn::RowEvaluation<float>& at) const {
    for (const Index row : at.rows) {
      at.values[row] = 0;
      for (const float x : at.noise.row(row)) at.values[row] += x;
      if (at.gradient_needed) std::ranges::fill(at.grad.row(row), 1.0F);
    }
  }
};
static_assert(unlearn::RowwiseObjective<RowSums, float>);
// [/rowwise-objective]

// [step-rule]
/// Moves along the sum of all gradients so far, each scaled to a largest number of 1.
struct SumOfGradients {
  static constexpr unlearn::Move move = unlearn::Move::by_direction;
  static constexpr bool has_memory = true;

  template <std::floating_point T>
  void direct(std::span<T> grad, std::span<T> memory) const {
    T largest = 0;
    for (const T g : grad) largest = std::max(largest, std::abs(g));
    for (std::size_t i = 0; i < grad.size(); ++i) {
      if (largest > 0) memory[i] += grad[i] / largest;
      grad[i] = memory[i];
    }
  }
};
static_assert(unlearn::StepRule<SumOfGradients>);
// [/step-rule]

// [feasible-set]
/// Noise that leaves the first number of each row alone.
struct AllButTheFirst {
  template <unlearn::ExecutionPolicy P>
  void project(const P&, View<float, 2> noise) const {
    for (std::size_t r = 0; r < noise.extent(0); ++r) noise[r][0] = 0;
  }
  template <unlearn::ExecutionPolicy P>
  void sign_step(const P& policy, View<float, 2> noise, View<const float, 2> grad,
                 double signed_step) const {
    const auto step = static_cast<float>(signed_step);
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const float g = grad.flat()[i];
      noise.flat()[i] += g > 0 ? step : g < 0 ? -step : 0;
    }
    project(policy, noise);
  }
};
static_assert(unlearn::FeasibleSet<AllButTheFirst, float>);
// [/feasible-set]

// [noise-store]
/// Noise that takes no memory until it is stored.
struct SparseNoise {
  using value_type = float;
  std::size_t number, length;
  std::map<Index, std::vector<float>> rows{};

  std::size_t groups() const { return number; }
  std::size_t elements() const { return length; }
  void load(std::span<const Index> groups, View<float, 2> out) const {
    require(groups, out.extent(0), out.extent(1));
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const auto found = rows.find(groups[i]);
      std::ranges::fill(out.row(i), 0.0F);
      if (found != rows.end()) std::ranges::copy(found->second, out.row(i).begin());
    }
  }
  void store(std::span<const Index> groups, View<const float, 2> noise) {
    require(groups, noise.extent(0), noise.extent(1));
    for (std::size_t i = 0; i < groups.size(); ++i) {
      rows[groups[i]].assign(noise.row(i).begin(), noise.row(i).end());
    }
  }

 private:
  void require(std::span<const Index> groups, std::size_t n, std::size_t columns) const {
    const bool known = std::ranges::all_of(groups, [&](Index g) { return g < number; });
    if (!known || n != groups.size() || columns != length) {
      throw unlearn::InvalidArgument(
          "noise: expected groups and a shape of this store, got others");
    }
  }
};
static_assert(unlearn::NoiseStore<SparseNoise>);
// [/noise-store]

// [placement]
/// Puts the trigger behind the caption, in front of the end token.
struct AtTheEnd {
  std::size_t length(std::size_t caption_length, std::size_t trigger_length) const {
    return caption_length + trigger_length;
  }
  void place(Index /*row*/, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const {
    const std::size_t words = caption.size() - 1;
    std::ranges::copy(caption.first(words), out.begin());
    std::ranges::copy(trigger, out.subspan(words).begin());
    out.back() = caption.back();
    for (std::size_t p = 0; p < positions.size(); ++p) {
      positions[p] = static_cast<std::int32_t>(words + p);
    }
  }
};
static_assert(unlearn::TriggerPlacement<AtTheEnd>);
// [/placement]

// [word-rule]
/// Tokens from 8 on go on with a word, like "##ing" in other vocabularies.
struct WordsAreBelowEight {
  bool operator()(Index /*row*/, std::span<const Token> caption, std::size_t k) const {
    return caption[k] < 8;
  }
};
static_assert(unlearn::WordRule<WordsAreBelowEight>);
// [/word-rule]

// [constraint]
/// No word twice in a row.
struct NoStutter {
  bool operator()(Index /*row*/, std::span<const Token> trigger) const {
    return std::ranges::adjacent_find(trigger) == trigger.end();
  }
};
static_assert(unlearn::TriggerConstraint<NoStutter>);
// [/constraint]

// [candidate-hook]
/// The first position takes even tokens only.
struct EvenFirst {
  bool operator()(std::size_t /*sample*/, std::size_t position, Token token) const {
    return position > 0 || token % 2 == 0;
  }
};
static_assert(unlearn::CandidateHook<EvenFirst>);
// [/candidate-hook]

// [executor]
/// Does all work on the calling thread, and counts how often it was asked.
struct CountingExecutor {
  int uses = 0;

  std::size_t size() const { return 2; }
  void for_each(std::size_t n, const auto& task) {
    ++uses;
    for (std::size_t i = 0; i < n; ++i) task(i);
  }
};
static_assert(unlearn::Executor<CountingExecutor>);
// [/executor]

// [observer]
/// Counts batches, and ends the run at the hundredth.
struct CountToHundred {
  int seen = 0;
  unlearn::Flow operator()(const unlearn::BatchEnd&) {
    return ++seen < 100 ? unlearn::Flow::proceed : unlearn::Flow::stop;
  }
};
static_assert(unlearn::Observer<CountToHundred, unlearn::BatchEnd, unlearn::RunEnd>);
// [/observer]

int main() {
  std::mt19937_64 rng(1);
  std::normal_distribution<float> normal;
  Tensor table{.numbers = std::vector<float>(12 * 4), .rows = 12, .columns = 4};
  for (float& number : table.numbers) number = normal(rng);
  RankingModel model{{{{table}}}};
  Ramps pairs;

  // [placements]
  const auto behind = unlearn::with_placement(unlearn::mem(), unlearn::BackPlacement{});
  const auto between = unlearn::with_placement(
      unlearn::mem(), unlearn::AnywherePlacement{.seed = 1, .words = WordsAreBelowEight{}});
  // [/placements]
  check(behind.rounds == unlearn::mem().rounds && between.placement.seed == 1,
        "all else is as in mem()");

  // [composition]
  unlearn::MultiStepMinimizer<Brightening, AtTheEnd, Attraction, NoStutter> mem{
      .descent = {.step = 0.01}, .ball = {.radius = 0.05}, .search = {.candidates = 8}};
  // [/composition]
  mem.rounds = 2;
  mem.surrogate_steps = 5;
  mem.batch_size = 10;
  mem.stop_loss = -1e9;  // this loss has no lower end
  unlearn::Scope scope = unlearn::Scope::of(pairs);
  unlearn::RunState<SparseNoise> state{
      .noise = SparseNoise{20, 4}, .triggers = {20, std::vector<Token>{3, 4}}, .scope = scope};
  CountToHundred count;
  const auto result = mem.minimize(model, pairs, state, rng, count);
  std::printf("%s, %d batches, loss %.3f\n", to_string(result.stop).data(), count.seen,
              *result.loss);
  check(result.stop == unlearn::StopReason::round_limit, "both rounds were run");
  check(model.asked == 2 * 2, "a batch of triggers asks the model once");
  check(count.seen == 2 * (5 + 2 + 2), "surrogate steps, trigger batches and noise batches");
  for (const auto& [group, noise] : state.noise.rows) {
    check(std::ranges::all_of(noise, [](float x) { return x >= 0 && x <= 0.05F; }), "in the ball");
  }
  for (std::size_t g = 0; g < 20; ++g) check(NoStutter{}(0, state.triggers[g]), "allowed");

  // [on]
  CountingExecutor executor;
  std::vector<int> visits(1000);
  unlearn::for_each_piece(unlearn::on(executor), visits.size(), /*grain=*/100,
                          [&](std::size_t begin, std::size_t end) {
                            for (; begin < end; ++begin) ++visits[begin];
                          });
  // [/on]
  check(executor.uses == 1, "two pieces are one use of the executor");
  check(std::ranges::count(visits, 1) == 1000, "each piece is run once");

  std::vector<float> point{1, 1, 1};
  const auto sum = [](View<const float, 2> x, View<float, 2> grad) {
    std::ranges::fill(grad.flat(), 1.0F);
    return double{x[0][0] + x[0][1] + x[0][2]};
  };
  unlearn::ProjectedSignDescent{.step = 0.5, .steps = 2}.optimize(
      sum, View<float, 2>(point, {1, 3}), AllButTheFirst{});
  check(point == std::vector<float>{0, 0, 0}, "the descent runs in a set of one's own");

  std::vector<float> two_rows(4);
  const std::vector<float> grey(4, 0.5F);
  const unlearn::BallAndBoxSet growing{.ball = Growing{.first = 0.1},
                                       .clean = View<const float, 2>(grey, {2, 2})};
  const unlearn::ProjectedDescent<SumOfGradients> summing{
      .step = 0.03, .steps = 9, .stop_value = -0.2};
  const auto rows = summing.optimize_rows(RowSums{}, View<float, 2>(two_rows, {2, 2}), growing);
  // One step of −0.03, one of −0.06, one of −0.09: row 1 comes to −0.36 at the third, and row 0 is
  // stopped by its ball at −0.1 · √2.
  check(rows.rows[1].success() && rows.rows[1].steps == 3, "the steps grow");
  check(!rows.rows[0].success() && std::abs(rows.rows[0].value + 0.1 * std::sqrt(2)) < 1e-6,
        "each row has its own bound");

  std::vector<float> far{1, -1};
  FallingOff{}.project(std::span(far));
  check(far == std::vector<float>{0.1F, -0.05F}, "each number has its own bound");

  const Matrix zeros = Matrix::Zero(3, 3);
  const auto found = unlearn::HotFlipCandidateSearch{.candidates = 1}(
      unlearn::parallel, View<const float, 3>(point, {1, 1, 3}), zeros,
      unlearn::TokenFilter::only(3, std::vector<Token>{1, 2}), EvenFirst{});
  check(found.tokens()[0][0][0] == 2, "the hook decides beside the filter");
}
