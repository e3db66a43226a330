// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/presets.hpp"

#include <algorithm>
#include <array>

#include "unlearn/core/error.hpp"

namespace unlearn::tool {
namespace {

std::vector<TableRow> all_rows(std::size_t hackers) {
  return {{.name = "random", .hackers = hackers},
          {.name = "clean", .hackers = hackers},
          {.name = "em", .method = "em"},
          {.name = "uap", .method = "uap"},
          {.name = "mem3", .method = "mem", .trigger_length = 3, .hackers = hackers},
          {.name = "mem5", .method = "mem", .trigger_length = 5, .hackers = hackers}};
}

}  // namespace

std::span<const Preset> presets() {
  static const std::array<Preset, 3> all{{
      {.name = "demo",
       .title = "Drawn scenes",
       .model = "rn-small",
       .hackers = {"rn-small"},
       .size = 32,
       .vocab = "words",
       .mem_rounds = 8,
       .trigger_rounds = 8,
       .mem_surrogate_steps = 15,
       .surrogate_rounds = 1,
       .surrogate_rate = 1e-3,
       .training = {.epochs = 30, .batch_size = 128, .learning_rate = 1e-3},
       .rows = {{.name = "random"},
                {.name = "clean"},
                {.name = "mem3", .method = "mem", .trigger_length = 3}}},
      {.name = "flickr8k-cpu",
       .title = "Flickr8k at 32 pixels",
       .model = "rn-small",
       .hackers = {"rn-small", "rn-small-deep", "vit-small"},
       .size = 32,
       .mem_rounds = 3,
       .trigger_rounds = 3,
       .mem_surrogate_steps = 50,
       .surrogate_rounds = 1,
       .em_rounds = 4,
       .em_surrogate_steps = 50,
       .surrogate_rate = 1e-3,
       .training = {.epochs = 6, .batch_size = 128, .learning_rate = 1e-3},
       .rows = all_rows(2),
       .stress = true},
      {.name = "paper",
       .title = "The paper's scale",
       .model = "RN50",
       .hackers = {"RN50", "RN101", "ViT-B-32"},
       .size = 224,
       .device = "cuda",
       .mem_rounds = 20,
       .trigger_rounds = 5,
       .mem_surrogate_steps = 200,
       .em_rounds = 5,
       .em_surrogate_steps = 50,
       .surrogate_rate = 1e-4,
       .training = {.epochs = 32, .batch_size = 128, .learning_rate = 5e-4},
       .rows = all_rows(1),
       .stress = true},
  }};
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

}  // namespace unlearn::tool
