// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <array>
#include <cstdint>
#include <string>

#include "pairs/files/enum_names.hpp"

namespace unlearn::tool {

/// Where models run.
enum class Device : std::uint8_t { cpu, cuda };
constexpr std::array<pairs::EnumName<Device>, 2> enum_names(Device /*like*/) {
  return {{{Device::cpu, "cpu"}, {Device::cuda, "cuda"}}};
}

/// How a long run is run: what `protect` and `train` have in common.
struct RunningOptions {
  std::uint64_t seed = 1;
  Device device = Device::cpu;
  unsigned threads = 0;  ///< 0 for one a core
  double checkpoint_seconds = 30;
  bool resume = false;
  bool quiet = false;
  bool json = false;
  bool silent = false;  ///< prints no result; not on the command line
};

/// Gives a command `--seed`, `--device`, `--threads`, `--checkpoint-every`, `--resume`, `--quiet`
/// and `--json`, in the group "Running".
/// @param options must live until the command line is parsed
/// @param seed_of what the seed decides on, for the help text
void add_running_options(CLI::App& command, RunningOptions& options, const std::string& seed_of);

/// Gives a command `--device`.
/// @param device must live until the command line is parsed
/// @returns the option
CLI::Option* add_device_option(CLI::App& command, Device& device);

}  // namespace unlearn::tool
