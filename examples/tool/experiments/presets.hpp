// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "clip/training/training.hpp"

namespace unlearn::tool {

/// A row of the paper's table 1: what a hacker trains on.
struct TableRow {
  std::string name{};    ///< random, clean, em, uap, mem3, mem5
  std::string method{};  ///< mem, em or uap; empty where nothing is protected
  std::size_t trigger_length = 0;
  std::size_t hackers = 1;  ///< trained, with seeds of their own; the row is their mean
};

/// At what scale the paper's tables are reproduced.
struct Preset {
  std::string name{};
  std::string title{};
  std::string model{};                 ///< surrogate, and the hacker of table 1
  std::vector<std::string> hackers{};  ///< architectures of table 2
  std::int64_t size = 0;               ///< side of the images
  std::string vocab{};                 ///< "words", or empty: CLIP's
  std::string device = "cpu";
  std::uint32_t mem_rounds = 0;
  std::uint32_t trigger_rounds = 0;
  std::size_t mem_surrogate_steps = 0;
  std::uint32_t surrogate_rounds = 0;  ///< of MEM: rounds that a surrogate lasts; 0: all
  std::uint32_t em_rounds = 0;
  std::size_t em_surrogate_steps = 0;
  double surrogate_rate = 0;
  std::size_t candidates = 16;
  clip::TrainingPlan training{};  ///< of every hacker
  std::vector<TableRow> rows{};   ///< of table 1
  bool stress = false;            ///< whether the cleanings are tried on mem3
};

/// The presets there are.
[[nodiscard]] std::span<const Preset> presets();

/// A preset by name.
/// @throws InvalidArgument that lists the names there are
[[nodiscard]] const Preset& preset_named(std::string_view name);

}  // namespace unlearn::tool
