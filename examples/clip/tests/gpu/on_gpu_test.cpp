// SPDX-License-Identifier: Apache-2.0
// What the adapter does on a GPU with views of its memory, against the same with the host's.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/model.hpp"
#include "tiny_clip.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/interop/torch.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"

namespace unlearn {
namespace {

using clip::Clip;
using clip::ClipEncoder;

class OnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "LibTorch knows no GPU here";
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setAllowTF32CuDNN(false);
  }

  /// The same numbers in the GPU's memory.
  template <class T>
  at::Tensor there(View<const T, 2> numbers) {
    return as_tensor(numbers).to(at::kCUDA);
  }

  template <class T>
  static View<T, 2> view_there(const at::Tensor& tensor, View<const T, 2> like) {
    return {static_cast<T*>(tensor.data_ptr()), like.extents()};
  }

  const testing::DrawnPairs pairs_{testing::tiny_resnet(), 6, 3};
};

TEST_F(OnGpu, SignalsOnTheDeviceGiveWhatTheHostsGive) {
  Clip model(testing::tiny_resnet(), 1);
  ClipEncoder moving(model, {.device = at::kCUDA});
  ClipEncoder staying(model, {.device = at::kCUDA, .signals_on_device = true});
  const PixelBatch here = pairs_.images();
  const at::Tensor clean = there(here.clean);
  const at::Tensor noise = there(here.noise);
  const PixelBatch batch{.clean = view_there<std::uint8_t>(clean, here.clean),
                         .noise = view_there<std::int8_t>(noise, here.noise)};
  EXPECT_EQ(staying.encode_signals(batch), moving.encode_signals(here));

  const Matrix texts = moving.encode_texts(pairs_.texts());
  const auto gradient_of = [&](ClipEncoder& encoder, const PixelBatch& pixels, View<float, 2> out) {
    LossPullback pullback(InfoNce{}, texts, 10.0);
    encoder.signal_gradient(pixels, pullback, out);
    return pullback.value();
  };
  Matrix expected(here.size(), here.elements());
  const at::Tensor found = at::zeros(as_tensor(expected).sizes(), at::kCUDA);
  const double value = gradient_of(moving, here, View<float, 2>(expected));
  EXPECT_EQ(gradient_of(staying, batch,
                        {static_cast<float*>(found.data_ptr()), {here.size(), here.elements()}}),
            value);
  EXPECT_TRUE(found.cpu().equal(as_tensor(expected)));
  EXPECT_GT(found.abs().max().item<double>(), 0);
}

TEST_F(OnGpu, LearnsFromSignalsOnTheDevice) {
  const PixelBatch here = pairs_.images();
  const at::Tensor clean = there(here.clean);
  const at::Tensor noise = there(here.noise);
  ClipEncoder moving(Clip(testing::tiny_resnet(), 1), {.device = at::kCUDA});
  ClipEncoder staying(Clip(testing::tiny_resnet(), 1),
                      {.device = at::kCUDA, .signals_on_device = true});
  for (int step = 0; step < 3; ++step) {
    const double expected = moving.train_step(here, pairs_.texts());
    const PixelBatch batch{.clean = view_there<std::uint8_t>(clean, here.clean),
                           .noise = view_there<std::int8_t>(noise, here.noise)};
    EXPECT_NEAR(staying.train_step(batch, pairs_.texts()), expected, 1e-3 * expected);
  }
}

TEST_F(OnGpu, RanksTokensAsTheLibraryDoes) {
  Clip model(testing::tiny_resnet(), 1);
  ClipEncoder encoder(model, {.device = at::kCUDA});
  const at::Tensor gradients = at::randn({6, 1, 24});
  const TokenFilter filter(50);
  const HotFlipCandidateSearch search{.candidates = 8, .spares = 0};
  for (int round = 0; round < 2; ++round) {
    const auto expected =
        search(sequential, view_of<const float, 3>(gradients), encoder.token_embeddings(), filter);
    const auto found = search(encoder, view_of<const float, 3>(gradients), filter);
    for (std::size_t i = 0; i < expected.scores().size(); ++i) {
      EXPECT_NEAR(found.scores().flat()[i], expected.scores().flat()[i], 1e-4);
    }
    // The table is another one after a step.
    (void)encoder.train_step(pairs_.images(), pairs_.texts());
  }
}

}  // namespace
}  // namespace unlearn
