// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clip/training/epoch_record.hpp"
#include "clip/training/optimizer.hpp"
#include "clip/training/training_plan.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/mem/contrastive_training.hpp"
#include "unlearn/mem/events.hpp"
#include "unlearn/metrics/retrieval.hpp"
#include "unlearn/trigger/front_placement.hpp"
#include "unlearn/trigger/token_sequences.hpp"

namespace unlearn::clip {

/// The learning rates of a training on so many rows.
[[nodiscard]] inline LearningRate schedule_of(const TrainingPlan& plan, std::size_t rows) {
  return cosine_schedule(plan.learning_rate, plan.epochs * plan.steps_per_epoch(rows));
}

/// The training itself: a round is an epoch.
/// @param rows of the pairs
/// @param loss what the model minimises
template <class Loss = InfoNce>
[[nodiscard]] ContrastiveTraining<Loss> training_of(const TrainingPlan& plan, std::size_t rows,
                                                    const Loss& loss = {}) {
  return {.rounds = static_cast<std::uint32_t>(plan.epochs),
          .steps = plan.steps_per_epoch(rows),
          .batch_size = plan.batch_size,
          .loss = loss};
}

/// Retrieval of clean pairs whose rows stand signal by signal, each signal with as many captions.
/// @param rows_per_call images, and texts, that are loaded at once
/// @throws InvalidArgument when the signals have different numbers of rows, or not in order
template <class Model, PairSource Pairs>
[[nodiscard]] Retrieval evaluate(Model& model, Pairs& pairs, std::size_t k = 10,
                                 std::size_t rows_per_call = 256);

/// An observer that evaluates after each epoch and keeps a log of it; see write_epoch_log().
///
/// The file is replaced as a whole after each epoch. A resumed run keeps the records of the epochs
/// that it has completed, and drops later ones.
template <class Model, PairSource Pairs>
class EpochLog {
 public:
  /// @param path  of the CSV file
  /// @param model evaluated, and asked for its learning rate
  /// @param pairs evaluated on; both must outlive the log
  EpochLog(std::string path, Model& model, Pairs& pairs)
      : path_(std::move(path)), model_(&model), pairs_(&pairs) {}

  /// @throws FileError when a resumed run's file cannot be read or is no log of its epochs
  void operator()(const RunBegin& event);
  /// @throws FileError when the file cannot be written
  void operator()(const RoundEnd& event);

  /// The retrieval after the last epoch that it was told of; none before.
  [[nodiscard]] const std::optional<Retrieval>& last() const { return last_; }

 private:
  std::string path_;
  Model* model_;
  Pairs* pairs_;
  std::vector<EpochRecord> records_;
  std::optional<Retrieval> last_;
};

/// Parts of EpochLog and evaluate().
namespace epoch_log {

/// The records of a log's first `epochs` epochs; none are read if there are none.
[[nodiscard]] std::vector<EpochRecord> completed(const std::string& path, std::size_t epochs);

/// Texts `first` to `first + count` of a source, without triggers.
template <PairSource Pairs>
void add_captions(Pairs& pairs, std::size_t first, std::size_t count,
                  TokenSequences<FrontPlacement>& sequences) {
  for (std::size_t row = first; row < first + count; ++row) {
    const auto at = static_cast<Index>(row);
    sequences.add(at, pairs.caption(at), {});
  }
}

}  // namespace epoch_log

template <class Model, PairSource Pairs>
Retrieval evaluate(Model& model, Pairs& pairs, std::size_t k, std::size_t rows_per_call) {
  using Sample = typename Pairs::sample_type;
  unlearn::require(rows_per_call > 0, "rows_per_call", "at least 1", rows_per_call);
  const std::size_t signals = pairs.signals();
  const std::size_t captions = pairs.rows() / std::max<std::size_t>(signals, 1);
  unlearn::require_size("rows of pairs to evaluate, with equally many captions a signal",
                        signals * captions, pairs.rows());
  for (std::size_t row = 0; row < pairs.rows(); ++row) {
    unlearn::require_size("signal of row " + std::to_string(row), row / captions,
                          pairs.signal_of(static_cast<Index>(row)));
  }

  Matrix images;
  std::vector<Sample> pixels;
  std::vector<Index> batch;
  for (std::size_t first = 0; first < signals; first += rows_per_call) {
    batch.resize(std::min(rows_per_call, signals - first));
    std::iota(batch.begin(), batch.end(), static_cast<Index>(first));
    pixels.resize(batch.size() * pairs.elements());
    const View<Sample, 2> view(pixels, {batch.size(), pairs.elements()});
    pairs.load_signals(batch, view);
    const Matrix rows =
        model.encode_signals(SignalBatch<Sample, noise_of_t<Pairs>>{.clean = view, .noise = {}});
    images.conservativeResize(images.rows() + rows.rows(), rows.cols());
    images.bottomRows(rows.rows()) = rows;
  }

  Matrix texts;
  TokenSequences<FrontPlacement> sequences({}, 0);
  for (std::size_t first = 0; first < pairs.rows(); first += rows_per_call) {
    sequences.clear();
    epoch_log::add_captions(pairs, first, std::min(rows_per_call, pairs.rows() - first), sequences);
    const Matrix rows = model.encode_texts(sequences.batch());
    texts.conservativeResize(texts.rows() + rows.rows(), rows.cols());
    texts.bottomRows(rows.rows()) = rows;
  }
  return retrieval(images, texts, {.captions_per_signal = captions, .k = k});
}

template <class Model, PairSource Pairs>
void EpochLog<Model, Pairs>::operator()(const RunBegin& event) {
  records_ = epoch_log::completed(path_, event.first_round);
}

template <class Model, PairSource Pairs>
void EpochLog<Model, Pairs>::operator()(const RoundEnd& event) {
  last_ = evaluate(*model_, *pairs_);
  records_.push_back({.epoch = event.losses.round + 1,
                      .loss = event.losses.of(surrogate_stage).value(),
                      .rate = model_->optimizer().rate(),
                      .retrieval = *last_});
  write_epoch_log(path_, records_);
}

}  // namespace unlearn::clip
