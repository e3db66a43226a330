// SPDX-License-Identifier: Apache-2.0
#include "unlearn/noise/sign_update.hpp"
#include "special_numbers.hpp"
#include "unlearn/core/finite.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace {

using unlearn::all_finite;
using unlearn::clamp_to;
using unlearn::clamp_to_radius;
using unlearn::is_finite;
using unlearn::sign;

template <class T>
class SignUpdate : public testing::Test {
 public:
  static inline const T infinity = unlearn::positive_infinity<T>();
  static inline const T nan = unlearn::not_a_number<T>();
};
using Numbers = testing::Types<float, double>;
TYPED_TEST_SUITE(SignUpdate, Numbers);

TYPED_TEST(SignUpdate, SignOfZeroAndNaNIsZero) {
  using T = TypeParam;
  EXPECT_EQ(sign<T>(std::numeric_limits<T>::denorm_min()), 1);
  EXPECT_EQ(sign<T>(-std::numeric_limits<T>::denorm_min()), -1);
  EXPECT_EQ(sign<T>(this->infinity), 1);
  EXPECT_EQ(sign<T>(-this->infinity), -1);
  EXPECT_EQ(sign<T>(T{0}), 0);
  EXPECT_EQ(sign<T>(-T{0}), 0);
  EXPECT_EQ(sign<T>(this->nan), 0);
  EXPECT_EQ(sign<std::int16_t>(T{-3}), -1);
}

TYPED_TEST(SignUpdate, ClampKeepsTheEndsAndNaN) {
  using T = TypeParam;
  EXPECT_EQ(clamp_to<T>(-2, -1, 3), -1);
  EXPECT_EQ(clamp_to<T>(-1, -1, 3), -1);
  EXPECT_EQ(clamp_to<T>(2, -1, 3), 2);
  EXPECT_EQ(clamp_to<T>(4, -1, 3), 3);
  if (unlearn::testing::fast_math) return;
  EXPECT_TRUE(unlearn::is_nan(clamp_to<T>(this->nan, -1, 3)));
}

TYPED_TEST(SignUpdate, ClampToRadiusZeroGivesNoNegativeZero) {
  using T = TypeParam;
  EXPECT_FALSE(std::signbit(clamp_to_radius<T>(-1, 0)) && !unlearn::testing::fast_math);
  EXPECT_EQ(clamp_to_radius<T>(-5, 2), -2);
  EXPECT_EQ(clamp_to_radius<T>(5, 2), 2);
}

TYPED_TEST(SignUpdate, FindsWhatIsNotFiniteAtEveryPlace) {
  using T = TypeParam;
  for (std::size_t size = 1; size < 40; ++size) {
    std::vector<T> numbers(size, std::numeric_limits<T>::max());
    EXPECT_TRUE(all_finite<T>(numbers));
    for (std::size_t i = 0; i < size; ++i) {
      for (const T bad : {this->nan, -this->nan, this->infinity, -this->infinity}) {
        numbers[i] = bad;
        EXPECT_FALSE(all_finite<T>(numbers)) << bad << " at " << i << " of " << size;
      }
      numbers[i] = std::numeric_limits<T>::denorm_min();
    }
  }
  EXPECT_TRUE(all_finite<T>(std::span<const T>{}));
}

TYPED_TEST(SignUpdate, TellsFiniteNumbers) {
  using T = TypeParam;
  EXPECT_TRUE(is_finite(T{0}));
  EXPECT_TRUE(is_finite(std::numeric_limits<T>::lowest()));
  EXPECT_FALSE(is_finite(this->nan));
  EXPECT_FALSE(is_finite(-this->infinity));
}

}  // namespace
