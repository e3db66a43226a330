// SPDX-License-Identifier: Apache-2.0
// The backend's kernels beside what the GPU does at best: a copy of as many bytes, and cuBLAS
// alone. Each result is compared with the library's own on the host before it is timed.
#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <thrust/copy.h>
#include <thrust/device_vector.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "device_clock.hpp"
#include "summary.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/cuda/cuda.cuh"
#include "unlearn/trigger/hotflip_candidate_search.hpp"

namespace {

using unlearn::BallAndBoxSet;
using unlearn::Index;
using unlearn::LinfBall;
using unlearn::PixelGridSet;
using unlearn::SplitMix64;
using unlearn::Token;
using unlearn::TokenFilter;
using unlearn::View;
using unlearn_bench::device_ratio;
using unlearn_bench::device_seconds;
using unlearn_bench::report;
using unlearn_bench::require_correct;

using Extents = std::array<std::size_t, 2>;

class Stream {
 public:
  Stream() { require_correct(cudaStreamCreate(&stream_) == cudaSuccess, "a stream"); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { cudaStreamDestroy(stream_); }
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// Made at its first use, when a GPU is known to be there; before the context, which ends first.
cudaStream_t stream() {
  static const Stream made;
  return made;
}

auto device() {
  const cudaStream_t made = stream();
  static unlearn::cuda::Context<> context;
  return unlearn::cuda::on(thrust::cuda::par_nosync.on(made), context);
}

template <class T>
T* raw(thrust::device_vector<T>& numbers) {
  return thrust::raw_pointer_cast(numbers.data());
}

template <class T>
thrust::device_vector<T> to_device(const std::vector<T>& numbers) {
  return {numbers.begin(), numbers.end()};
}

template <class T>
std::vector<T> to_host(const thrust::device_vector<T>& numbers) {
  std::vector<T> host(numbers.size());
  thrust::copy(numbers.begin(), numbers.end(), host.begin());
  return host;
}

std::vector<float> random_floats(SplitMix64& rng, std::size_t count, float low, float high) {
  std::vector<float> numbers(count);
  for (float& x : numbers) {
    x = low + (high - low) * static_cast<float>(static_cast<double>(rng() >> 11U) * 0x1p-53);
  }
  return numbers;
}

/// Bytes of a step over those of a copy in the same time.
template <class Step>
double fraction_of_copy(std::size_t bytes_of_step, const Step& step) {
  thrust::device_vector<unsigned char> from(bytes_of_step / 2);
  thrust::device_vector<unsigned char> to(bytes_of_step / 2);
  // A copy reads each byte and writes it.
  const auto copy = [&] {
    cudaMemcpyAsync(raw(to), raw(from), from.size(), cudaMemcpyDeviceToDevice, stream());
  };
  return device_ratio(stream(), 20, copy, step);
}

void bench_sign_step() {
  const Extents extents{128, 3 * 224 * 224};
  const std::size_t count = extents[0] * extents[1];
  SplitMix64 rng(1);
  const auto gradient = random_floats(rng, count, -1, 1);
  auto device_gradient = to_device(gradient);
  const View<const float, 2> of_device(raw(device_gradient), extents);
  {
    auto noise = random_floats(rng, count, -0.04F, 0.04F);
    const auto clean = random_floats(rng, count, 0, 1);
    auto device_noise = to_device(noise);
    auto device_clean = to_device(clean);
    using Set = BallAndBoxSet<float, LinfBall<>>;
    const LinfBall<> ball{.radius = 8.0 / 255};
    const Set on_device{.ball = ball, .clean = {raw(device_clean), extents}};
    const auto step = [&] {
      on_device.sign_step(device(), View<float, 2>(raw(device_noise), extents), of_device,
                          -1.0 / 255);
    };
    step();
    cudaStreamSynchronize(stream());
    Set{.ball = ball, .clean = {clean.data(), extents}}.sign_step(
        unlearn::parallel, View<float, 2>(noise.data(), extents),
        View<const float, 2>(gradient.data(), extents), -1.0 / 255);
    require_correct(to_host(device_noise) == noise, "sign step of floats");
    report("gpu.sign_step.fraction_of_copy", fraction_of_copy(16 * count, step));
  }
  std::vector<std::int8_t> noise(count);
  std::vector<std::uint8_t> clean(count);
  for (std::size_t i = 0; i < count; ++i) {
    noise[i] = static_cast<std::int8_t>(rng() % 17) - 8;
    clean[i] = static_cast<std::uint8_t>(rng() % 256);
  }
  auto device_noise = to_device(noise);
  auto device_clean = to_device(clean);
  const PixelGridSet on_device{.lattice = {}, .clean = {raw(device_clean), extents}};
  const auto step = [&] {
    on_device.sign_step(device(), View<std::int8_t, 2>(raw(device_noise), extents), of_device,
                        -1.0 / 255);
  };
  step();
  cudaStreamSynchronize(stream());
  PixelGridSet{.lattice = {}, .clean = {clean.data(), extents}}.sign_step(
      unlearn::parallel, View<std::int8_t, 2>(noise.data(), extents),
      View<const float, 2>(gradient.data(), extents), -1.0 / 255);
  require_correct(to_host(device_noise) == noise, "sign step on the lattice");
  report("gpu.sign_step.lattice.fraction_of_copy", fraction_of_copy(7 * count, step));
}

void bench_hotflip() {
  constexpr std::size_t rows = 384;
  constexpr std::size_t width = 512;
  constexpr std::size_t vocabulary = 49'408;
  constexpr std::size_t depth = 16;
  SplitMix64 rng(2);
  // Whole numbers: every order of a sum gives the same score, so the host's result is the device's.
  const auto whole = [&](std::size_t count) {
    std::vector<float> numbers(count);
    for (float& x : numbers) x = static_cast<float>(rng() % 15) - 7;
    return numbers;
  };
  const auto gradients = whole(rows * width);
  const auto embeddings = whole(vocabulary * width);
  const TokenFilter filter(vocabulary);
  auto device_gradients = to_device(gradients);
  auto device_embeddings = to_device(embeddings);
  thrust::device_vector<std::uint64_t> allowed(filter.words().begin(), filter.words().end());
  thrust::device_vector<Token> tokens(rows * depth);
  thrust::device_vector<float> scores(rows * depth);
  thrust::device_vector<float> product(rows * vocabulary);

  const View<const float, 2> g(raw(device_gradients), {rows, width});
  const View<const float, 2> e(raw(device_embeddings), {vocabulary, width});
  const auto search = [&] {
    unlearn::cuda::rank_tokens(device(), g, e, {raw(allowed), {allowed.size()}},
                               View<Token, 2>(raw(tokens), {rows, depth}),
                               View<float, 2>(raw(scores), {rows, depth}));
  };
  search();
  cudaStreamSynchronize(stream());
  const auto expected = unlearn::HotFlipCandidateSearch{.candidates = depth, .spares = 0}(
      unlearn::parallel, View<const float, 3>(gradients.data(), {rows, 1, width}),
      View<const float, 2>(embeddings.data(), {vocabulary, width}), filter);
  const auto best = expected.tokens().flat();
  require_correct(to_host(tokens) == std::vector<Token>(best.begin(), best.end()), "HotFlip");

  using unlearn::cuda::detail::Op;
  const auto gemm = [&] {
    unlearn::cuda::detail::multiply<Op::plain, Op::transposed>(
        device(), 1.0F, g, e, View<float, 2>(raw(product), {rows, vocabulary}));
  };
  report("gpu.hotflip.time_over_gemm", device_ratio(stream(), 20, search, gemm));
}

void bench_info_nce() {
  const Extents extents{128, 1024};
  SplitMix64 rng(3);
  const auto a = random_floats(rng, 128 * 1024, -1, 1);
  const auto b = random_floats(rng, 128 * 1024, -1, 1);
  auto device_a = to_device(a);
  auto device_b = to_device(b);
  thrust::device_vector<float> gradients(2 * a.size());
  thrust::device_vector<double> numbers(2);
  const auto loss = [&] {
    unlearn::cuda::info_nce(device(), View<const float, 2>(raw(device_a), extents),
                            View<const float, 2>(raw(device_b), extents), 50.0,
                            {.value = raw(numbers),
                             .grad_a = {raw(gradients), extents},
                             .grad_b = {raw(gradients) + a.size(), extents},
                             .grad_log_scale = raw(numbers) + 1});
  };
  loss();
  cudaStreamSynchronize(stream());
  const auto expected = unlearn::info_nce(View<const float, 2>(a.data(), extents),
                                          View<const float, 2>(b.data(), extents), 50.0);
  require_correct(std::abs(to_host(numbers)[0] - expected.value) <= 1e-12 * expected.value,
                  "InfoNCE");
  report("gpu.info_nce.microseconds", 1e6 * device_seconds(stream(), 100, loss));
}

/// Kernels that a step of the noise starts outside of the model, where each signal has a noise of
/// its own, as a captured graph counts them. Memory that is set or copied is no kernel.
void count_launches() {
  const Extents extents{128, 3 * 224 * 224};
  const std::size_t count = extents[0] * extents[1];
  thrust::device_vector<std::uint8_t> clean(count, 100);
  thrust::device_vector<std::int8_t> noise(count, 0);
  thrust::device_vector<std::int8_t> kept(count);
  thrust::device_vector<float> gradient(count, 1);
  thrust::device_vector<int> found(1);
  const PixelGridSet set{.lattice = {}, .clean = {raw(clean), extents}};
  // What ProjectedSignDescent does between two evaluations, but for the answer's way to the host.
  const auto step = [&] {
    unlearn::cuda::find_not_finite(device(), raw(gradient), count, raw(found));
    device().copy(raw(noise), count, raw(kept));
    set.sign_step(device(), View<std::int8_t, 2>(raw(noise), extents),
                  View<const float, 2>(raw(gradient), extents), -1.0 / 255);
  };
  step();
  cudaStreamSynchronize(stream());
  cudaGraph_t graph = nullptr;
  cudaStreamBeginCapture(stream(), cudaStreamCaptureModeGlobal);
  step();
  require_correct(cudaStreamEndCapture(stream(), &graph) == cudaSuccess, "capture of a step");
  std::size_t nodes = 0;
  cudaGraphGetNodes(graph, nullptr, &nodes);
  std::vector<cudaGraphNode_t> all(nodes);
  cudaGraphGetNodes(graph, all.data(), &nodes);
  std::size_t kernels = 0;
  for (const cudaGraphNode_t node : all) {
    cudaGraphNodeType type{};
    cudaGraphNodeGetType(node, &type);
    kernels += type == cudaGraphNodeTypeKernel ? 1 : 0;
  }
  cudaGraphDestroy(graph);
  require_correct(kernels > 0, "capture of a step's kernels");
  report("gpu.kernel_launches_per_noise_step", static_cast<double>(kernels));
}

}  // namespace

int main() {
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) {
    std::fprintf(stderr, "no GPU that CUDA knows\n");
    return 1;
  }
  std::printf("%s\n", properties.name);
  bench_sign_step();
  bench_hotflip();
  bench_info_nce();
  count_launches();
}
