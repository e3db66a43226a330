// SPDX-License-Identifier: Apache-2.0
#include "clip/model/model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <string>

#include "message_of.hpp"
#include "tiny_clip.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::clip {
namespace {

using testing::message_of;

bool equal_weights(const ClipImpl& a, const ClipImpl& b) {
  const StateDict weights = state_dict(b);
  for (const auto& [name, tensor] : state_dict(a)) {
    if (!at::equal(tensor, weights.at(name))) return false;
  }
  return true;
}

TEST(Clip, WeightsAreDrawnFromTheSeedAlone) {
  for (const ClipConfig& config : {testing::tiny_resnet(), testing::tiny_vit()}) {
    const Clip first(config, 5);
    (void)at::rand({10});  // moves LibTorch's own generator on
    EXPECT_TRUE(equal_weights(*first, *Clip(config, 5)));
    EXPECT_FALSE(equal_weights(*first, *Clip(config, 6)));
  }
}

/// Checks the mean square of a weight against what it is drawn with.
void expect_deviation(const StateDict& weights, const std::string& name, double deviation) {
  const double root = weights.at(name).square().mean().sqrt().item<double>();
  EXPECT_NEAR(root / deviation, 1, 0.1) << name;
}

TEST(Clip, WeightsAreDrawnAsTheReleaseDraws) {
  ClipConfig config = testing::tiny_resnet();
  config.transformer_width = 192;
  config.vision_width = 16;
  config.vocab_size = 200;
  config.image_resolution = 64;
  const Clip resnet(config, 1);
  const StateDict weights = state_dict(*resnet);
  const double width = 192;
  const double uniform = 1 / std::sqrt(3.0);  // of a uniform draw from [−1, 1]
  expect_deviation(weights, "token_embedding.weight", 0.02);
  expect_deviation(weights, "positional_embedding", 0.01);
  expect_deviation(weights, "text_projection", 1 / std::sqrt(width));
  const std::string block = "transformer.resblocks.1.";
  expect_deviation(weights, block + "attn.in_proj_weight", 1 / std::sqrt(width));
  expect_deviation(weights, block + "attn.out_proj.weight", 1 / std::sqrt(4 * width));
  expect_deviation(weights, block + "mlp.c_fc.weight", 1 / std::sqrt(2 * width));
  expect_deviation(weights, block + "mlp.c_proj.weight", 1 / std::sqrt(4 * width));
  expect_deviation(weights, block + "mlp.c_fc.bias", uniform / std::sqrt(width));
  EXPECT_EQ(weights.at(block + "attn.in_proj_bias").abs().max().item<double>(), 0);
  EXPECT_EQ(weights.at(block + "attn.out_proj.bias").abs().max().item<double>(), 0);
  EXPECT_EQ(weights.at("visual.layer2.1.bn3.weight").abs().max().item<double>(), 0);
  EXPECT_EQ(weights.at("visual.layer2.1.bn2.weight").min().item<double>(), 1);
  expect_deviation(weights, "visual.layer3.0.conv2.weight", uniform / std::sqrt(64 * 9.0));
  expect_deviation(weights, "visual.attnpool.q_proj.weight", 1 / std::sqrt(512.0));
  expect_deviation(weights, "visual.attnpool.positional_embedding", 1 / std::sqrt(512.0));
  EXPECT_NEAR(weights.at("logit_scale").item<double>(), std::log(1 / 0.07), 1e-6);

  const StateDict vit = state_dict(*Clip(testing::tiny_vit(), 1));
  expect_deviation(vit, "visual.positional_embedding", 1.0 / 8);
  expect_deviation(vit, "visual.proj", 1.0 / 8);
  expect_deviation(vit, "visual.transformer.resblocks.0.attn.in_proj_weight",
                   uniform * std::sqrt(6.0 / 256));
  expect_deviation(vit, "visual.transformer.resblocks.1.mlp.c_fc.weight", uniform / 8);
}

TEST(Clip, TextsAreReadOffAtTheFirstLargestId) {
  const at::Tensor tokens = at::tensor({48, 3, 49, 7, 49, 0}).view({1, 6});
  EXPECT_EQ(ClipImpl::ends_of(tokens).item<std::int64_t>(), 2);
}

TEST(Clip, WhatStandsBehindTheEndDoesNotMatter) {
  Clip clip(testing::tiny_vit(), 3);
  const torch::NoGradGuard no_gradient;
  const at::Tensor tokens = at::tensor({48, 3, 9, 49, 0, 0}).view({1, 6});
  const at::Tensor others = at::tensor({48, 3, 9, 49, 17, 5}).view({1, 6});
  EXPECT_TRUE(at::equal(clip->encode_texts(tokens), clip->encode_texts(others)));
  const at::Tensor changed = at::tensor({48, 4, 9, 49, 0, 0}).view({1, 6});
  EXPECT_FALSE(at::equal(clip->encode_texts(tokens), clip->encode_texts(changed)));
}

/// In evaluation the norms are folded into the filters: as if they had been applied one by one.
TEST(Bottleneck, FoldsItsNormsInEvaluation) {
  const torch::NoGradGuard no_gradient;
  for (const std::int64_t stride : {1, 2}) {
    Bottleneck block(8, 4, stride);
    for (auto* norm : {&block->bn1, &block->bn2, &block->bn3, &block->shortcut_norm}) {
      (*norm)->running_mean.uniform_(-1, 1);
      (*norm)->running_var.uniform_(0.5, 2);
      (*norm)->weight.uniform_(-1, 1);
      (*norm)->bias.uniform_(-1, 1);
    }
    block->eval();
    const at::Tensor x = at::randn({2, 8, 6, 6});
    const auto pooled = [&](const at::Tensor& map) {
      return stride > 1 ? at::avg_pool2d(map, stride) : map;
    };
    at::Tensor expected = at::relu(block->bn1(block->conv1(x)));
    expected = pooled(at::relu(block->bn2(block->conv2(expected))));
    expected = at::relu(block->bn3(block->conv3(expected)) +
                        block->shortcut_norm(block->shortcut(pooled(x))));
    EXPECT_LT((block(x) - expected).abs().max().item<double>(), 1e-5) << stride;
  }
}

TEST(Transformer, TheLastBlockAtOnePositionIsThatPositionOfAll) {
  Transformer transformer(
      TransformerSizes{.width = 12, .heads = 3, .layers = 3, .attends = Attends::backwards});
  const torch::NoGradGuard no_gradient;
  for (auto& block : transformer->resblocks) {
    block->attn->in_proj_weight.uniform_(-0.5, 0.5);
    block->attn->in_proj_bias.uniform_(-0.5, 0.5);
  }
  const at::Tensor x = at::randn({2, 5, 12});
  const at::Tensor at = at::tensor({2, 4}, at::kLong);
  ResidualStream stream(x.clone());
  for (auto& block : transformer->resblocks) block->forward(stream);
  const at::Tensor all = stream.sum();
  const at::Tensor expected = at::stack({all[0][2], all[1][4]});
  EXPECT_LT((transformer(x.clone(), at) - expected).abs().max().item<double>(), 1e-5);
}

TEST(Clip, ImagesOfAnotherSizeAreRefused) {
  Clip clip(testing::tiny_vit(), 1);
  EXPECT_EQ(
      message_of<InvalidArgument>([&] { (void)clip->encode_images(at::zeros({2, 3, 32, 40})); }),
      "images given to a CLIP model: expected [B, 3, 32, 32], got [2, 3, 32, 40]");
}

TEST(ClipConfig, IsInferredFromShapes) {
  for (const std::string_view name : config_names()) {
    if (name == "RN50" || name == "RN101" || name == "ViT-B-32") continue;  // large to draw
    const ClipConfig config = named_config(name);
    WeightShapes shapes;
    for (const auto& [key, tensor] : state_dict(*Clip(config, 1)))
      shapes[key] = tensor.sizes().vec();
    EXPECT_EQ(infer_config(shapes), config) << name;
  }
}

TEST(ClipConfig, NamesTheWeightThatTheShapeIsMissingFor) {
  WeightShapes shapes;
  for (const auto& [key, tensor] : state_dict(*Clip(testing::tiny_resnet(), 1))) {
    shapes[key] = tensor.sizes().vec();
  }
  WeightShapes missing = shapes;
  missing.erase("visual.attnpool.positional_embedding");
  EXPECT_EQ(
      message_of<InvalidArgument>([&] { (void)infer_config(missing); }),
      "weights of a CLIP model: expected a tensor 'visual.attnpool.positional_embedding', got "
      "none of that name");
  shapes["visual.attnpool.positional_embedding"] = {7, 256};
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)infer_config(shapes); }),
            "rows of the weight 'visual.attnpool.positional_embedding': expected a square number "
            "and 1, got 7");
}

TEST(ClipConfig, KnowsItsNames) {
  EXPECT_EQ(named_config("RN101").vision_layers, (std::vector<std::int64_t>{3, 4, 23, 3}));
  EXPECT_EQ(named_config("ViT-B-32").vision_grid(), 7);
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)named_config("RN5"); }),
            "model: expected one of RN50, RN101, ViT-B-32, rn-small, rn-small-deep, vit-small, got "
            "'RN5'");
}

TEST(ClipConfig, RefusesAResolutionThatTheTowerCannotTake) {
  EXPECT_EQ(at_resolution(named_config("rn-small"), 96).vision_grid(), 3);
  EXPECT_EQ(message_of<InvalidArgument>([] { (void)at_resolution(named_config("rn-small"), 100); }),
            "CLIP configuration, image_resolution: expected a multiple of 32, got 100");
  EXPECT_EQ(
      message_of<InvalidArgument>([] { (void)at_resolution(named_config("ViT-B-32"), 1 << 21); }),
      "CLIP configuration, image_resolution: expected 1 to 1048576, got 2097152");
}

}  // namespace
}  // namespace unlearn::clip
