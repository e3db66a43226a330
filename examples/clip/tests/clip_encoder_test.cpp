// SPDX-License-Identifier: Apache-2.0
#include "clip/encoder/clip_encoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "clip/model/weights.hpp"
#include "message_of.hpp"
#include "tiny_clip.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/loss_pullback.hpp"

namespace unlearn::clip {
namespace {

using testing::DrawnPairs, testing::relative_difference, testing::message_of;

/// The gradients of the pairs' loss by one of the towers, as rows.
Matrix image_gradient(ClipEncoder& encoder, const auto& images, const TokenBatch& texts) {
  const Matrix fixed = encoder.encode_texts(texts);
  LossPullback pullback(InfoNce{}, fixed, encoder.logit_scale());
  Matrix gradient(images.size(), images.elements());
  encoder.signal_gradient(images, pullback, View<float, 2>(gradient));
  return gradient;
}

Matrix token_gradient(ClipEncoder& encoder, const DrawnPairs& pairs) {
  const Matrix fixed = encoder.encode_signals(pairs.images());
  LossPullback pullback(InfoNce{}, fixed, encoder.logit_scale());
  const auto width = static_cast<std::size_t>(encoder.model()->config().transformer_width);
  Matrix gradient(pairs.rows, 3 * width);
  encoder.text_gradient(pairs.texts(), pullback,
                        View<float, 3>(gradient.data(), {pairs.rows, 3, width}));
  return gradient;
}

class EncodersOf : public ::testing::TestWithParam<ClipConfig> {};

INSTANTIATE_TEST_SUITE_P(Towers, EncodersOf,
                         ::testing::Values(testing::tiny_resnet(), testing::tiny_vit()),
                         [](const auto& tower) {
                           return std::string(tower.param.is_resnet() ? "ResNet" : "ViT");
                         });

TEST_P(EncodersOf, BytesAndFloatsAreTheSameImages) {
  ClipEncoder encoder(Clip(GetParam(), 1));
  const DrawnPairs pairs(GetParam(), 5, 2);
  EXPECT_LT(relative_difference(encoder.encode_signals(pairs.images()),
                                encoder.encode_signals(pairs.real_images())),
            1e-5);
  EXPECT_LT(relative_difference(image_gradient(encoder, pairs.images(), pairs.texts()),
                                image_gradient(encoder, pairs.real_images(), pairs.texts())),
            1e-3);
}

TEST_P(EncodersOf, MicroBatchesChangeNothing) {
  const DrawnPairs pairs(GetParam(), 7, 3);
  const Clip model(GetParam(), 1);
  ClipEncoder at_once(model);
  ClipEncoder row_by_row(model, {.memory_bytes = 1, .texts_per_pass = 2});
  EXPECT_LT(relative_difference(row_by_row.encode_signals(pairs.images()),
                                at_once.encode_signals(pairs.images())),
            1e-5);
  EXPECT_LT(relative_difference(row_by_row.encode_texts(pairs.texts()),
                                at_once.encode_texts(pairs.texts())),
            1e-5);
  EXPECT_LT(relative_difference(image_gradient(row_by_row, pairs.images(), pairs.texts()),
                                image_gradient(at_once, pairs.images(), pairs.texts())),
            1e-4);
  EXPECT_LT(relative_difference(token_gradient(row_by_row, pairs), token_gradient(at_once, pairs)),
            1e-4);
}

TEST_P(EncodersOf, Bfloat16IsRightToThreeDigits) {
  const DrawnPairs pairs(GetParam(), 7, 3);
  const Clip model(GetParam(), 1);
  ClipEncoder exact(model);
  ClipEncoder fast(model, {.precision = Precision::bfloat16});
  const double images = relative_difference(fast.encode_signals(pairs.images()),
                                            exact.encode_signals(pairs.images()));
  const double texts =
      relative_difference(fast.encode_texts(pairs.texts()), exact.encode_texts(pairs.texts()));
  EXPECT_LT(images, 3e-2);
  EXPECT_LT(texts, 3e-2);
  EXPECT_GT(images + texts, 0);
  const Matrix gradient = image_gradient(exact, pairs.images(), pairs.texts());
  EXPECT_LT((image_gradient(fast, pairs.images(), pairs.texts()) - gradient).norm(),
            0.2F * gradient.norm());
}

TEST_P(EncodersOf, TextsAreAsTheModelGivesThemAtFullLength) {
  Clip model(GetParam(), 1);
  ClipEncoder encoder(model);
  const DrawnPairs pairs(GetParam(), 9, 4);
  const torch::NoGradGuard no_gradient;
  const at::Tensor whole =
      model->encode_texts(as_tensor(pairs.texts().tokens).to(at::kLong)).contiguous();
  EXPECT_LT(relative_difference(encoder.encode_texts(pairs.texts()),
                                as_eigen(view_of<const float, 2>(whole))),
            1e-5);
}

TEST_P(EncodersOf, ImageGradientsAreThoseOfDifferences) {
  ClipEncoder encoder(Clip(GetParam(), 1));
  DrawnPairs pairs(GetParam(), 3, 5);
  const Matrix gradient = image_gradient(encoder, pairs.real_images(), pairs.texts());
  const Matrix texts = encoder.encode_texts(pairs.texts());
  const auto loss = [&] {
    return info_nce_value(encoder.encode_signals(pairs.real_images()), texts,
                          encoder.logit_scale());
  };
  // Along the gradient itself, where the difference stands out from the rounding of floats.
  const float norm = gradient.norm();
  const std::vector<float> start = pairs.real;
  constexpr float step = 1e-2F;
  const auto move = [&](float by) {
    for (std::size_t i = 0; i < start.size(); ++i) {
      pairs.real[i] = start[i] + by * gradient.data()[i] / norm;
    }
    return loss();
  };
  const double slope = (move(step) - move(-step)) / (2 * step);
  EXPECT_NEAR(slope / static_cast<double>(norm), 1, 2e-2);
}

TEST_P(EncodersOf, GradientsAskForNoneOfTheParameters) {
  ClipEncoder encoder(Clip(GetParam(), 1));
  const DrawnPairs pairs(GetParam(), 3, 6);
  (void)image_gradient(encoder, pairs.images(), pairs.texts());
  (void)token_gradient(encoder, pairs);
  for (const auto& parameter : encoder.model()->named_parameters()) {
    EXPECT_FALSE(parameter.value().requires_grad()) << parameter.key();
    EXPECT_FALSE(parameter.value().grad().defined()) << parameter.key();
  }
}

TEST_P(EncodersOf, FittingLearnsThePairs) {
  ClipEncoder encoder(Clip(GetParam(), 1), {.optimizer = {.learning_rate = {.rate = 2e-3}}});
  const DrawnPairs pairs(GetParam(), 8, 7);
  const double before = encoder.train_step(pairs.images(), pairs.texts());
  double after = before;
  for (int step = 0; step < 30; ++step) after = encoder.train_step(pairs.images(), pairs.texts());
  EXPECT_GT(before, 1.5);
  EXPECT_LT(after, before / 4);
  EXPECT_EQ(encoder.optimizer().steps(), 31U);
}

/// `train_step` groups its texts by length; its gradients are those of all texts at full length, at
/// once. After one step the first moments are 1 − β₁ times the gradients.
TEST_P(EncodersOf, FittingFollowsTheGradientsOfWholeTexts) {
  const DrawnPairs pairs(GetParam(), 11, 7);
  ClipEncoder encoder(Clip(GetParam(), 1));
  const double scale = encoder.logit_scale();
  const double loss = encoder.train_step(pairs.real_images(), pairs.texts());
  std::stringstream saved;
  encoder.save(saved);
  const StateDict moments = read_tensors(saved, "saved state").tensors;

  Clip model(GetParam(), 1);
  model->train();
  const std::int64_t side = GetParam().image_resolution;
  const at::Tensor pixels = as_tensor(pairs.real_images().clean).view({-1, side, side, 3});
  const auto channels = [](const std::array<float, 3>& values) {
    return at::tensor(at::ArrayRef<float>(values));
  };
  const at::Tensor normalised =
      (pixels - channels(clip_pixels.mean)) / channels(clip_pixels.deviation);
  const at::Tensor images = model->encode_images(normalised.permute({0, 3, 1, 2}));
  const at::Tensor texts = model->encode_texts(as_tensor(pairs.texts().tokens).to(at::kLong));
  const at::Tensor image_rows = images.detach().contiguous();
  const at::Tensor text_rows = texts.detach().contiguous();
  const auto expected =
      info_nce(view_of<const float, 2>(image_rows), view_of<const float, 2>(text_rows), scale);
  EXPECT_NEAR(loss, expected.value, 1e-4);
  torch::autograd::backward({images, texts},
                            {as_tensor(expected.grad_a), as_tensor(expected.grad_b)});
  for (const auto& parameter : model->named_parameters()) {
    if (parameter.key() == "logit_scale") continue;
    const at::Tensor gradient = parameter.value().grad();
    const at::Tensor found = moments.at("exp_avg." + parameter.key()) / 0.1;
    // A key's bias has no say in the attention: its gradient is rounding alone.
    EXPECT_LT((found - gradient).norm().item<double>(),
              1e-3 * gradient.norm().item<double>() + 1e-6)
        << parameter.key();
  }
}

TEST_P(EncodersOf, FittingDropsItsGradientsAndLeavesEvaluationMode) {
  ClipEncoder encoder(Clip(GetParam(), 1));
  const DrawnPairs pairs(GetParam(), 4, 7);
  (void)encoder.train_step(pairs.images(), pairs.texts());
  EXPECT_FALSE(encoder.model()->is_training());
  for (const auto& parameter : encoder.model()->named_parameters()) {
    EXPECT_FALSE(parameter.value().grad().defined()) << parameter.key();
  }
}

TEST_P(EncodersOf, FittingChangesTheTokenEmbeddingsThatAreShown) {
  ClipEncoder encoder(Clip(GetParam(), 1));
  const DrawnPairs pairs(GetParam(), 4, 7);
  const Matrix before = as_eigen(encoder.token_embeddings());
  (void)encoder.train_step(pairs.images(), pairs.texts());
  EXPECT_GT((as_eigen(encoder.token_embeddings()) - before).cwiseAbs().maxCoeff(), 0);
}

TEST_P(EncodersOf, AreTheSameBytesEachTime) {
  const DrawnPairs pairs(GetParam(), 6, 8);
  const auto run = [&] {
    ClipEncoder encoder(Clip(GetParam(), 9));
    for (int step = 0; step < 3; ++step) (void)encoder.train_step(pairs.images(), pairs.texts());
    std::ostringstream out;
    encoder.save(out);
    return out.str();
  };
  EXPECT_TRUE(run() == run());
}

TEST_P(EncodersOf, GoOnFromASavedStateToTheSameBytes) {
  const DrawnPairs pairs(GetParam(), 6, 8);
  ClipEncoderOptions options;
  options.optimizer.learning_rate = {.rate = 1e-3, .steps = 6, .warmup = 2};
  ClipEncoder straight(Clip(GetParam(), 9), options);
  for (int step = 0; step < 3; ++step) (void)straight.train_step(pairs.images(), pairs.texts());
  std::stringstream saved;
  straight.save(saved);

  ClipEncoder resumed(Clip(GetParam(), 10), options);
  (void)resumed.train_step(pairs.images(), pairs.texts());
  resumed.load(saved);
  EXPECT_EQ(resumed.optimizer().steps(), 3U);
  for (int step = 0; step < 3; ++step) {
    EXPECT_EQ(straight.train_step(pairs.images(), pairs.texts()),
              resumed.train_step(pairs.images(), pairs.texts()));
  }
  std::ostringstream a;
  std::ostringstream b;
  straight.save(a);
  resumed.save(b);
  EXPECT_TRUE(a.str() == b.str());
}

TEST(ClipEncoder, RefusesADamagedState) {
  ClipEncoder encoder(Clip(testing::tiny_vit(), 1));
  std::ostringstream out;
  encoder.save(out);
  const std::string whole = out.str();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, whole.size() / 2, whole.size() - 1}) {
    std::istringstream cut(whole.substr(0, size));
    EXPECT_THROW(encoder.load(cut), FileError) << size;
  }
  std::ostringstream other;
  ClipEncoder(Clip(testing::tiny_resnet(), 1)).save(other);
  std::istringstream in(other.str());
  EXPECT_THAT(message_of<FileError>([&] { encoder.load(in); }),
              ::testing::HasSubstr("visual.class_embedding"));
  std::ostringstream after;
  encoder.save(after);
  EXPECT_TRUE(after.str() == whole);
}

