// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/model_options.hpp"

#include <ATen/Context.h>

#include "clip/kernels/instruction_sets.hpp"
#include "clip/model/config.hpp"
#include "clip/model/weights.hpp"
#include "clip/training/loss_parameters.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool {

clip::Clip make_model(const ModelRequest& request) {
  if (!request.weights.empty()) {
    clip::Clip model = clip::load_clip(request.weights);
    require_size("vocabulary of '" + request.weights + "', against --vocab", request.vocabulary,
                 static_cast<std::size_t>(model->config().vocab_size));
    clip::add_loss_parameters(*model, request.loss);
    return model;
  }
  clip::ClipConfig config = clip::named_config(request.name);
  if (request.size > 0) config = clip::at_resolution(config, request.size);
  config.vocab_size = static_cast<std::int64_t>(request.vocabulary);
  clip::Clip model(config, request.seed);
  clip::add_loss_parameters(*model, request.loss);
  return model;
}

at::Device torch_device(Device device) {
  return at::Device(device == Device::cuda ? at::kCUDA : at::kCPU);
}

void set_up_torch(Device device, unsigned threads) {
  clip::use_threads(threads);
  if (device == Device::cpu) return;
  require(at::hasCUDA(), "device of a LibTorch without CUDA", "cpu", pairs::name_of(device));
  // Single precision is what it says, and cuDNN's sums have one order.
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
}

clip::Precision precision_of(Arithmetic arithmetic, Device device) {
  if (arithmetic == Arithmetic::single) return clip::Precision::single;
  if (arithmetic == Arithmetic::bfloat16) return clip::Precision::bfloat16;
  return device == Device::cuda || clip::multiplies_bfloat16() ? clip::Precision::bfloat16
                                                               : clip::Precision::single;
}

}  // namespace unlearn::tool
