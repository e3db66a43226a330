// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/minimize_with.hpp"

namespace unlearn::tool {

RunResult minimize(const MinimizerOf<InfoNce>& mem, const ProtectionRun& run) {
  return minimize_with(mem, run);
}

}  // namespace unlearn::tool
