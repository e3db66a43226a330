// SPDX-License-Identifier: Apache-2.0
#include "unlearn/interop/xtensor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>
#include <xtensor/xarray.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xtensor.hpp>

#include "unlearn/core/error.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// A function like the library's: it takes a view of any container.
const float* address_of(View<const float, 2> matrix) { return matrix.data(); }
void fill(View<float, 2> matrix, float value) {
  for (float& element : matrix.flat()) element = value;
}

TEST(Xtensor, PassesWhereAViewIsWanted) {
  xt::xtensor<float, 2> tensor{{1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(address_of(tensor), tensor.data());
  const View<const float, 2> view = tensor;
  EXPECT_THAT(view.extents(), ElementsAre(2, 3));
  EXPECT_EQ(view[1][2], 6);

  fill(tensor, 7);
  EXPECT_EQ(tensor(1, 2), 7);
}

TEST(Xtensor, PassesAFixedTensor) {
  xt::xtensor_fixed<float, xt::xshape<2, 3>> tensor{{1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(address_of(tensor), tensor.data());
  EXPECT_EQ(as_view(tensor)[1][0], 4);
}

TEST(Xtensor, PassesAnAdaptor) {
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  auto tensor = xt::adapt(numbers, std::array<std::size_t, 2>{3, 2});
  EXPECT_EQ(address_of(tensor), numbers.data());
  EXPECT_EQ(as_view(tensor)[2][1], 6);
}

TEST(Xtensor, PassesEmptyAndSingletonTensors) {
  const xt::xtensor<float, 3> empty(std::array<std::size_t, 3>{2, 0, 3});
  EXPECT_THAT((View<const float, 3>(empty).extents()), ElementsAre(2, 0, 3));
  const xt::xtensor<float, 3> thin{{{1}, {2}}, {{3}, {4}}};
  EXPECT_THAT((View<const float, 3>(thin).extents()), ElementsAre(2, 2, 1));
  EXPECT_EQ((View<const float, 3>(thin)[1][0][0]), 3);
}

TEST(Xtensor, KeepsElementTypeAndConstness) {
  using Tensor = xt::xtensor<std::uint8_t, 3>;
  static_assert(std::same_as<view_of_t<Tensor>, View<std::uint8_t, 3>>);
  static_assert(std::same_as<view_of_t<const Tensor>, View<const std::uint8_t, 3>>);
  static_assert(!std::convertible_to<const Tensor&, View<std::uint8_t, 3>>);
  static_assert(!std::convertible_to<Tensor&, View<const std::int8_t, 3>>);
  static_assert(!std::convertible_to<Tensor&, View<const std::uint8_t, 2>>);
  static_assert(!Viewable<std::vector<float>>, "a vector has no extents");
}

TEST(Xtensor, ChecksARankThatOnlyTheRunKnows) {
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  auto array = xt::adapt(numbers, std::vector<std::size_t>{2, 3});
  const auto view = view_of_rank<2>(array);
  static_assert(std::same_as<decltype(view), const View<float, 2>>);
  EXPECT_EQ(view.data(), array.data());
  EXPECT_THAT(view.extents(), ElementsAre(2, 3));
  EXPECT_THAT(
      [&] { (void)view_of_rank<3>(array); },
      ThrowsMessage<InvalidArgument>(HasSubstr("rank of an xtensor container: expected 3, got 2")));
}

TEST(Xtensor, ChecksTheLayoutThatOnlyTheRunKnows) {
  const std::array<std::size_t, 2> shape{2, 3};
  xt::xtensor<float, 2, xt::layout_type::dynamic> rows(shape, xt::layout_type::row_major);
  EXPECT_EQ(address_of(rows), rows.data());
  const xt::xtensor<float, 2, xt::layout_type::dynamic> columns(shape,
                                                                xt::layout_type::column_major);
  const auto message = ThrowsMessage<InvalidArgument>(
      HasSubstr("stride 1 of an xtensor container: expected 1, got 2"));
  EXPECT_THAT([&] { (void)as_view(columns); }, message);
}

TEST(Xtensor, RejectsAnAdaptorWithGaps) {
  std::vector<float> numbers(8);
  const auto padded =
      xt::adapt(numbers, std::array<std::size_t, 2>{2, 3}, std::array<std::ptrdiff_t, 2>{4, 1});
  EXPECT_THAT([&] { (void)as_view(padded); },
              ThrowsMessage<InvalidArgument>(
                  HasSubstr("stride 0 of an xtensor container: expected 3, got 4")));
}

TEST(AsXtensor, SharesTheViewsElements) {
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  const View<float, 3> view(numbers, {1, 2, 3});
  auto tensor = as_xtensor(view);
  EXPECT_EQ(tensor.data(), numbers.data());
  EXPECT_THAT(tensor.shape(), ElementsAre(1, 2, 3));
  EXPECT_EQ(tensor(0, 1, 0), 4);
  tensor += 1;
  EXPECT_THAT(numbers, ElementsAre(2, 3, 4, 5, 6, 7));
}

TEST(AsXtensor, ReadsAConstView) {
  const std::vector<float> numbers{1, 2, 3, 4};
  const auto tensor = as_xtensor(View<const float, 2>(numbers, {2, 2}));
  EXPECT_EQ(tensor.data(), numbers.data());
  EXPECT_EQ(tensor(1, 0), 3);
  EXPECT_EQ(xt::sum(tensor)(), 10);
}

TEST(AsXtensor, TakesContainersOfOthersAndGivesThemBack) {
  Matrix matrix(2, 3);
  matrix << 1, 2, 3, 4, 5, 6;
  auto tensor = as_xtensor(matrix);
  EXPECT_EQ(tensor.data(), matrix.data());
  EXPECT_EQ(as_eigen(tensor), matrix);
  EXPECT_EQ(address_of(tensor), matrix.data());
}

}  // namespace
}  // namespace unlearn
