// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/product.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>

#include "message_of.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn {
namespace {

using testing::message_of;

template <class T>
MatrixOf<T> whole_numbers(Eigen::Index rows, Eigen::Index columns, std::mt19937& rng) {
  std::uniform_int_distribution<int> numbers(-9, 9);
  MatrixOf<T> matrix(rows, columns);
  for (T& x : matrix.reshaped()) x = static_cast<T>(numbers(rng));
  return matrix;
}

// Products of small whole numbers are exact, whatever the order of their sums.
template <class T>
void expect_dot_products(Eigen::Index rows, Eigen::Index columns, Eigen::Index depth) {
  std::mt19937 rng(7);
  const auto a = whole_numbers<T>(rows, depth, rng);
  const auto b = whole_numbers<T>(columns, depth, rng);
  const MatrixOf<T> product = times_transposed(a, b);
  ASSERT_EQ(product.rows(), rows);
  ASSERT_EQ(product.cols(), columns);
  for (Eigen::Index i = 0; i < rows; ++i) {
    for (Eigen::Index j = 0; j < columns; ++j) {
      T expected = 0;
      for (Eigen::Index d = 0; d < depth; ++d) expected += a(i, d) * b(j, d);
      ASSERT_EQ(product(i, j), expected) << i << ", " << j;
    }
  }
}

TEST(Product, IsTheDotProductsOfTheRows) {
  for (const Eigen::Index rows : {1, 2, 33}) {
    for (const Eigen::Index columns : {1, 5, 70}) {
      for (const Eigen::Index depth : {0, 1, 19}) {
        expect_dot_products<float>(rows, columns, depth);
        expect_dot_products<double>(rows, columns, depth);
      }
    }
  }
}

TEST(Product, NamesShapesThatDisagree) {
  const Matrix a(2, 3);
  const Matrix b(4, 3);
  Matrix out(2, 4);
  Matrix wrong_rows(3, 4);
  Matrix wrong_columns(2, 5);
  EXPECT_EQ(
      message_of<InvalidArgument>([&] { multiply_by_transposed<float>(a, Matrix(4, 2), out); }),
      "columns of the right factor: expected 3, got 2");
  EXPECT_EQ(message_of<InvalidArgument>([&] { multiply_by_transposed<float>(a, b, wrong_rows); }),
            "rows of the product: expected 2, got 3");
  EXPECT_EQ(
      message_of<InvalidArgument>([&] { multiply_by_transposed<float>(a, b, wrong_columns); }),
      "columns of the product: expected 4, got 5");
}

TEST(Transposed, SwapsRowsAndColumns) {
  std::mt19937 rng(8);
  for (const Eigen::Index rows : {0, 1, 15, 16, 17, 40}) {
    const auto matrix = whole_numbers<double>(rows, 21, rng);
    EXPECT_EQ(transposed(matrix), MatrixOf<double>(matrix.transpose()));
  }
}

}  // namespace
}  // namespace unlearn
