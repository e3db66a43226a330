// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/execution.hpp"
#include "unlearn/core/parallel_loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace unlearn {
namespace {

using ::testing::Each;
using ::testing::StrEq;
using ::testing::ThrowsMessage;

static_assert(ExecutionPolicy<Sequential>);
static_assert(ExecutionPolicy<const Parallel&>);
static_assert(!ExecutionPolicy<unsigned>, "a number of threads is not a policy");
static_assert(std::is_trivially_copyable_v<Parallel> && std::is_aggregate_v<Parallel>);

struct Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::thread::id thread{};
  int calls = 0;
};

/// The pieces that `for_each_piece` makes. Fails if there are more than `piece_count` returns.
std::vector<Piece> pieces_of(const Parallel& policy, std::size_t count, std::size_t grain) {
  std::vector<Piece> pieces(piece_count(policy, count, grain));
  for_each_piece(policy, count, grain, [&](std::size_t piece, std::size_t begin, std::size_t end) {
    Piece& seen = pieces.at(piece);
    seen.begin = begin;
    seen.end = end;
    seen.thread = std::this_thread::get_id();
    ++seen.calls;
  });
  return pieces;
}

TEST(Parallel, TakesOneThreadForEachCoreUnlessTold) {
  EXPECT_EQ(Parallel{7}.thread_count(), 7U);
  EXPECT_EQ(parallel.thread_count(), std::max(1U, std::thread::hardware_concurrency()));
}

TEST(PieceCount, IsTheSmallerOfThreadsAndGrainsButAtLeastOne) {
  EXPECT_EQ(piece_count(Parallel{4}, 100, 10), 4U);
  EXPECT_EQ(piece_count(Parallel{4}, 30, 10), 3U);
  EXPECT_EQ(piece_count(Parallel{4}, 31, 10), 4U);
  EXPECT_EQ(piece_count(Parallel{4}, 9, 10), 1U);
  EXPECT_EQ(piece_count(Parallel{4}, 0, 10), 1U);
}

TEST(ForEachPiece, CoversTheRangeInOrderWithBordersOnGrains) {
  for (const std::size_t count : {1U, 7U, 8U, 9U, 64U, 65U, 1000U}) {
    for (const std::size_t grain : {1U, 8U, 300U}) {
      for (const unsigned threads : {1U, 2U, 3U, 5U}) {
        SCOPED_TRACE(std::to_string(count) + " by " + std::to_string(grain) + " on " +
                     std::to_string(threads));
        std::size_t next = 0;
        for (const Piece& piece : pieces_of(Parallel{threads}, count, grain)) {
          EXPECT_EQ(piece.calls, 1);
          EXPECT_EQ(piece.begin, next);
          EXPECT_EQ(piece.begin % grain, 0U);
          EXPECT_LT(piece.begin, piece.end);
          next = piece.end;
        }
        EXPECT_EQ(next, count);
      }
    }
  }
}

TEST(ForEachPiece, SharesTheGrainsOutEvenly) {
  for (const Piece& piece : pieces_of(Parallel{4}, 1000, 10)) {
    EXPECT_EQ(piece.end - piece.begin, 250U);
  }
}

TEST(ForEachPiece, RunsTheFirstPieceOnTheCallingThreadAndEachOtherOnItsOwn) {
  const std::vector<Piece> pieces = pieces_of(Parallel{3}, 30, 10);
  ASSERT_EQ(pieces.size(), 3U);
  EXPECT_EQ(pieces[0].thread, std::this_thread::get_id());
  EXPECT_NE(pieces[1].thread, pieces[0].thread);
  EXPECT_NE(pieces[2].thread, pieces[0].thread);
}

TEST(ForEachPiece, DoesNothingForAnEmptyRange) {
  bool called = false;
  for_each_piece(parallel, 0, 8, [&](std::size_t, std::size_t) { called = true; });
  EXPECT_FALSE(called);
}

TEST(ForEachPiece, TakesWorkThatDoesNotAskForThePiece) {
  std::vector<int> visits(100);
  for_each_piece(Parallel{4}, visits.size(), 8, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) ++visits[i];
  });
  EXPECT_THAT(visits, Each(1));
}

TEST(ForEachPiece, ThrowsTheFirstPiecesExceptionAfterAllPiecesHaveEnded) {
  std::atomic<int> ended = 0;
  const auto work = [&](std::size_t piece, std::size_t, std::size_t) {
    ++ended;
    if (piece >= 1) throw std::runtime_error("piece " + std::to_string(piece));
  };
  EXPECT_THAT([&] { for_each_piece(Parallel{4}, 4, 1, work); },
              ThrowsMessage<std::runtime_error>(StrEq("piece 1")));
  EXPECT_EQ(ended, 4);
}

TEST(ForEachPiece, PassesOnAnExceptionOfTheCallingThread) {
  const auto work = [](std::size_t, std::size_t) { throw std::runtime_error("here"); };
  EXPECT_THAT([&] { for_each_piece(Parallel{1}, 4, 1, work); },
              ThrowsMessage<std::runtime_error>(StrEq("here")));
}

}  // namespace
}  // namespace unlearn
