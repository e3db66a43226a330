// SPDX-License-Identifier: Apache-2.0
#include <c10/cuda/CUDACachingAllocator.h>

#include <cstddef>
#include <type_traits>
#include <utility>

#include "tool/commands/protection_run.hpp"
#include "unlearn/cuda/cuda.cuh"
#include "unlearn/cuda/torch.cuh"

namespace unlearn::tool {

RunResult minimize_on_gpu(const MultiStepMinimizer<>& mem, const ProtectionRun& run) {
  cuda::Context<cuda::TorchAllocator> context;
  const auto device = cuda::on_current_stream(context);
  using Noise = cuda::DeviceNoiseStore<MappedNoiseStore<>, std::remove_const_t<decltype(device)>>;
  // Half of what is free is the model's: an optimiser step is not cut into smaller ones.
  c10::cuda::CUDACachingAllocator::emptyCache();
  const std::size_t share = cuda::half_of_free_memory(device) / 2;
  cuda::DevicePairSource pairs(device, run.pairs, share);
  RunState<Noise> state{.noise = Noise(device, run.state.noise, share),
                        .triggers = run.state.triggers,
                        .scope = run.state.scope,
                        .progress = run.state.progress};
  RunResult result = mem.minimize(device, run.model, pairs, state, run.rng, run.reset, run.bar,
                                  run.checkpoint, run.signals);
  run.state.triggers = std::move(state.triggers);
  run.state.progress = std::move(state.progress);
  return result;
}

}  // namespace unlearn::tool
