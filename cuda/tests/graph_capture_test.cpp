// SPDX-License-Identifier: Apache-2.0
// For CUDA alone: there is nothing to capture on the host.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "noise/random_numbers.hpp"
#include "on_device.hpp"
#include "unlearn/cuda/cuda.cuh"
#include "unlearn/trigger/token_filter.hpp"

namespace {

using unlearn::Index;
using unlearn::PixelGridSet;
using unlearn::SplitMix64;
using unlearn::Token;
using unlearn::View;
using unlearn::testing::DeviceArray;
using unlearn::testing::random_numbers;

class GraphCapture : public unlearn::testing::OnDevice {
 protected:
  /// Calls `call` once, then captures it and launches the graph `launches` times.
  template <class Call>
  void capture(const Call& call, int launches) {
    call();
    ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    const std::size_t before = allocations_;
    ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
    call();
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
    EXPECT_EQ(allocations_, before);
    std::size_t count = 0;
    ASSERT_EQ(cudaGraphGetNodes(graph, nullptr, &count), cudaSuccess);
    std::vector<cudaGraphNode_t> nodes(count);
    ASSERT_EQ(cudaGraphGetNodes(graph, nodes.data(), &count), cudaSuccess);
    for (cudaGraphNode_t node : nodes) {
      cudaGraphNodeType type{};
      ASSERT_EQ(cudaGraphNodeGetType(node, &type), cudaSuccess);
      EXPECT_NE(type, cudaGraphNodeTypeMemAlloc) << "cuBLAS has its workspace from us";
    }
    cudaGraphExec_t exec = nullptr;
    ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    for (int i = 0; i < launches; ++i) ASSERT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
  }
};

TEST_F(GraphCapture, StepsTheNoise) {
  const std::array<std::size_t, 2> extents{2, 8};
  DeviceArray<std::uint8_t> clean(std::vector<std::uint8_t>(16, 100));
  DeviceArray<std::int8_t> noise(16);
  DeviceArray<float> gradient(std::vector<float>(16, 1));
  const PixelGridSet set{.lattice = {}, .clean = clean.read(extents)};
  capture([&] { set.sign_step(device(), noise.view(extents), gradient.read(extents), -1.0 / 255); },
          4);
  EXPECT_EQ(noise.numbers(), std::vector<std::int8_t>(16, -5)) << "one call and four launches";
}

TEST_F(GraphCapture, ShufflesAnewEachTime) {
  DeviceArray<std::uint64_t> key(std::vector<std::uint64_t>{3});
  DeviceArray<Index> order(64);
  capture([&] { shuffle(device(), key.data(), order.view<1>({64})); }, 1);
  const std::vector<Index> captured = order.numbers();
  DeviceArray<std::uint64_t> again(std::vector<std::uint64_t>{3});
  DeviceArray<Index> plain(64);
  shuffle(device(), again.data(), plain.view<1>({64}));
  EXPECT_NE(captured, plain.numbers());
  shuffle(device(), again.data(), plain.view<1>({64}));
  EXPECT_EQ(captured, plain.numbers());
}

TEST_F(GraphCapture, RanksScoresAndTakesTheLoss) {
  SplitMix64 rng(1);
  const std::array<std::size_t, 2> rows{8, 16};
  DeviceArray<float> a(random_numbers<float>(rng, 128, -1, 1));
  DeviceArray<float> b(random_numbers<float>(rng, 128, -1, 1));
  DeviceArray<float> gradients(256);
  DeviceArray<double> numbers(2);
  DeviceArray<float> table(random_numbers<float>(rng, 16'000, -1, 1));
  DeviceArray<std::uint64_t> allowed(std::vector<std::uint64_t>(16, ~std::uint64_t{0}));
  DeviceArray<Token> tokens(32);
  DeviceArray<float> scores(32);
  DeviceArray<Index> replaced(std::vector<Index>{1, 5});
  DeviceArray<double> losses(2);
  const auto call = [&] {
    info_nce(device(), a.read(rows), b.read(rows), 10.0,
             {.value = numbers.data(),
              .grad_a = gradients.view(rows),
              .grad_b = {gradients.data() + 128, rows},
              .grad_log_scale = numbers.data() + 1});
    rank_tokens(device(), a.read(rows), table.read<2>({1000, 16}), allowed.read<1>({16}),
                tokens.view<2>({8, 4}), scores.view<2>({8, 4}));
    const unlearn::cuda::InfoNceScorer scoring(device(), a.read(rows), b.read(rows), 10.0);
    scoring.score(replaced.read<1>({2}), b.read<2>({2, 16}), losses.view<1>({2}));
  };
  call();
  const auto value = numbers.numbers();
  const auto best = tokens.numbers();
  const auto loss = losses.numbers();
  capture(call, 2);
  EXPECT_EQ(numbers.numbers(), value);
  EXPECT_EQ(tokens.numbers(), best);
  EXPECT_EQ(losses.numbers(), loss);
}

}  // namespace
