// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "clip/training/training.hpp"
#include "tool/commands/cleaning_options.hpp"
#include "tool/commands/pairs_options.hpp"
#include "tool/commands/running_options.hpp"
#include "unlearn/metrics/retrieval.hpp"

namespace unlearn::tool {

/// What `unlearn train` is told.
struct TrainOptions {
  PairsOptions pairs{};  ///< trained on
  PairsOptions test{};   ///< evaluated on; the same as `pairs` where it is empty
  std::string split = "train";
  std::string test_split = "test";
  std::string vocab{};
  std::string out{};
  std::string model = "rn-small";
  std::string weights{};
  std::int64_t size = 0;
  clip::TrainingPlan plan{};
  CleaningOptions cleaning{};
  RunningOptions running{};
};

/// Trains a model and writes the folder that `unlearn train --help` describes.
/// @throws InvalidArgument, FileError; Interrupted when a signal ended the run
void train(const TrainOptions& options);

/// Retrieval of the model before it has learned anything.
[[nodiscard]] Retrieval evaluate_untrained(const TrainOptions& options);

/// Evaluated pairs: the rows of a split, image by image.
[[nodiscard]] pairs::ImagePairs evaluation_pairs(const PairsOptions& pairs,
                                                 const std::string& split,
                                                 const pairs::AnyTokenizer& tokenizer,
                                                 const clip::ClipConfig& config, unsigned threads);

/// {"i2t": {"hit10", "medr"}, "t2i": {...}}
[[nodiscard]] nlohmann::json to_json(const Retrieval& found);

/// A line for people.
[[nodiscard]] std::string to_line(const std::string& name, const Retrieval& found);

}  // namespace unlearn::tool
