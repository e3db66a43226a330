// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/preset.hpp"

#include <algorithm>
#include <array>

#include "unlearn/core/error.hpp"

namespace unlearn::tool::experiments {
namespace {

/// An experiment with its own rows and one hacker a row.
Experiment whole(std::string_view id) { return experiment_with(id, find_experiment(id)->rows); }

Preset demo() {
  return {
      .name = "demo",
      .title = "Drawn scenes",
      .surrogate = "rn-small",
      .architectures = {"rn-small"},
      .size = 32,
      .vocab = "words",
      .mem = {.rounds = 8, .surrogate_steps = 15},
      .trigger_rounds = 8,
      .surrogate_rounds = 1,
      .surrogate_rate = 1e-3,
      .training = {.epochs = 30, .batch_size = 128, .learning_rate = 1e-3},
      .experiments = {experiment_with("methods", {{&row::untrained}, {&row::clean}, {&row::mem3}}),
                      whole("architectures")}};
}

Preset flickr8k_cpu() {
  return {.name = "flickr8k-cpu",
          .title = "Flickr8k at 32 pixels",
          .surrogate = "rn-small",
          .architectures = {"rn-small", "rn-small-deep", "vit-small"},
          .size = 32,
          .mem = {.rounds = 3, .surrogate_steps = 50},
          .trigger_rounds = 3,
          .surrogate_rounds = 1,
          .em = {.rounds = 4, .surrogate_steps = 50},
          .surrogate_rate = 1e-3,
          .training = {.epochs = 6, .batch_size = 128, .learning_rate = 1e-3},
          .experiments = {experiment_with("methods", {{&row::untrained, 2},
                                                      {&row::clean, 2},
                                                      {&row::em},
                                                      {&row::uap},
                                                      {&row::mem3, 2},
                                                      {&row::mem5, 2}}),
                          whole("architectures"), whole("stress")}};
}

Preset paper() {
  return {.name = "paper",
          .title = "The paper's scale",
          .surrogate = "RN50",
          .architectures = {"RN50", "RN101", "ViT-B-32"},
          .size = 224,
          .device = "cuda",
          .mem = {.rounds = 20, .surrogate_steps = 200},
          .trigger_rounds = 5,
          .em = {.rounds = 5, .surrogate_steps = 50},
          .surrogate_rate = 1e-4,
          .training = {.epochs = 32, .batch_size = 128, .learning_rate = 5e-4},
          .experiments = {whole("methods"), whole("architectures"), whole("stress")}};
}

}  // namespace

std::span<const Preset> presets() {
  static const std::array<Preset, 3> all{demo(), flickr8k_cpu(), paper()};
  return all;
}

const Preset& preset_named(std::string_view name) {
  std::string names;
  for (const Preset& preset : presets()) {
    if (preset.name == name) return preset;
    names.append(names.empty() ? "one of " : ", ").append(preset.name);
  }
  throw InvalidArgument(expectation("preset", names, std::string("'").append(name) + "'"));
}

}  // namespace unlearn::tool::experiments
