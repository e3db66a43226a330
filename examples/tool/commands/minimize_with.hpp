// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tool/commands/protection_run.hpp"

namespace unlearn::tool {

/// Calls mem.minimize() on the processor, or on a GPU. To be instantiated once for each loss.
template <class Loss>
RunResult minimize_with(const MinimizerOf<Loss>& mem, const ProtectionRun& run) {
#ifdef UNLEARN_CLIP_CUDA
  if (run.signals_on_gpu) return minimize_on_gpu(mem, run);
#endif
  return mem.minimize(run.model, run.pairs, run.state, run.rng, run.reset, run.bar, run.checkpoint,
                      run.signals);
}

}  // namespace unlearn::tool
