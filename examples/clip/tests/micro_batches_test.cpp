// SPDX-License-Identifier: Apache-2.0
#include "clip/encoder/micro_batches.hpp"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace unlearn::clip {
namespace {

using Pieces = std::vector<std::pair<std::size_t, std::size_t>>;

TEST(MicroBatches, CoverAllRowsInOrder) {
  Pieces pieces;
  std::size_t limit = 4;
  in_micro_batches(
      10, limit, [&](std::size_t first, std::size_t count) { pieces.emplace_back(first, count); });
  EXPECT_EQ(pieces, (Pieces{{0, 4}, {4, 4}, {8, 2}}));
  in_micro_batches(0, limit, [&](std::size_t, std::size_t) { FAIL(); });
}

TEST(MicroBatches, AreHalvedWhenMemoryRunsOut) {
  Pieces done;
  std::size_t limit = 100;
  in_micro_batches(10, limit, [&](std::size_t first, std::size_t count) {
    if (count > 3) throw std::bad_alloc();
    done.emplace_back(first, count);
  });
  EXPECT_EQ(limit, 2U);
  EXPECT_EQ(done, (Pieces{{0, 2}, {2, 2}, {4, 2}, {6, 2}, {8, 2}}));
}

TEST(MicroBatches, PassOnWhatASingleRowOrAnotherErrorThrows) {
  std::size_t limit = 8;
  EXPECT_THROW(in_micro_batches(8, limit, [](std::size_t, std::size_t) { throw std::bad_alloc(); }),
               std::bad_alloc);
  EXPECT_EQ(limit, 1U);
  limit = 8;
  int calls = 0;
  EXPECT_THROW(in_micro_batches(8, limit,
                                [&](std::size_t, std::size_t) {
                                  ++calls;
                                  throw std::runtime_error("out of memory");
                                }),
               std::runtime_error);
  EXPECT_EQ(calls, 1);
}

TEST(MicroBatches, KnowLibTorchsWordsForIt) {
  const auto torch_error = [](const char* message) {
    return c10::Error(c10::SourceLocation{"function", "file", 1}, message);
  };
  EXPECT_TRUE(is_out_of_memory(torch_error("CUDA out of memory. Tried to allocate 2.00 GiB")));
  EXPECT_TRUE(
      is_out_of_memory(torch_error("DefaultCPUAllocator: can't allocate memory: you tried")));
  EXPECT_FALSE(is_out_of_memory(torch_error("mat1 and mat2 shapes cannot be multiplied")));
}

TEST(Footprint, GrowsWithTheModel) {
  const Footprint small = footprint_of(named_config("rn-small"));
  const Footprint deep = footprint_of(named_config("rn-small-deep"));
  const Footprint full = footprint_of(named_config("RN50"));
  EXPECT_GT(small.image_gradient, small.image);
  EXPECT_GT(deep.image_gradient, small.image_gradient);
  EXPECT_GT(full.image, 10 * small.image);
  EXPECT_GT(full.token_gradient, small.token_gradient);
}

}  // namespace
}  // namespace unlearn::clip
