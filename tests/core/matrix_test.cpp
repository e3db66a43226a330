// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/matrix.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Core>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {
namespace {

using ::testing::ElementsAre;
using ::testing::StrEq;
using ::testing::ThrowsMessage;

/// Functions like the library's: they take a view of any container.
const float* address_of(View<const float, 2> matrix) { return matrix.data(); }
std::array<std::size_t, 2> extents_of(View<const float, 2> matrix) { return matrix.extents(); }
void fill(View<float, 2> matrix, float value) {
  for (float& element : matrix.flat()) element = value;
}

TEST(Eigen, MatricesPassWhereAViewIsWanted) {
  Matrix matrix(2, 3);
  matrix << 1, 2, 3, 4, 5, 6;
  EXPECT_EQ(address_of(matrix), matrix.data());
  EXPECT_THAT(extents_of(matrix), ElementsAre(2, 3));
  EXPECT_EQ(as_view(matrix)[1][0], 4);

  fill(matrix, 7);
  EXPECT_EQ(matrix, Matrix::Constant(2, 3, 7));
}

TEST(Eigen, FixedSizesAndArraysPass) {
  const Eigen::Matrix<float, 2, 3, Eigen::RowMajor> fixed{{1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(address_of(fixed), fixed.data());
  EXPECT_THAT(extents_of(fixed), ElementsAre(2, 3));
  const Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> array(4, 2);
  EXPECT_EQ(address_of(array), array.data());
  EXPECT_THAT(extents_of(array), ElementsAre(4, 2));
}

TEST(Eigen, VectorsPassAsOneRowOrOneColumn) {
  const Eigen::VectorXf column(3);
  EXPECT_EQ(address_of(column), column.data());
  EXPECT_THAT(extents_of(column), ElementsAre(3, 1));
  const Eigen::RowVectorXf row(3);
  EXPECT_THAT(extents_of(row), ElementsAre(1, 3));
}

TEST(Eigen, MapsAndWholeRowsPass) {
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  Eigen::Map<Matrix> map(numbers.data(), 3, 2);
  EXPECT_EQ(address_of(map), numbers.data());
  fill(map, 8);
  EXPECT_THAT(numbers, ElementsAre(8, 8, 8, 8, 8, 8));

  const Eigen::Map<const Matrix> readable(numbers.data(), 3, 2);
  EXPECT_EQ(address_of(readable), numbers.data());
  EXPECT_EQ(address_of(readable.middleRows(1, 2)), numbers.data() + 2);
}

TEST(Eigen, RowsWithGapsBetweenThemDoNotPass) {
  std::vector<float> numbers(8);
  const Eigen::Map<Matrix, Eigen::Unaligned, Eigen::OuterStride<>> padded(numbers.data(), 2, 3,
                                                                          Eigen::OuterStride<>(4));
  const auto message =
      ThrowsMessage<InvalidArgument>(StrEq("outer stride of an Eigen map: expected 3, got 4"));
  EXPECT_THAT([&] { (void)address_of(padded); }, message);
  // A single row has no gap.
  EXPECT_EQ(address_of(padded.topRows(1)), numbers.data());
}

TEST(Eigen, KeepsElementTypeAndConstness) {
  using Bytes = MatrixOf<std::uint8_t>;
  static_assert(std::same_as<view_of_t<Bytes>, View<std::uint8_t, 2>>);
  static_assert(std::same_as<view_of_t<const Bytes>, View<const std::uint8_t, 2>>);
  static_assert(std::same_as<view_of_t<Eigen::Map<const Bytes>>, View<const std::uint8_t, 2>>);
  static_assert(!std::convertible_to<const Bytes&, View<std::uint8_t, 2>>);
  static_assert(!std::convertible_to<Bytes&, View<const std::int8_t, 2>>);
  static_assert(!std::convertible_to<Bytes&, View<const std::uint8_t, 1>>);
  using Sum = decltype(std::declval<Matrix>() + std::declval<Matrix>());
  static_assert(!std::convertible_to<Sum, View<const float, 2>>, "an expression has no elements");
}

TEST(AsEigen, SharesTheViewsElements) {
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  auto matrix = as_eigen(View<float, 2>(numbers, {2, 3}));
  EXPECT_EQ(matrix.data(), numbers.data());
  EXPECT_EQ(matrix.rows(), 2);
  EXPECT_EQ(matrix(1, 0), 4);
  matrix *= 2;
  EXPECT_THAT(numbers, ElementsAre(2, 4, 6, 8, 10, 12));
}

TEST(AsEigen, ReadsAConstView) {
  const std::vector<float> numbers{1, 2, 3, 4};
  const auto matrix = as_eigen(View<const float, 2>(numbers, {2, 2}));
  EXPECT_EQ(matrix.data(), numbers.data());
  EXPECT_EQ(matrix.sum(), 10);
}

}  // namespace
}  // namespace unlearn
