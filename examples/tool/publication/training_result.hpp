// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "unlearn/metrics/retrieval.hpp"

namespace unlearn::tool {

/// Retrieval as JSON: {"i2t": {"hit10", "medr"}, "t2i": {"hit10", "medr"}}.
[[nodiscard]] nlohmann::json to_json(const Retrieval& found);

/// All that a training's `result.json` says. `unlearn train` writes it.
struct TrainingResult {
  Retrieval retrieval{};  ///< of the trained model on the test pairs; a hit is among the first 10
  nlohmann::json settings = nlohmann::json::object();  ///< whatever decides on the model's bytes
  std::string version{};                               ///< of the program
  double seconds = 0;                                  ///< that the training took, all in all
};

/// A result as JSON.
[[nodiscard]] nlohmann::json json_of(const TrainingResult& result);

/// Reads a result.
/// @throws FileError, naming the place, when the file cannot be read, is no JSON, lacks a value, or
///         has one of another type or out of range
[[nodiscard]] TrainingResult read_training_result(const std::string& path);

}  // namespace unlearn::tool
