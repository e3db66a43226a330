// SPDX-License-Identifier: Apache-2.0
#include <c10/cuda/CUDACachingAllocator.h>

#include <cstddef>
#include <type_traits>
#include <utility>

#include "tool/commands/protection_run.hpp"
#include "unlearn/cuda/device.cuh"
#include "unlearn/cuda/torch.cuh"
#include "unlearn/device/device_noise_store.hpp"
#include "unlearn/device/device_pair_source.hpp"

namespace unlearn::tool {
namespace {

template <class Loss>
RunResult minimize_there(const MinimizerOf<Loss>& mem, const ProtectionRun& run) {
  cuda::Context<cuda::TorchAllocator> context;
  const auto device = cuda::on_current_stream(context);
  using Noise = DeviceNoiseStore<std::remove_const_t<decltype(device)>, MappedNoiseStore<>>;
  // Half of what is free is the model's: an optimiser step is not cut into smaller ones.
  c10::cuda::CUDACachingAllocator::emptyCache();
  const std::size_t share = device.free_bytes() / 4;
  DevicePairSource pairs(device, run.pairs, share);
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

}  // namespace

RunResult minimize_on_gpu(const MinimizerOf<InfoNce>& mem, const ProtectionRun& run) {
  return minimize_there(mem, run);
}

RunResult minimize_on_gpu(const MinimizerOf<SigLip>& mem, const ProtectionRun& run) {
  return minimize_there(mem, run);
}

}  // namespace unlearn::tool
