// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/nn/functional/normalization.h>
#include <torch/utils.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/weights.hpp"
#include "clip/training/loss_kind.hpp"
#include "clip/training/loss_parameters.hpp"
#include "clip/training/timed_model.hpp"
#include "message_of.hpp"
#include "tiny_clip.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/siglip.hpp"
#include "unlearn/core/model_loss.hpp"

namespace unlearn::clip {
namespace {

using testing::DrawnPairs, testing::message_of;

static_assert(unlearn::DualEncoder<ClipEncoder, PixelBatch, SigLip>);
static_assert(TrainableOn<ClipEncoder, PixelBatch, SigLip>);
static_assert(unlearn::DualEncoder<TimedModel<ClipEncoder>, PixelBatch, SigLip>);
static_assert(TrainableOn<TimedModel<ClipEncoder>, PixelBatch, SigLip>);

Clip with_bias(const ClipConfig& config, std::uint64_t seed) {
  Clip model(config, seed);
  model->add_logit_bias();
  return model;
}

double value_of(const at::Tensor& scalar) { return scalar.item<double>(); }

/// SigLIP's loss of a model on pairs, in LibTorch's own operations.
at::Tensor siglip_of(Clip& model, const DrawnPairs& pairs) {
  namespace F = torch::nn::functional;
  const std::int64_t side = model->config().image_resolution;
  const auto channels = [](const std::array<float, 3>& values) {
    return at::tensor(at::ArrayRef<float>(values));
  };
  const at::Tensor pixels = as_tensor(pairs.real_images().clean).view({-1, side, side, 3});
  const at::Tensor normalised =
      (pixels - channels(clip_pixels.mean)) / channels(clip_pixels.deviation);
  const at::Tensor images = F::normalize(model->encode_images(normalised.permute({0, 3, 1, 2})));
  const at::Tensor texts =
      F::normalize(model->encode_texts(as_tensor(pairs.texts().tokens).to(at::kLong)));
  const at::Tensor logits = model->logit_scale.exp() * images.matmul(texts.t()) + model->logit_bias;
  const at::Tensor z = 2 * at::eye(logits.size(0)) - 1;
  return -at::log_sigmoid(z * logits).sum() / logits.size(0);
}

/// After one step the first moments are 1 − β₁ times the gradients.
TEST(SigLipStep, FollowsTheGradientsOfTheLossInLibTorch) {
  for (const ClipConfig& config : {testing::tiny_vit(), testing::tiny_resnet()}) {
    const DrawnPairs pairs(config, 11, 7);
    ClipEncoder encoder(with_bias(config, 1));
    const double loss = encoder.train_step(pairs.real_images(), pairs.texts(), SigLip{});
    std::stringstream saved;
    encoder.save(saved);
    const StateDict moments = read_tensors(saved, "saved state").tensors;

    Clip model = with_bias(config, 1);
    model->train();
    const at::Tensor expected = siglip_of(model, pairs);
    EXPECT_NEAR(loss, value_of(expected), 1e-4 * loss);
    expected.backward();
    for (const auto& parameter : model->named_parameters()) {
      const at::Tensor gradient = parameter.value().grad();
      const at::Tensor found = moments.at("exp_avg." + parameter.key()) / 0.1;
      // A key's bias has no say in the attention: its gradient is rounding alone.
      EXPECT_LT(value_of((found - gradient).norm()), 1e-3 * value_of(gradient.norm()) + 1e-6)
          << parameter.key();
    }
    EXPECT_GT(std::abs(value_of(model->logit_bias.grad())), 1e-2);
  }
}

TEST(SigLipStep, IsTheClosedFormOfTheLibrary) {
  const DrawnPairs pairs(testing::tiny_vit(), 6, 7);
  ClipEncoder encoder(with_bias(testing::tiny_vit(), 1));
  const auto expected = siglip(encoder.encode_signals(pairs.real_images()),
                               encoder.encode_texts(pairs.texts()), 10, -10);
  // The bias is the model's, whatever the loss was made with.
  const double loss = encoder.train_step(pairs.real_images(), pairs.texts(), SigLip{.bias = 3});
  EXPECT_NEAR(loss, expected.value, 1e-5 * expected.value);
  std::stringstream saved;
  encoder.save(saved);
  const StateDict moments = read_tensors(saved, "saved state").tensors;
  EXPECT_NEAR(value_of(moments.at("exp_avg.logit_bias")) / 0.1, expected.grad_bias,
              1e-4 * std::abs(expected.grad_bias));
  EXPECT_NEAR(value_of(moments.at("exp_avg.logit_scale")) / 0.1, expected.grad_log_scale,
              1e-4 * std::abs(expected.grad_log_scale));
}

TEST(SigLipStep, LearnsThePairsAndItsBias) {
  ClipEncoder encoder(with_bias(testing::tiny_vit(), 1),
                      {.optimizer = {.learning_rate = {.rate = 2e-3}}});
  const DrawnPairs pairs(testing::tiny_vit(), 8, 7);
  const double before = encoder.train_step(pairs.images(), pairs.texts(), SigLip{});
  double after = before;
  for (int step = 0; step < 60; ++step) {
    after = encoder.train_step(pairs.images(), pairs.texts(), SigLip{});
  }
  EXPECT_LT(after, before / 2);
  EXPECT_GT(std::abs(encoder.logit_bias() + 10), 0.02);
}

TEST(LogitBias, BeginsAsInThePaper) {
  const Clip model = with_bias(testing::tiny_vit(), 1);
  EXPECT_TRUE(model->config().logit_bias);
  EXPECT_EQ(value_of(model->logit_bias), -10);
  EXPECT_NEAR(value_of(model->logit_scale), std::log(10), 1e-6);
  model->logit_bias.data().fill_(-9);
  Clip(model)->add_logit_bias();
  EXPECT_EQ(value_of(model->logit_bias), -9) << "a bias that is there stays";
}

TEST(LogitBias, IsKeptInCheckpoints) {
  const DrawnPairs pairs(testing::tiny_vit(), 6, 8);
  ClipEncoder straight(with_bias(testing::tiny_vit(), 9));
  (void)straight.train_step(pairs.images(), pairs.texts(), SigLip{});
  std::stringstream saved;
  straight.save(saved);
  ClipEncoder resumed(with_bias(testing::tiny_vit(), 10));
  resumed.load(saved);
  EXPECT_NE(straight.logit_bias(), -10);
  EXPECT_EQ(resumed.logit_bias(), straight.logit_bias());
  for (int step = 0; step < 3; ++step) {
    EXPECT_EQ(straight.train_step(pairs.images(), pairs.texts(), SigLip{}),
              resumed.train_step(pairs.images(), pairs.texts(), SigLip{}));
  }
  EXPECT_EQ(resumed.logit_bias(), straight.logit_bias());
}

TEST(LogitBias, IsKeptInModelFiles) {
  const std::string path = ::testing::TempDir() + "with_bias.safetensors";
  const Clip model = with_bias(testing::tiny_vit(), 1);
  model->logit_bias.data().fill_(-7.5);
  save_clip(path, *model);
  const Clip loaded = load_clip(path);
  EXPECT_EQ(loaded->config(), model->config());
  EXPECT_EQ(value_of(loaded->logit_bias), -7.5);
  EXPECT_EQ(value_of(loaded->logit_scale), value_of(model->logit_scale));
  const Weights weights = read_weights(path);
  EXPECT_TRUE(config_of({.tensors = weights.tensors}).logit_bias)
      << "the weights tell by themselves";
  std::remove(path.c_str());
}

TEST(LogitBias, IsNotInTheFilesOfModelsWithoutOne) {
  const std::string path = ::testing::TempDir() + "without_bias.safetensors";
  const Clip model(testing::tiny_vit(), 1);
  save_clip(path, *model);
  const Weights weights = read_weights(path);
  EXPECT_FALSE(weights.tensors.contains("logit_bias"));
  EXPECT_EQ(weights.metadata.at("clip_config").find("logit_bias"), std::string::npos);
  Clip loaded = load_clip(path);
  EXPECT_FALSE(loaded->config().logit_bias);
  add_loss_parameters(*loaded, LossKind::infonce);
  EXPECT_FALSE(loaded->logit_bias.defined());
  add_loss_parameters(*loaded, LossKind::siglip);
  EXPECT_EQ(value_of(loaded->logit_bias), -10);
  std::remove(path.c_str());
}

TEST(LogitBias, StaysAsItIsUnderALossThatHasNone) {
  const DrawnPairs pairs(testing::tiny_vit(), 4, 7);
  ClipEncoder encoder(with_bias(testing::tiny_vit(), 1));
  (void)encoder.train_step(pairs.images(), pairs.texts());
  EXPECT_EQ(encoder.logit_bias(), -10);
  std::stringstream saved;
  encoder.save(saved);
  encoder.load(saved);
}

TEST(LogitBias, IsMissedByALossThatLearnsOne) {
  ClipEncoder encoder(Clip(testing::tiny_vit(), 1));
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)bound_loss(SigLip{}, encoder); }),
            "model for a loss with a learnt bias: expected one with a logit_bias, which "
            "add_logit_bias() gives it, got one without");
}

TEST(LossKind, HasANameAndALoss) {
  for (const LossKind kind : {LossKind::infonce, LossKind::siglip}) {
    EXPECT_EQ(pairs::enum_named<LossKind>(pairs::name_of(kind)), kind);
  }
  EXPECT_EQ(pairs::enum_named<LossKind>("siglip"), LossKind::siglip);
  EXPECT_EQ(pairs::enum_named<LossKind>("triplet"), std::nullopt);
  const auto learns_a_bias = [](LossKind kind) {
    return with_loss_of(kind, [](auto loss) { return requires { loss.bias; }; });
  };
  EXPECT_TRUE(learns_a_bias(LossKind::siglip));
  EXPECT_FALSE(learns_a_bias(LossKind::infonce));
}

}  // namespace
}  // namespace unlearn::clip
