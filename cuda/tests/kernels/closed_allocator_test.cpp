// SPDX-License-Identifier: Apache-2.0
#include "closed_allocator.hpp"
#include "unlearn/core/finite.hpp"

#include <gtest/gtest.h>

namespace {

using unlearn::testing::ClosedAllocator;

class ClosedMemory : public testing::Test {
 protected:
  static constexpr std::size_t size = 4096 + 300;

  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): raw memory becomes numbers
  volatile float* numbers_ = reinterpret_cast<float*>(ClosedAllocator::allocate(size));

  void TearDown() override {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast,cppcoreguidelines-pro-type-reinterpret-cast)
    ClosedAllocator::deallocate(reinterpret_cast<unsigned char*>(const_cast<float*>(numbers_)),
                                size);
  }
};

TEST_F(ClosedMemory, IsOpenWhenItWasOpened) {
  ClosedAllocator::open_to_host();
  ClosedAllocator::open_to_host();
  EXPECT_TRUE(unlearn::is_nan(numbers_[0])) << "not written yet";
  numbers_[size / sizeof(float) - 1] = 2;
  ClosedAllocator::close_to_host();
  EXPECT_EQ(numbers_[size / sizeof(float) - 1], 2) << "opened twice, closed once";
  ClosedAllocator::close_to_host();
}

using ClosedMemoryDeathTest = ClosedMemory;

TEST_F(ClosedMemoryDeathTest, EndsWhoTouchesIt) {
  EXPECT_DEATH((void)numbers_[0], "");
  EXPECT_DEATH(numbers_[0] = 1, "");
  ClosedAllocator::open_to_host();
  EXPECT_DEATH(numbers_[(size + 255) / sizeof(float)] = 1, "") << "behind its end";
  ClosedAllocator::close_to_host();
  EXPECT_DEATH((void)numbers_[0], "") << "closed again";
}

}  // namespace
