// SPDX-License-Identifier: Apache-2.0
// Computes the loss of a batch after each of many single replacements, and compares this to
// computing the whole loss for each; also times the beam search that uses it. All embeddings but
// the beam's are given.

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "summary.hpp"
#include "unlearn/contrast/full_loss_scorer.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/info_nce_scorer.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/trigger/beam_search.hpp"
#include "unlearn/trigger/contrastive_trigger_scorer.hpp"
#include "unlearn/trigger/front_placement.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace {

using unlearn::Index;
using unlearn::Matrix;
using unlearn::Token;
using unlearn::View;

constexpr std::size_t pairs = 128;
constexpr std::size_t width = 512;
constexpr std::size_t per_caption = 16;
constexpr std::size_t candidates = pairs * per_caption;
constexpr double logit_scale = 1 / 0.07;
constexpr int repeats = 9;

Matrix normal_rows(std::uint64_t seed, std::size_t rows) {
  std::mt19937_64 rng(seed);
  std::normal_distribution<float> normal;
  Matrix numbers(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(width));
  for (float& number : numbers.reshaped()) number = normal(rng);
  return numbers;
}

/// Captions that are similar to their signals, and 16 other embeddings for each caption.
struct Data {
  Data() {
    for (std::size_t m = 0; m < candidates; ++m) {
      replaced[m] = static_cast<Index>(m / per_caption);
      embeddings.row(static_cast<Eigen::Index>(m)) += 0.2F * signals.row(replaced[m]);
    }
  }

  Matrix signals = normal_rows(1, pairs);
  Matrix texts = 0.2F * signals + normal_rows(2, pairs);
  Matrix embeddings = normal_rows(3, candidates);
  std::vector<Index> replaced = std::vector<Index>(candidates);
};

/// The loss as a user of Eigen writes it, in single precision: log-softmax of rows and columns.
struct FloatLoss {
  explicit FloatLoss(const Data& data)
      : signals(data.signals.rowwise().normalized()), texts(data.texts.rowwise().normalized()) {}

  [[nodiscard]] double with(Index replaced, const auto& embedding) const {
    Matrix changed = texts;
    changed.row(replaced) = embedding.normalized();
    const Matrix logits = static_cast<float>(logit_scale) * signals * changed.transpose();
    const Eigen::ArrayXf own = logits.diagonal();
    const Eigen::VectorXf highest_of_rows = logits.rowwise().maxCoeff();
    const Eigen::RowVectorXf highest_of_columns = logits.colwise().maxCoeff();
    const Matrix by_row = (logits.colwise() - highest_of_rows).array().exp();
    const Matrix by_column = (logits.rowwise() - highest_of_columns).array().exp();
    const Eigen::ArrayXf rows =
        by_row.rowwise().sum().array().log() + highest_of_rows.array() - own;
    const Eigen::ArrayXf columns = by_column.colwise().sum().transpose().array().log() +
                                   highest_of_columns.transpose().array() - own;
    return (rows.mean() + columns.mean()) / 2;
  }

  Matrix signals;
  Matrix texts;
};

/// What is timed: everything from the embeddings to the losses, including the set-up.
void score_fast(const Data& data, std::span<double> losses) {
  const unlearn::InfoNceScorer scoring(data.signals, data.texts, logit_scale);
  scoring.score(data.replaced, data.embeddings, losses);
}

/// losses[n] = loss(n · stride), on as many threads as score_fast uses.
template <class Loss>
void score_full(std::size_t stride, std::span<double> losses, const Loss& loss) {
  unlearn::for_each_piece(unlearn::parallel, losses.size(), 1,
                          [&](std::size_t begin, std::size_t end) {
                            for (std::size_t n = begin; n < end; ++n) losses[n] = loss(n * stride);
                          });
}

bool all_close(std::span<const double> fast, std::span<const double> full, double tolerance) {
  const std::size_t stride = fast.size() / full.size();
  for (std::size_t n = 0; n < full.size(); ++n) {
    if (!(std::abs(fast[n * stride] - full[n]) <= tolerance)) return false;
  }
  return true;
}

struct Figure {
  const char* name;
  double tolerance;  ///< on the losses
};

/// The full losses are timed for some of the candidates, and the time is scaled to all of them.
template <class Loss>
void scoring_against(benchmark::State& state, const Figure& figure, const Data& data,
                     const Loss& loss) {
  constexpr std::size_t stride = 16;
  std::vector<double> fast(candidates);
  std::vector<double> full(candidates / stride);
  score_fast(data, fast);
  score_full(stride, full, loss);
  unlearn_bench::require_correct(all_close(fast, full, figure.tolerance), figure.name);

  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(
        repeats, [&] { score_full(stride, full, loss); }, [&] { score_fast(data, fast); });
    state.SetIterationTime(times.g_seconds);
    state.counters["candidates/s"] = candidates / times.g_seconds;
    state.counters["rival_candidates/s"] = candidates / stride / times.f_seconds;
    unlearn_bench::report(figure.name, times.ratio * stride);
  }
}