TEST(ClipEncoder, NamesWhatDoesNotFit) {
  const ClipConfig config = testing::tiny_vit();
  ClipEncoder encoder(Clip(config, 1));
  ClipConfig larger = config;
  larger.image_resolution = 64;
  const DrawnPairs wrong(larger, 2, 1);
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)encoder.encode_signals(wrong.images()); }),
            "numbers in an image for this CLIP model: expected 3072, got 12288");

  DrawnPairs pairs(config, 2, 1);
  pairs.tokens[1] = 50;
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)encoder.encode_texts(pairs.texts()); }),
            "token given to a CLIP model: expected 0 to 50 (exclusive), got 50");

  ClipConfig longer = config;
  longer.context_length = 40;
  const DrawnPairs texts(longer, 20, 1);
  EXPECT_THAT(message_of<InvalidArgument>([&] { (void)encoder.encode_texts(texts.texts()); }),
              ::testing::HasSubstr("expected at most 12"));
}

TEST(ClipEncoder, TakesNoStepOnALossThatIsNotFinite) {
  ClipEncoder encoder(Clip(testing::tiny_vit(), 1));
  DrawnPairs pairs(testing::tiny_vit(), 3, 1);
  pairs.real[0] = std::numeric_limits<float>::quiet_NaN();
  std::ostringstream before;
  encoder.save(before);
  EXPECT_TRUE(std::isnan(encoder.train_step(pairs.real_images(), pairs.texts())));
  std::ostringstream after;
  encoder.save(after);
  EXPECT_TRUE(before.str() == after.str());
}

TEST(ClipEncoder, KeepsTheLogitScaleInItsRange) {
  Clip model(testing::tiny_vit(), 1);
  ClipEncoder encoder(model, {.optimizer = {.learning_rate = {.rate = 1e-3}}});
  const DrawnPairs pairs(testing::tiny_vit(), 3, 1);
  model->logit_scale.fill_(7);
  (void)encoder.train_step(pairs.images(), pairs.texts());
  EXPECT_FLOAT_EQ(static_cast<float>(encoder.logit_scale()), 100);
  model->logit_scale.fill_(-1);
  (void)encoder.train_step(pairs.images(), pairs.texts());
  EXPECT_FLOAT_EQ(static_cast<float>(encoder.logit_scale()), 1);
}

}  // namespace
}  // namespace unlearn::clip
