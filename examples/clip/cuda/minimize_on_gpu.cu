// SPDX-License-Identifier: Apache-2.0
#include "tool/protection_run.hpp"
#include "unlearn/cuda/cuda.cuh"
#include "unlearn/cuda/torch.cuh"

namespace unlearn::tool {

RunResult minimize_on_gpu(const MultiStepMinimizer<>& mem, const ProtectionRun& run) {
  cuda::Context<cuda::TorchAllocator> context;
  const auto device = cuda::on_current_stream(context);
  using Noise = cuda::DeviceNoise<MappedNoise<>, std::remove_const_t<decltype(device)>>;
  cuda::DevicePairs pairs(device, run.pairs);
  RunState<Noise> state{.noise = Noise(device, run.state.noise),
                        .triggers = run.state.triggers,
                        .scope = run.state.scope,
                        .progress = run.state.progress};
  RunResult result = mem.minimize(device, run.model, pairs, state, run.rng, run.turnover, run.bar,
                                  run.checkpoint, run.signals);
  run.state.triggers = std::move(state.triggers);
  run.state.progress = std::move(state.progress);
  return result;
}

}  // namespace unlearn::tool
