// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/tensor_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "unlearn/core/error.hpp"

namespace unlearn {

/// A user's container: a square, whose side determines the shape of the view.
struct Square {
  std::size_t side;
  std::vector<float> cells;
};

/// Minimal: one static function, for const and for writable squares.
template <>
struct ViewTraits<Square> {
  static View<float, 2> view(Square& square) {
    return {square.cells.data(), {square.side, square.side}};
  }
  static View<const float, 2> view(const Square& square) {
    return {square.cells.data(), {square.side, square.side}};
  }
};

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StrEq;
using ::testing::ThrowsMessage;

std::vector<int> counting(std::size_t size) {
  std::vector<int> numbers(size);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

TEST(View, IsEmptyByDefault) {
  const View<float, 3> view;
  EXPECT_EQ(view.data(), nullptr);
  EXPECT_THAT(view.extents(), ElementsAre(0, 0, 0));
  EXPECT_TRUE(view.empty());
  EXPECT_THAT(view.flat(), IsEmpty());
}

TEST(View, IsEmptyWhenAnyExtentIsZero) {
  EXPECT_TRUE((View<int, 3>(nullptr, {2, 0, 3}).empty()));
  EXPECT_FALSE((View<int, 1>(nullptr, {1}).empty()));
}

TEST(View, PutsElementsInRowMajorOrder) {
  std::vector<int> numbers = counting(24);
  const View<int, 3> view(numbers, {2, 3, 4});
  EXPECT_EQ(view.size(), 24U);
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 4; ++k) {
        EXPECT_EQ(view[i][j][k], static_cast<int>((i * 3 + j) * 4 + k));
      }
    }
  }
  EXPECT_EQ(view.extent(0), 2U);
  EXPECT_EQ(view.extent(2), 4U);
  EXPECT_THAT(view[1].extents(), ElementsAre(3, 4));
}

TEST(View, RefersToItsOwnersElements) {
  std::vector<int> numbers = counting(6);
  const View<int, 2> view(numbers.data(), {2, 3});
  EXPECT_EQ(view.data(), numbers.data());
  view[1][2] = 50;
  view.row(0)[1] = 10;
  view.flat()[3] = 30;
  EXPECT_THAT(numbers, ElementsAre(0, 10, 2, 30, 4, 50));
}

TEST(View, ChecksTheSizeOfAFlatRange) {
  std::vector<int> numbers = counting(6);
  EXPECT_THAT([&] { (View<int, 2>(std::span(numbers), {2, 4})); },
              ThrowsMessage<InvalidArgument>(StrEq("elements of a View: expected 8, got 6")));
}

TEST(View, GivesRowsAsFlatRanges) {
  std::vector<int> numbers = counting(12);
  EXPECT_THAT((View<int, 2>(numbers, {4, 3}).row(2)), ElementsAre(6, 7, 8));
  EXPECT_THAT((View<int, 3>(numbers, {2, 3, 2}).row(1)), ElementsAre(6, 7, 8, 9, 10, 11));
}

TEST(View, SlicesTheFirstDimension) {
  std::vector<int> numbers = counting(12);
  const View<int, 3> rows = View<int, 3>(numbers, {3, 2, 2}).slice(1, 2);
  EXPECT_THAT(rows.extents(), ElementsAre(2, 2, 2));
  EXPECT_THAT(rows.flat(), ElementsAre(4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT((View<int, 1>(numbers, {12}).slice(3, 2).flat()), ElementsAre(3, 4));
  EXPECT_THAT((View<int, 2>(numbers, {6, 2}).slice(6, 0).flat()), IsEmpty());
}

TEST(View, BecomesReadOnlyButNotWritable) {
  std::vector<int> numbers = counting(6);
  const View<int, 2> writable(numbers, {2, 3});
  const View<const int, 2> readable = writable;
  EXPECT_EQ(readable.data(), numbers.data());
  EXPECT_THAT(readable.extents(), ElementsAre(2, 3));
  static_assert(std::same_as<decltype(readable[0][0]), const int&>);
  static_assert(std::same_as<decltype(writable[0][0]), int&>, "a view is as const as its elements");
}

TEST(View, WorksAtCompileTime) {
  static constexpr std::array<int, 6> numbers{1, 2, 3, 4, 5, 6};
  constexpr View<const int, 2> view(numbers.data(), {2, 3});
  static_assert(view[1][0] == 4 && view.slice(1, 1)[0][2] == 6 && view.row(0).size() == 3);
}

// Types that convert to a view, and types that do not.
template <class From, class To>
constexpr bool converts = std::convertible_to<From, To>;
static_assert(converts<View<int, 2>, View<const int, 2>>);
static_assert(!converts<View<const int, 2>, View<int, 2>>, "const elements stay const");
static_assert(!converts<View<int, 2>, View<int, 3>>, "another rank");
static_assert(!converts<View<int, 2>, View<const int, 1>>, "another rank");
static_assert(!converts<View<float, 2>, View<const double, 2>>, "another element type");
static_assert(!converts<std::vector<int>&, View<int, 1>>, "a vector has no extents");
static_assert(converts<Square&, View<float, 2>> && converts<Square&, View<const float, 2>>);
static_assert(converts<const Square&, View<const float, 2>>);
static_assert(converts<Square, View<const float, 2>>, "for the length of a call");
static_assert(!converts<const Square&, View<float, 2>>, "a const container is not written to");
static_assert(!converts<Square&, View<float, 1>> && !converts<Square&, View<double, 2>>);

static_assert(Viewable<Square> && Viewable<const Square> && Viewable<View<int, 1>>);
static_assert(!Viewable<std::vector<float>> && !Viewable<int>);
static_assert(MatrixLike<Square> && MatrixLike<View<const int, 2>> && !MatrixLike<View<int, 3>>);
static_assert(std::same_as<element_of_t<const Square>, float>);
static_assert(std::same_as<View<const int, 4>::value_type, int> && View<int, 4>::rank == 4);

template <class V>
constexpr bool has_rows = requires(V view) { view.row(0); };
static_assert(has_rows<View<int, 2>> && !has_rows<View<int, 1>>, "a rank of 1 has elements");

float corner(View<const float, 2> matrix) { return matrix[matrix.extent(0) - 1][0]; }

TEST(ViewTraits, LetAContainerOfYoursPassWithoutACopy) {
  Square square{.side = 2, .cells = {1, 2, 3, 4}};
  EXPECT_EQ(corner(square), 3);
  EXPECT_EQ(corner(std::as_const(square)), 3);
  EXPECT_EQ(corner(Square{.side = 1, .cells = {7}}), 7);

  const View<float, 2> view = square;
  EXPECT_EQ(view.data(), square.cells.data());
  EXPECT_THAT(view.extents(), ElementsAre(2, 2));
  EXPECT_EQ(as_view(square).data(), square.cells.data());
  EXPECT_EQ(as_view(view).data(), square.cells.data());
}

}  // namespace
}  // namespace unlearn
