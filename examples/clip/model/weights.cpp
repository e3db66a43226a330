// SPDX-License-Identifier: Apache-2.0
#include "clip/model/weights.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <istream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "clip/model/safetensors.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/file_mapping.hpp"

namespace unlearn::clip {
namespace {

constexpr std::string_view config_key = "clip_config";

struct DtypePair {
  Dtype stored;
  at::ScalarType ours;
};
constexpr std::array<DtypePair, 10> dtypes{{{Dtype::F64, at::kDouble},
                                            {Dtype::F32, at::kFloat},
                                            {Dtype::F16, at::kHalf},
                                            {Dtype::BF16, at::kBFloat16},
                                            {Dtype::I64, at::kLong},
                                            {Dtype::I32, at::kInt},
                                            {Dtype::I16, at::kShort},
                                            {Dtype::I8, at::kChar},
                                            {Dtype::U8, at::kByte},
                                            {Dtype::BOOL, at::kBool}}};

/// Tensors of their own with the bytes of stored ones.
Weights to_weights(const SafetensorsContents& file) {
  Weights weights{.tensors = {}, .metadata = file.metadata};
  for (const auto& [name, stored] : file.tensors) {
    const auto* const dtype = std::ranges::find(dtypes, stored.dtype, &DtypePair::stored);
    const std::vector<std::int64_t> shape(stored.shape.begin(), stored.shape.end());
    at::Tensor tensor = at::empty(shape, dtype->ours);
    if (!stored.bytes.empty()) {
      std::memcpy(tensor.data_ptr(), stored.bytes.data(), stored.bytes.size());
    }
    weights.tensors.emplace(name, std::move(tensor));
  }
  return weights;
}

/// The names of a text tower as open_clip gives them where it has one of its own.
std::string openai_name(const std::string& name) {
  constexpr std::string_view prefix = "text.";
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

bool is_weight(std::string_view name) {
  constexpr std::array<std::string_view, 4> others{"input_resolution", "context_length",
                                                   "vocab_size", "attn_mask"};
  return std::ranges::find(others, name) == others.end();
}

Weights read_archive(const std::string& path) {
  Weights weights;
  try {
    const torch::jit::Module module = torch::jit::load(path, at::kCPU);
    for (const auto& parameter : module.named_parameters()) {
      weights.tensors.emplace(parameter.name, parameter.value.detach());
    }
    for (const auto& buffer : module.named_buffers()) {
      weights.tensors.emplace(buffer.name, buffer.value.detach());
    }
  } catch (const c10::Error& error) {
    const std::string first_line(error.what_without_backtrace());
    throw FileError(unlearn::expectation(
        unlearn::file_name_for_message(path), "a TorchScript archive",
        first_line.substr(0, std::min<std::size_t>(first_line.find('\n'), 200))));
  }
  return weights;
}

bool is_archive(std::span<const std::byte> bytes) {
  constexpr std::string_view zip = "PK\x03\x04";
  return bytes.size() >= zip.size() && std::memcmp(bytes.data(), zip.data(), zip.size()) == 0;
}

nlohmann::json to_json(const ClipConfig& config) {
  nlohmann::json json = {{"embed_dim", config.embed_dim},
                         {"image_resolution", config.image_resolution},
                         {"vision_layers", config.vision_layers},
                         {"vision_width", config.vision_width},
                         {"vision_patch_size", nullptr},
                         {"context_length", config.context_length},
                         {"vocab_size", config.vocab_size},
                         {"transformer_width", config.transformer_width},
                         {"transformer_heads", config.transformer_heads},
                         {"transformer_layers", config.transformer_layers},
                         {"quick_gelu", config.quick_gelu}};
  if (config.vision_patch_size) json["vision_patch_size"] = *config.vision_patch_size;
  if (config.logit_bias) json["logit_bias"] = true;
  return json;
}

/// A counter that evaluation does not use, and that old files lack.
bool may_be_missing(std::string_view name) { return name.ends_with("num_batches_tracked"); }

}  // namespace

Weights read_weights(const std::string& path) {
  const unlearn::FileMapping file(path);
  Weights read = is_archive(file.bytes()) ? read_archive(path)
                                          : to_weights(parse_safetensors(file.bytes(), path));
  Weights weights{.tensors = {}, .metadata = std::move(read.metadata)};
  for (auto& [name, tensor] : read.tensors) {
    std::string ours = openai_name(name);
    if (is_weight(ours)) weights.tensors.emplace(std::move(ours), std::move(tensor));
  }
  return weights;
}

ClipConfig config_of(const Weights& weights) {
  const auto written = weights.metadata.find(std::string(config_key));
  if (written != weights.metadata.end()) return parse_config(written->second);
  WeightShapes shapes;
  for (const auto& [name, tensor] : weights.tensors) shapes.emplace(name, tensor.sizes().vec());
  return infer_config(shapes);
}

void require_weights_of(const ClipImpl& model, const StateDict& weights,
                        const std::string& source) {
  const StateDict ours = state_dict(model);
  for (const auto& [name, tensor] : ours) {
    const auto theirs = weights.find(name);
    if (theirs == weights.end() && may_be_missing(name)) continue;
    unlearn::require_in_file(theirs != weights.end(), source, "weight '" + name + "'",
                             "shape " + c10::str(tensor.sizes()), "no such tensor");
    unlearn::require_in_file(theirs->second.sizes() == tensor.sizes(), source,
                             "weight '" + name + "'", "shape " + c10::str(tensor.sizes()),
                             c10::str(theirs->second.sizes()));
  }
  for (const auto& [name, tensor] : weights) {
    unlearn::require_in_file(ours.contains(name), source, "weight '" + name + "'",
                             "no such tensor in this model",
                             "one of shape " + c10::str(tensor.sizes()));
  }
}

void assign_weights(ClipImpl& model, const StateDict& weights, const std::string& source) {
  require_weights_of(model, weights, source);
  const torch::NoGradGuard no_gradient;
  for (auto& [name, tensor] : state_dict(model)) {
    const auto theirs = weights.find(name);
    if (theirs != weights.end()) at::Tensor(tensor).copy_(theirs->second);
  }
}

Clip load_clip(const std::string& path) {
  const Weights weights = read_weights(path);
  const ClipConfig config = [&] {
    try {
      return config_of(weights);
    } catch (const InvalidArgument& error) {
      throw FileError(unlearn::file_name_for_message(path) + ", " + error.what());
    }
  }();
  Clip model(config, /*seed=*/0);
  assign_weights(*model, weights.tensors, path);
  return model;
}

void save_clip(const std::string& path, const ClipImpl& model) {
  unlearn::AtomicFile file(path);
  std::ostream out(&file);
  out.exceptions(std::ios::badbit);
  write_tensors(out, state_dict(model),
                {{std::string(config_key), to_json(model.config()).dump()}});
  out.flush();
  file.commit();
}

void write_tensors(std::ostream& out, const StateDict& tensors,
                   const std::map<std::string, std::string>& metadata) {
  TensorBytesByName stored;
  std::vector<at::Tensor> held;
  held.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor& dense = held.emplace_back(tensor.detach().to(at::kCPU).contiguous());
    const auto* const dtype = std::ranges::find(dtypes, dense.scalar_type(), &DtypePair::ours);
    unlearn::require(dtype != dtypes.end(), "element type of '" + name + "'",
                     "one that safetensors has", c10::toString(dense.scalar_type()));
    stored.emplace(name, TensorBytes{.dtype = dtype->stored,
                                     .shape = {dense.sizes().begin(), dense.sizes().end()},
                                     .bytes = {static_cast<const std::byte*>(dense.data_ptr()),
                                               dense.nbytes()}});
  }
  write_safetensors(out, stored, metadata);
}

Weights read_tensors(std::istream& in, const std::string& source) {
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  return to_weights(parse_safetensors(std::as_bytes(std::span(bytes)), source));
}

}  // namespace unlearn::clip
