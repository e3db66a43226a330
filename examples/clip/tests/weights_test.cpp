// SPDX-License-Identifier: Apache-2.0
#include "clip/model/weights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/utils.h>

#include <cstddef>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "file_size_limit.hpp"
#include "message_of.hpp"
#include "numpy.hpp"
#include "temporary_directory.hpp"
#include "tiny_clip.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::clip {
namespace {

using testing::message_of, testing::read_file, testing::TemporaryDirectory, testing::write_file;

bool same(const StateDict& a, const StateDict& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end() || !at::equal(tensor, other->second)) return false;
  }
  return true;
}

/// A copy of a model's weights, to be changed.
StateDict weights_of(const ClipConfig& config) {
  StateDict weights;
  for (const auto& [name, tensor] : state_dict(*Clip(config, 3))) {
    weights.emplace(name, tensor.detach().clone());
  }
  return weights;
}

/// A TorchScript archive with these tensors, as OpenAI publishes them.
void save_archive(const std::string& path, const StateDict& weights) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  int modules = 0;
  const auto make = [&] {
    return torch::jit::Module("__torch__.M" + std::to_string(modules++), unit);
  };
  struct Node {
    std::map<std::string, Node> children;
    std::map<std::string, at::Tensor> parameters;
  };
  Node root;
  for (const auto& [name, tensor] : weights) {
    Node* node = &root;
    std::size_t begin = 0;
    for (std::size_t dot = name.find('.'); dot != std::string::npos;
         begin = dot + 1, dot = name.find('.', begin)) {
      node = &node->children[name.substr(begin, dot - begin)];
    }
    node->parameters[name.substr(begin)] = tensor;
  }
  const auto build = [&](const auto& self, const Node& node) -> torch::jit::Module {
    torch::jit::Module module = make();
    for (const auto& [name, child] : node.children) module.register_module(name, self(self, child));
    for (const auto& [name, tensor] : node.parameters) {
      module.register_parameter(name, tensor.is_floating_point() ? tensor.to(at::kHalf) : tensor,
                                !tensor.is_floating_point());
    }
    return module;
  };
  build(build, root).save(path);
}

TEST(Weights, ComeBackWithTheirConfiguration) {
  const TemporaryDirectory directory;
  const std::string path = directory / "clip.safetensors";
  for (ClipConfig config : {testing::tiny_resnet(), testing::tiny_vit()}) {
    config.quick_gelu = false;  // no shape tells
    const Clip model(config, 7);
    save_clip(path, *model);
    const Clip loaded = load_clip(path);
    EXPECT_EQ(loaded->config(), config);
    EXPECT_TRUE(same(state_dict(*loaded), state_dict(*model)));
  }
}

TEST(Weights, AreReadFromATorchScriptArchive) {
  const TemporaryDirectory directory;
  const std::string path = directory / "clip.pt";
  ClipConfig config = testing::tiny_resnet();
  config.transformer_heads = 1;  // what is inferred for a width below 128
  StateDict weights = weights_of(config);
  weights["input_resolution"] = at::scalar_tensor(32, at::kLong);
  weights["context_length"] = at::scalar_tensor(12, at::kLong);
  weights["vocab_size"] = at::scalar_tensor(50, at::kLong);
  save_archive(path, weights);
  const Clip loaded = load_clip(path);
  EXPECT_EQ(loaded->config(), config);
  for (const auto& [name, tensor] : state_dict(*loaded)) {
    const at::Tensor expected = tensor.is_floating_point()
                                    ? weights.at(name).to(at::kHalf).to(at::kFloat)
                                    : weights.at(name);
    EXPECT_TRUE(at::equal(tensor, expected)) << name;
  }
}

TEST(Weights, AreReadUnderOpenClipsNames) {
  const TemporaryDirectory directory;
  const std::string path = directory / "open_clip.safetensors";
  ClipConfig config = testing::tiny_vit();
  config.transformer_heads = 1;
  StateDict renamed;
  for (auto& [name, tensor] : weights_of(config)) {
    const bool of_text = !name.starts_with("visual.") && name != "logit_scale";
    renamed.emplace((of_text ? "text." : "") + name, tensor);
  }
  renamed["text.attn_mask"] = at::zeros({12, 12});
  std::ofstream file(path, std::ios::binary);
  write_tensors(file, renamed, {});
  file.close();
  EXPECT_EQ(load_clip(path)->config(), config);
}

