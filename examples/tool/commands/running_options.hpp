// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>

namespace unlearn::tool {

/// How a long run is run: what `protect` and `train` have in common.
struct RunningOptions {
  std::uint64_t seed = 1;
  std::string device = "cpu";  ///< cpu or cuda
  unsigned threads = 0;        ///< 0 for one a core
  double checkpoint_seconds = 30;
  bool resume = false;
  bool quiet = false;
  bool json = false;
  bool silent = false;  ///< prints no result; not on the command line
};

/// Gives a command `--seed`, `--device`, `--threads`, `--checkpoint-every`, `--resume`, `--quiet`
/// and
/// `--json`, in the group "Running".
/// @param options must live until the command line is parsed
/// @param seed_of what the seed decides on, for the help text
void add_running_options(CLI::App& command, RunningOptions& options, const std::string& seed_of);

}  // namespace unlearn::tool
