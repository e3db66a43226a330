// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tool/experiments/experiment.hpp"

namespace unlearn::tool::experiments {

/// How pairs are protected by one method.
struct ProtectionScale {
  std::uint32_t rounds = 0;
  std::size_t surrogate_steps = 0;  ///< a round
};

/// How every hacker trains.
struct TrainingScale {
  std::size_t epochs = 0;
  std::size_t batch_size = 128;
  double learning_rate = 0;  ///< the highest, of a cosine schedule
};

/// A scale, and the experiments that are made at it.
struct Preset {
  std::string name{};
  std::string title{};
  std::string surrogate{};                   ///< the protector's model
  std::vector<std::string> architectures{};  ///< of hackers, the surrogate's among them
  std::int64_t size = 0;                     ///< side of the images, in pixels
  std::string vocab{};                       ///< "words", or empty: CLIP's
  std::string device = "cpu";
  ProtectionScale mem{};
  std::uint32_t trigger_rounds = 0;    ///< of MEM: the first rounds, which search triggers
  std::uint32_t surrogate_rounds = 0;  ///< of MEM: how many rounds a surrogate lasts; 0 for all
  ProtectionScale em{};
  double surrogate_rate = 0;
  std::size_t candidates = 16;
  TrainingScale training{};
  std::vector<Experiment> experiments{};  ///< in the order in which their jobs are done
};

/// All presets.
[[nodiscard]] std::span<const Preset> presets();

/// A preset by name.
/// @throws InvalidArgument that lists the names there are
[[nodiscard]] const Preset& preset_named(std::string_view name);

}  // namespace unlearn::tool::experiments
