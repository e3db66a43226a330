// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/running_options.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace unlearn::tool {

void add_running_options(CLI::App& command, RunningOptions& options, const std::string& seed_of) {
  const std::string running = "Running";
  command.add_option("--seed", options.seed, seed_of)->capture_default_str()->group(running);
  command.add_option("--device", options.device, "cpu, or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str()
      ->group(running);
  command.add_option("--threads", options.threads, "0 for one a core")
      ->capture_default_str()
      ->group(running);
  command
      .add_option("--checkpoint-every", options.checkpoint_seconds,
                  "Seconds between two checkpoints; 0 for one after each batch")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group(running);
  command
      .add_flag("--resume", options.resume,
                "Go on with the run in --out, if there is one; give the same options")
      ->group(running);
  command.add_flag("--quiet", options.quiet, "No progress, and the shortest result")
      ->group(running);
  command.add_flag("--json", options.json, "Print the result as JSON")->group(running);
}

}  // namespace unlearn::tool
