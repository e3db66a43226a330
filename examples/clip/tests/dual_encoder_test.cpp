// SPDX-License-Identifier: Apache-2.0
#include "clip/dual_encoder.hpp"

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

#include "clip/weights.hpp"
#include "message_of.hpp"
#include "tiny_clip.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/pull.hpp"

namespace unlearn::clip {
namespace {

using testing::DrawnPairs, testing::relative_difference, testing::message_of;

/// The gradients of the pairs' loss by one of the towers, as rows.
Matrix picture_gradient(DualEncoder& encoder, const auto& pictures, const TokenBatch& texts) {
  const Matrix fixed = encoder.encode_texts(texts);
  Pull pull(InfoNce{}, fixed, encoder.logit_scale());
  Matrix gradient(pictures.size(), pictures.elements());
  encoder.signal_gradient(pictures, pull, View<float, 2>(gradient));
  return gradient;
}

Matrix token_gradient(DualEncoder& encoder, const DrawnPairs& pairs) {
  const Matrix fixed = encoder.encode_signals(pairs.pictures());
  Pull pull(InfoNce{}, fixed, encoder.logit_scale());
  const auto width = static_cast<std::size_t>(encoder.model()->config().transformer_width);
  Matrix gradient(pairs.rows, 3 * width);
  encoder.text_gradient(pairs.texts(), pull,
                        View<float, 3>(gradient.data(), {pairs.rows, 3, width}));
  return gradient;
}

class EncodersOf : public ::testing::TestWithParam<ClipConfig> {};

INSTANTIATE_TEST_SUITE_P(Towers, EncodersOf,
                         ::testing::Values(testing::tiny_resnet(), testing::tiny_vit()),
                         [](const auto& tower) {
                           return std::string(tower.param.is_resnet() ? "ResNet" : "ViT");
                         });

TEST_P(EncodersOf, BytesAndFloatsAreTheSamePictures) {
  DualEncoder encoder(Clip(GetParam(), 1));
  const DrawnPairs pairs(GetParam(), 5, 2);
  EXPECT_LT(relative_difference(encoder.encode_signals(pairs.pictures()),
                                encoder.encode_signals(pairs.real_pictures())),
            1e-5);
  EXPECT_LT(relative_difference(picture_gradient(encoder, pairs.pictures(), pairs.texts()),
                                picture_gradient(encoder, pairs.real_pictures(), pairs.texts())),
            1e-3);
}

TEST_P(EncodersOf, MicroBatchesChangeNothing) {
  const DrawnPairs pairs(GetParam(), 7, 3);
  const Clip model(GetParam(), 1);
  DualEncoder at_once(model);
  DualEncoder row_by_row(model, {.memory_bytes = 1, .texts_per_pass = 2});
  EXPECT_LT(relative_difference(row_by_row.encode_signals(pairs.pictures()),
                                at_once.encode_signals(pairs.pictures())),
            1e-5);
  EXPECT_LT(relative_difference(row_by_row.encode_texts(pairs.texts()),
                                at_once.encode_texts(pairs.texts())),
            1e-5);
  EXPECT_LT(relative_difference(picture_gradient(row_by_row, pairs.pictures(), pairs.texts()),
                                picture_gradient(at_once, pairs.pictures(), pairs.texts())),
            1e-4);
  EXPECT_LT(relative_difference(token_gradient(row_by_row, pairs), token_gradient(at_once, pairs)),
            1e-4);
}

TEST_P(EncodersOf, Bfloat16IsRightToThreeDigits) {
  const DrawnPairs pairs(GetParam(), 7, 3);
  const Clip model(GetParam(), 1);
  DualEncoder exact(model);
  DualEncoder fast(model, {.precision = Precision::bfloat16});
  const double pictures = relative_difference(fast.encode_signals(pairs.pictures()),
                                              exact.encode_signals(pairs.pictures()));
  const double texts =
      relative_difference(fast.encode_texts(pairs.texts()), exact.encode_texts(pairs.texts()));
  EXPECT_LT(pictures, 3e-2);
  EXPECT_LT(texts, 3e-2);
  EXPECT_GT(pictures + texts, 0);
  const Matrix gradient = picture_gradient(exact, pairs.pictures(), pairs.texts());
  EXPECT_LT((picture_gradient(fast, pairs.pictures(), pairs.texts()) - gradient).norm(),
            0.2F * gradient.norm());
}

TEST_P(EncodersOf, TextsAreAsTheModelGivesThemAtFullLength) {
  Clip model(GetParam(), 1);
  DualEncoder encoder(model);
  const DrawnPairs pairs(GetParam(), 9, 4);
  const torch::NoGradGuard no_gradient;
  const at::Tensor whole =
      model->encode_texts(as_tensor(pairs.texts().tokens).to(at::kLong)).contiguous();
  EXPECT_LT(relative_difference(encoder.encode_texts(pairs.texts()),
                                as_eigen(view_of<const float, 2>(whole))),
            1e-5);
}

TEST_P(EncodersOf, PictureGradientsAreThoseOfDifferences) {
  DualEncoder encoder(Clip(GetParam(), 1));
  DrawnPairs pairs(GetParam(), 3, 5);
  const Matrix gradient = picture_gradient(encoder, pairs.real_pictures(), pairs.texts());
  const Matrix texts = encoder.encode_texts(pairs.texts());
  const auto loss = [&] {
    return info_nce_value(encoder.encode_signals(pairs.real_pictures()), texts,
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
  DualEncoder encoder(Clip(GetParam(), 1));
  const DrawnPairs pairs(GetParam(), 3, 6);
  (void)picture_gradient(encoder, pairs.pictures(), pairs.texts());
  (void)token_gradient(encoder, pairs);
  for (const auto& parameter : encoder.model()->named_parameters()) {
    EXPECT_FALSE(parameter.value().requires_grad()) << parameter.key();
    EXPECT_FALSE(parameter.value().grad().defined()) << parameter.key();
  }
}

TEST_P(EncodersOf, FittingLearnsThePairs) {
  DualEncoder encoder(Clip(GetParam(), 1), {.optimizer = {.learning_rate = {.rate = 2e-3}}});
  const DrawnPairs pairs(GetParam(), 8, 7);
  const double before = encoder.fit(pairs.pictures(), pairs.texts());
  double after = before;
  for (int step = 0; step < 30; ++step) after = encoder.fit(pairs.pictures(), pairs.texts());
  EXPECT_GT(before, 1.5);
  EXPECT_LT(after, before / 4);
  EXPECT_EQ(encoder.optimizer().steps(), 31U);
}

/// `fit` groups its texts by length; its gradients are those of all texts at full length, at once.
/// After one step the first moments are 1 − β₁ times the gradients.
TEST_P(EncodersOf, FittingFollowsTheGradientsOfWholeTexts) {
  const DrawnPairs pairs(GetParam(), 11, 7);
  DualEncoder encoder(Clip(GetParam(), 1));
  const double scale = encoder.logit_scale();
  const double loss = encoder.fit(pairs.real_pictures(), pairs.texts());
  std::stringstream saved;
  encoder.save(saved);
  const StateDict moments = read_tensors(saved, "saved state").tensors;

  Clip model(GetParam(), 1);
  model->train();
  const std::int64_t side = GetParam().image_resolution;
  const at::Tensor pixels = as_tensor(pairs.real_pictures().clean).view({-1, side, side, 3});
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
  DualEncoder encoder(Clip(GetParam(), 1));
  const DrawnPairs pairs(GetParam(), 4, 7);
  (void)encoder.fit(pairs.pictures(), pairs.texts());
  EXPECT_FALSE(encoder.model()->is_training());
  for (const auto& parameter : encoder.model()->named_parameters()) {
    EXPECT_FALSE(parameter.value().grad().defined()) << parameter.key();
  }
}

TEST_P(EncodersOf, FittingChangesTheTokenEmbeddingsThatAreShown) {
  DualEncoder encoder(Clip(GetParam(), 1));
  const DrawnPairs pairs(GetParam(), 4, 7);
  const Matrix before = as_eigen(encoder.token_embeddings());
  (void)encoder.fit(pairs.pictures(), pairs.texts());
  EXPECT_GT((as_eigen(encoder.token_embeddings()) - before).cwiseAbs().maxCoeff(), 0);
}

TEST_P(EncodersOf, AreTheSameBytesEachTime) {
  const DrawnPairs pairs(GetParam(), 6, 8);
  const auto run = [&] {
    DualEncoder encoder(Clip(GetParam(), 9));
    for (int step = 0; step < 3; ++step) (void)encoder.fit(pairs.pictures(), pairs.texts());
    std::ostringstream out;
    encoder.save(out);
    return out.str();
  };
  EXPECT_TRUE(run() == run());
}

TEST_P(EncodersOf, GoOnFromASavedStateToTheSameBytes) {
  const DrawnPairs pairs(GetParam(), 6, 8);
  DualEncoderOptions options;
  options.optimizer.learning_rate = {.rate = 1e-3, .steps = 6, .warmup = 2};
  DualEncoder straight(Clip(GetParam(), 9), options);
  for (int step = 0; step < 3; ++step) (void)straight.fit(pairs.pictures(), pairs.texts());
  std::stringstream saved;
  straight.save(saved);

  DualEncoder resumed(Clip(GetParam(), 10), options);
  (void)resumed.fit(pairs.pictures(), pairs.texts());
  resumed.load(saved);
  EXPECT_EQ(resumed.optimizer().steps(), 3U);
  for (int step = 0; step < 3; ++step) {
    EXPECT_EQ(straight.fit(pairs.pictures(), pairs.texts()),
              resumed.fit(pairs.pictures(), pairs.texts()));
  }
  std::ostringstream a;
  std::ostringstream b;
  straight.save(a);
  resumed.save(b);
  EXPECT_TRUE(a.str() == b.str());
}

TEST(DualEncoder, RefusesADamagedState) {
  DualEncoder encoder(Clip(testing::tiny_vit(), 1));
  std::ostringstream out;
  encoder.save(out);
  const std::string whole = out.str();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, whole.size() / 2, whole.size() - 1}) {
    std::istringstream cut(whole.substr(0, size));
    EXPECT_THROW(encoder.load(cut), FileError) << size;
  }
  std::ostringstream other;
  DualEncoder(Clip(testing::tiny_resnet(), 1)).save(other);
  std::istringstream in(other.str());
  EXPECT_THAT(message_of<FileError>([&] { encoder.load(in); }),
              ::testing::HasSubstr("visual.class_embedding"));
  std::ostringstream after;
  encoder.save(after);
  EXPECT_TRUE(after.str() == whole);
}

TEST(DualEncoder, NamesWhatDoesNotFit) {
  const ClipConfig config = testing::tiny_vit();
  DualEncoder encoder(Clip(config, 1));
  ClipConfig larger = config;
  larger.image_resolution = 64;
  const DrawnPairs wrong(larger, 2, 1);
  EXPECT_EQ(message_of<InvalidArgument>([&] { (void)encoder.encode_signals(wrong.pictures()); }),
            "numbers in a picture for this CLIP model: expected 3072, got 12288");

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

TEST(DualEncoder, TakesNoStepOnALossThatIsNotFinite) {
  DualEncoder encoder(Clip(testing::tiny_vit(), 1));
  DrawnPairs pairs(testing::tiny_vit(), 3, 1);
  pairs.real[0] = std::numeric_limits<float>::quiet_NaN();
  std::ostringstream before;
  encoder.save(before);
  EXPECT_TRUE(std::isnan(encoder.fit(pairs.real_pictures(), pairs.texts())));
  std::ostringstream after;
  encoder.save(after);
  EXPECT_TRUE(before.str() == after.str());
}

TEST(DualEncoder, KeepsTheLogitScaleInItsRange) {
  Clip model(testing::tiny_vit(), 1);
  DualEncoder encoder(model, {.optimizer = {.learning_rate = {.rate = 1e-3}}});
  const DrawnPairs pairs(testing::tiny_vit(), 3, 1);
  model->logit_scale.fill_(7);
  (void)encoder.fit(pairs.pictures(), pairs.texts());
  EXPECT_FLOAT_EQ(static_cast<float>(encoder.logit_scale()), 100);
  model->logit_scale.fill_(-1);
  (void)encoder.fit(pairs.pictures(), pairs.texts());
  EXPECT_FLOAT_EQ(static_cast<float>(encoder.logit_scale()), 1);
}

}  // namespace
}  // namespace unlearn::clip
