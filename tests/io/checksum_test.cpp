// SPDX-License-Identifier: Apache-2.0
#include "unlearn/io/checksum.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <set>
#include <span>
#include <string>

#include "temporary_directory.hpp"

namespace unlearn::detail {
namespace {

using testing::bytes_of;

std::string random_text(std::size_t size) {
  std::mt19937 rng(1);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(rng());
  return text;
}

TEST(Checksum, DoesNotDependOnHowTheBytesAreCut) {
  const std::string text = random_text(61);
  const std::uint64_t whole = checksum_of(bytes_of(text));
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      Checksum checksum;
      checksum.update(bytes_of(text).first(first));
      checksum.update(bytes_of(text).subspan(first, second - first));
      checksum.update(bytes_of(text).subspan(second));
      ASSERT_EQ(checksum.value(), whole) << first << ", " << second;
    }
  }
}

TEST(Checksum, SeesEveryChangedBit) {
  std::string text = random_text(45);
  std::set<std::uint64_t> seen{checksum_of(bytes_of(text))};
  for (char& c : text) {
    for (int bit = 0; bit < 8; ++bit) {
      c = static_cast<char>(c ^ (1 << bit));
      EXPECT_TRUE(seen.insert(checksum_of(bytes_of(text))).second);
      c = static_cast<char>(c ^ (1 << bit));
    }
  }
}

TEST(Checksum, SeesZerosThatAreAddedOrLost) {
  std::set<std::uint64_t> seen;
  for (std::size_t size = 0; size < 40; ++size) {
    EXPECT_TRUE(seen.insert(checksum_of(bytes_of(std::string(size, '\0')))).second) << size;
  }
}

TEST(Checksum, SeesWordsThatChangePlaces) {
  EXPECT_NE(checksum_of(bytes_of("abcdefghijklmnop")), checksum_of(bytes_of("ijklmnopabcdefgh")));
}

// Files outlive a build. A changed definition would make all older checkpoints unreadable.
TEST(Checksum, IsTheSameInEveryVersion) {
  EXPECT_EQ(checksum_of(bytes_of("")), 0x860389C57A9C1205U);
  EXPECT_EQ(checksum_of(bytes_of("unlearn checkpoint")), 0x4ACC2DB8A01330CCU);
}

}  // namespace
}  // namespace unlearn::detail