void scoring_against_full_loss(benchmark::State& state) {
  const Data data;
  const unlearn::FullLossScorer full(unlearn::InfoNce{}, View<const float, 2>(data.signals),
                                     View<const float, 2>(data.texts), logit_scale);
  const auto loss = [&](std::size_t m) {
    return full.loss_with(std::span(data.replaced).subspan(m, 1),
                          View<const float, 2>(data.embeddings).slice(m, 1));
  };
  scoring_against(state, {.name = "scoring.speedup_vs_full_loss", .tolerance = 1e-12}, data, loss);
}

void scoring_against_float_loss(benchmark::State& state) {
  const Data data;
  const FloatLoss full(data);
  const auto loss = [&](std::size_t m) {
    return full.with(data.replaced[m], data.embeddings.row(static_cast<Eigen::Index>(m)));
  };
  scoring_against(state, {.name = "scoring.speedup_vs_float_loss", .tolerance = 1e-5}, data, loss);
}

/// A bag of words: the smallest possible text tower.
struct Words {
  static constexpr std::size_t vocabulary = 1000;

  [[nodiscard]] Matrix encode_texts(const unlearn::TokenBatch& texts) const {
    Matrix sums = Matrix::Zero(static_cast<Eigen::Index>(texts.size()), table.cols());
    for (std::size_t r = 0; r < texts.size(); ++r) {
      for (const Token token : texts.sequence(r)) {
        sums.row(static_cast<Eigen::Index>(r)) += table.row(token);
      }
    }
    return sums;
  }

  Matrix table = normal_rows(4, vocabulary);
};

/// A batch of captions with ten words each, and 16 candidates for each of three positions.
struct BeamData {
  BeamData() {
    unlearn::SplitMix64 rng(5);
    const auto word = [&] { return static_cast<Token>(unlearn::uniform_below(998, rng) + 2); };
    for (std::size_t row = 0; row < pairs; ++row) {
      auto& caption = texts.captions.emplace_back(12, Token{0});
      std::generate(caption.begin() + 1, caption.end() - 1, word);
      caption.back() = 1;
      texts.rows.push_back(static_cast<Index>(row));
    }
    std::ranges::generate(tokens, word);
  }

  [[nodiscard]] unlearn::BeamResult search(unlearn::TriggerTable& triggers) {
    const unlearn::FrontPlacement placement;
    unlearn::TokenSequences<unlearn::FrontPlacement> sequences(placement, length);
    for (std::size_t row = 0; row < pairs; ++row) {
      sequences.add(texts.rows[row], texts.captions[row], triggers[row]);
    }
    unlearn::InfoNceScorer scoring(signals, words.encode_texts(sequences.batch()), logit_scale);
    unlearn::ContrastiveTriggerScorer scorer(words, placement, texts, std::move(scoring), 2048);
    return unlearn::BeamSearch{}(
        triggers.view(), View<const Token, 3>(tokens, {pairs, length, per_caption}), scorer);
  }

  static constexpr std::size_t length = 3;
  Words words;
  Matrix signals = normal_rows(6, pairs);
  unlearn::CaptionBatch texts{
      .captions = {}, .groups = unlearn::GroupMap::per_row(pairs), .rows = {}};
  std::vector<Token> tokens = std::vector<Token>(pairs * length * per_caption);
};

void beam_search(benchmark::State& state) {
  BeamData data;
  const unlearn::TriggerTable before(pairs, std::array<Token, 3>{2, 2, 2});
  unlearn::BeamResult found;
  for (auto iteration : state) {
    std::vector<double> times;
    for (int repeat = 0; repeat < repeats; ++repeat) {
      unlearn::TriggerTable triggers = before;
      times.push_back(unlearn_bench::seconds([&] { found = data.search(triggers); }));
    }
    const double seconds = unlearn_bench::median(times);
    state.SetIterationTime(seconds);
    state.counters["candidates/s"] = static_cast<double>(found.hypotheses) / seconds;
    unlearn_bench::report("beam_search.candidates_per_second",
                          static_cast<double>(found.hypotheses) / seconds);
  }
}

BENCHMARK(scoring_against_full_loss)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(scoring_against_float_loss)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(beam_search)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
