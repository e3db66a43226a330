// SPDX-License-Identifier: Apache-2.0
#include "unlearn/interop/torch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "message_of.hpp"
#include "unlearn/contrast/info_nce.hpp"

namespace unlearn {
namespace {

using testing::message_of;

TEST(Torch, ATensorIsSeenWithoutACopy) {
  const at::Tensor tensor = at::arange(6, at::kFloat).view({2, 3});
  const auto view = view_of<float, 2>(tensor);
  EXPECT_EQ(view.extents(), (std::array<std::size_t, 2>{2, 3}));
  EXPECT_EQ(view[1][2], 5);
  view[1][2] = 7;
  EXPECT_EQ(tensor[1][2].item<float>(), 7);
}

TEST(Torch, AViewIsATensorWithoutACopy) {
  std::vector<std::int8_t> numbers{1, 2, 3, 4};
  const at::Tensor tensor = as_tensor(View<std::int8_t, 2>(numbers.data(), {2, 2}));
  EXPECT_EQ(tensor.scalar_type(), at::kChar);
  EXPECT_EQ(tensor[1][0].item<int>(), 3);
  numbers[2] = 9;
  EXPECT_EQ(tensor[1][0].item<int>(), 9);
  const Matrix matrix = Matrix::Ones(2, 5);
  EXPECT_EQ(as_tensor(matrix).sizes(), (std::vector<std::int64_t>{2, 5}));
}

TEST(Torch, NamesWhatCannotBeSeen) {
  const auto message = [](const at::Tensor& tensor) {
    return message_of<InvalidArgument>([&] { (void)view_of<const float, 2>(tensor); });
  };
  EXPECT_EQ(message(at::zeros({2, 2}, at::kDouble)),
            "element type of a tensor to be viewed: expected Float, got Double");
  EXPECT_EQ(message(at::zeros({2})), "dimensions of a tensor to be viewed: expected 2, got 1");
  EXPECT_EQ(
      message(at::zeros({2, 3}).t()),
      "layout of a tensor to be viewed: expected dense and row-major, got a tensor with other "
      "strides");
  EXPECT_EQ(message(at::Tensor()),
            "tensor to be viewed: expected a defined one, got an undefined one");
}

TEST(Torch, APulledGradientIsATensorOfItsOwn) {
  const Matrix fixed = Matrix::Random(3, 4);
  const at::Tensor embeddings = at::randn({3, 4});
  LossPullback pullback(InfoNce{}, fixed, 10);
  const at::Tensor gradient = pull_back(pullback, embeddings);
  const auto expected = info_nce(view_of<const float, 2>(embeddings), fixed, 10);
  EXPECT_TRUE(at::equal(gradient, as_tensor(expected.grad_a)));
  EXPECT_EQ(pullback.value(), expected.value);
  const at::Tensor half = pull_back(pullback, embeddings.to(at::kBFloat16));
  EXPECT_EQ(half.scalar_type(), at::kBFloat16);
}

}  // namespace
}  // namespace unlearn