TEST(Weights, OpenInNumpy) {
  const TemporaryDirectory directory;
  const std::string path = directory / "clip.safetensors";
  const Clip model(testing::tiny_vit(), 7);
  save_clip(path, *model);
  const std::string script =
      "import json\n"
      "b = open('" +
      path +
      "', 'rb').read()\n"
      "n = int.from_bytes(b[:8], 'little')\n"
      "e = json.loads(b[8:8 + n])['logit_scale']\n"
      "o = e['data_offsets'][0] + 8 + n\n"
      "print(n % 8, e['dtype'], e['shape'], round(float(np.frombuffer(b, '<f4', 1, o)[0]), 4))";
  EXPECT_EQ(testing::numpy(script), "0 F32 [] 2.6593\n");
}

TEST(Weights, NameWhatDoesNotFit) {
  Clip model(testing::tiny_resnet(), 1);
  const StateDict before = weights_of(testing::tiny_resnet());
  assign_weights(*model, before, "a file");
  const auto message = [&](const StateDict& weights) {
    return message_of<FileError>([&] { assign_weights(*model, weights, "w.safetensors"); });
  };
  StateDict wrong = before;
  wrong.erase("visual.layer2.1.bn3.running_var");
  EXPECT_EQ(message(wrong),
            "file 'w.safetensors', weight 'visual.layer2.1.bn3.running_var': expected shape [64], "
            "got no such tensor");
  wrong = before;
  wrong["ln_final.bias"] = at::zeros({25});
  EXPECT_EQ(message(wrong),
            "file 'w.safetensors', weight 'ln_final.bias': expected shape [24], got [25]");
  wrong = before;
  wrong["ln_final.gain"] = at::zeros({24});
  EXPECT_EQ(message(wrong),
            "file 'w.safetensors', weight 'ln_final.gain': expected no such tensor in this model, "
            "got one of shape [24]");
  EXPECT_TRUE(same(state_dict(*model), before));

  StateDict old = before;
  std::erase_if(old,
                [](const auto& entry) { return entry.first.ends_with("num_batches_tracked"); });
  EXPECT_LT(old.size(), before.size());
  assign_weights(*model, old, "an older file");
}

TEST(Weights, AreRefusedWhenTheyAreNoModel) {
  const TemporaryDirectory directory;
  const std::string path = directory / "w";
  const auto message = [&] { return message_of<FileError>([&] { (void)load_clip(path); }); };
  EXPECT_THAT(message(), ::testing::HasSubstr("No such file"));
  write_file(path, "");
  EXPECT_EQ(message(),
            "file '" + path + "', size: expected at least 8 bytes, the header's length, got 0");
  write_file(path, "PK\x03\x04 and no more");
  EXPECT_THAT(message(),
              ::testing::StartsWith("file '" + path + "': expected a TorchScript archive"));
  std::ofstream file(path, std::ios::binary);
  write_tensors(file, {{"a", at::zeros({2})}}, {});
  file.close();
  EXPECT_EQ(message(), "file '" + path +
                           "', weights of a CLIP model: expected a tensor 'text_projection', got "
                           "none of that name");
}

TEST(Weights, AFullDiskLeavesTheOldFile) {
  const TemporaryDirectory directory;
  const std::string path = directory / "clip.safetensors";
  save_clip(path, *Clip(testing::tiny_vit(), 1));
  const std::string before = read_file(path);
  {
    const testing::FileSizeLimit limit(4096);
    EXPECT_THROW(save_clip(path, *Clip(testing::tiny_vit(), 2)), FileError);
  }
  EXPECT_TRUE(read_file(path) == before);
  EXPECT_EQ(testing::names_in(directory.path()), std::set<std::string>{"clip.safetensors"});
}

}  // namespace
}  // namespace unlearn::clip
