// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/running_options.hpp"

#include "tool/commands/enum_option.hpp"

namespace unlearn::tool {

void add_running_options(CLI::App& command, RunningOptions& options, const std::string& seed_of) {
  const std::string running = "Running";
  command.add_option("--seed", options.seed, seed_of)->capture_default_str()->group(running);
  add_device_option(command, options.device)->group(running);
  command
      .add_option("--threads", options.threads, "How many threads to use; 0 for one on each core")
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
                "Continue the run in --out, if there is one; give the same options as before")
      ->group(running);
  command.add_flag("--quiet", options.quiet, "Show no progress, and only the shortest result")
      ->group(running);
  command.add_flag("--json", options.json, "Print the result as JSON")->group(running);
}

CLI::Option* add_device_option(CLI::App& command, Device& device) {
  return add_enum_option(command, "--device", device, "Where the model runs");
}

}  // namespace unlearn::tool
