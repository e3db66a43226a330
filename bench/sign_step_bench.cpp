// SPDX-License-Identifier: Apache-2.0
// Compares one noise update, δ ← Proj(δ − step · sign g), to the machine's copy bandwidth, and to
// the same update as users of Eigen and xtensor write it. The arrays are far larger than the
// caches.

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xtensor.hpp>

#include "bandwidth.hpp"
#include "summary.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"

namespace {

using unlearn::View;

constexpr std::size_t rows = 448;
constexpr std::size_t elements = std::size_t{3} * 224 * 224;
constexpr std::size_t size = rows * elements;  // 67 million numbers, 270 MB of floats
constexpr int repeats = 9;
constexpr int short_repeats = 15;  // for short measurements
constexpr double level = 1.0 / 255;
constexpr float step = 1.0F / 255;
constexpr float radius = 8.0F / 255;

template <class T>
View<T, 2> as_batch(std::span<T> numbers) {
  return {numbers, {numbers.size() / elements, elements}};
}

/// Draws each number from eight separate bits.
template <class T, class Map>
std::vector<T> drawn(std::uint64_t seed, std::size_t count, Map map) {
  unlearn::SplitMix64 rng(seed);
  std::vector<T> numbers(count);
  for (T& number : numbers) number = static_cast<T>(map(static_cast<int>(rng() >> 56U)));
  return numbers;
}

std::vector<float> gradient(std::size_t count) {
  return drawn<float>(1, count, [](int bits) { return bits - 127; });
}

/// Images in [0, 1], a gradient, and noise as in the middle of a run.
struct FloatData {
  explicit FloatData(std::size_t count)
      : clean(drawn<float>(2, count, [](int bits) { return static_cast<float>(bits) / 255; })),
        grad(gradient(count)),
        noise(drawn<float>(3, count, [](int bits) { return (bits % 17 - 8) * level; })) {}

  template <class P>
  void update(const P& policy) {
    const unlearn::BallAndBoxSet set{.ball = unlearn::LinfBall{.radius = radius},
                                     .clean = as_batch(std::span<const float>(clean))};
    set.sign_step(policy, as_batch(std::span(noise)), as_batch(std::span<const float>(grad)),
                  -step);
  }

  std::vector<float> clean;
  std::vector<float> grad;
  std::vector<float> noise;
};

/// The same on the pixel grid.
struct LatticeData {
  explicit LatticeData(std::size_t count)
      : clean(drawn<std::uint8_t>(2, count, [](int bits) { return bits; })),
        grad(gradient(count)),
        noise(drawn<std::int8_t>(3, count, [](int bits) { return bits % 17 - 8; })) {}

  template <class P>
  void update(const P& policy) {
    const unlearn::PixelGridSet set{.lattice = {.step = 1, .radius = 8},
                                    .clean = as_batch(std::span<const std::uint8_t>(clean))};
    set.sign_step(policy, as_batch(std::span(noise)), as_batch(std::span<const float>(grad)),
                  -level);
  }

  std::vector<std::uint8_t> clean;
  std::vector<float> grad;
  std::vector<std::int8_t> noise;
};

/// The update as a user of Eigen writes it: one operation per statement, on the one core that Eigen
/// uses. Intermediate arrays are allocated once, so that page faults are not part of the time.
struct EigenUpdate {
  explicit EigenUpdate(const FloatData& data)
      : clean(copied(data.clean)), grad(copied(data.grad)), noise(copied(data.noise)) {}

  void operator()() {
    direction = grad.sign();
    noise = noise - step * direction;
    noise = noise.max(-radius).min(radius);
    perturbed = clean + noise;
    perturbed = perturbed.max(0.0F).min(1.0F);
    noise = perturbed - clean;
  }

  static Eigen::ArrayXf copied(const std::vector<float>& numbers) {
    return Eigen::Map<const Eigen::ArrayXf>(numbers.data(),
                                            static_cast<Eigen::Index>(numbers.size()));
  }

  Eigen::ArrayXf clean;
  Eigen::ArrayXf grad;
  Eigen::ArrayXf noise;
  Eigen::ArrayXf direction;
  Eigen::ArrayXf perturbed;
};

/// The same as a user of xtensor writes it.
struct XtensorUpdate {
  using Tensor = xt::xtensor<float, 1>;

  explicit XtensorUpdate(const FloatData& data)
      : clean(copied(data.clean)),
        grad(copied(data.grad)),
        noise(copied(data.noise)),
        direction(noise),
        perturbed(noise) {}

  void operator()() {
    xt::noalias(direction) = xt::sign(grad);
    xt::noalias(noise) = noise - step * direction;
    xt::noalias(noise) = xt::clip(noise, -radius, radius);
    xt::noalias(perturbed) = clean + noise;
    xt::noalias(perturbed) = xt::clip(perturbed, 0.0F, 1.0F);
    xt::noalias(noise) = perturbed - clean;
  }

  static Tensor copied(const std::vector<float>& numbers) {
    Tensor tensor = Tensor::from_shape({numbers.size()});
    std::copy(numbers.begin(), numbers.end(), tensor.begin());
    return tensor;
  }

  Tensor clean;
  Tensor grad;
  Tensor noise;
  Tensor direction;
  Tensor perturbed;
};

/// Reports how fast `update` moves its bytes, as a fraction of how fast a copy moves them.
template <class Update>
void fraction_of_copy(benchmark::State& state, const char* figure, double bytes, Update update) {
  unlearn_bench::Copy copy(size);
  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(short_repeats, update, copy);
    const double fraction = bytes / copy.bytes() / times.ratio;
    state.SetIterationTime(times.f_seconds);
    state.counters["GB/s"] = bytes / times.f_seconds * 1e-9;
    state.counters["copy_GB/s"] = copy.bytes() / times.g_seconds * 1e-9;
    unlearn_bench::report(figure, fraction);
  }
}

template <class Data>
void require_same_as_reference(const char* what) {
  Data fast(3 * elements);
  Data reference = fast;
  fast.update(unlearn::parallel);
  reference.update(unlearn::sequential);
  unlearn_bench::require_correct(fast.noise == reference.noise, what);
}

void float_against_copy(benchmark::State& state) {
  require_same_as_reference<FloatData>("float sign step");
  FloatData data(size);
  constexpr double bytes = 4.0 * sizeof(float) * size;  // δ, g and x read, δ written
  fraction_of_copy(state, "sign_step.float.fraction_of_copy", bytes,
                   [&] { data.update(unlearn::parallel); });
}

void lattice_against_copy(benchmark::State& state) {
  require_same_as_reference<LatticeData>("lattice sign step");
  LatticeData data(size);
  constexpr double bytes = (3.0 + sizeof(float)) * size;  // the same; all but g are bytes
  fraction_of_copy(state, "sign_step.lattice.fraction_of_copy", bytes,
                   [&] { data.update(unlearn::parallel); });
}

template <class Rival>
void float_against(benchmark::State& state, const char* figure) {
  require_same_as_reference<FloatData>("float sign step");
  FloatData data(size);
  Rival rival(data);
  data.update(unlearn::parallel);
  rival();
  // The rivals round x + δ before they compute δ; ours does not. So they differ by one rounding
  // near 1.
  const auto close = [](float a, float b) { return std::abs(a - b) <= 1e-7F; };
  unlearn_bench::require_correct(
      std::equal(data.noise.begin(), data.noise.end(), rival.noise.data(), close), figure);

  for (auto iteration : state) {
    const auto times =
        unlearn_bench::compare(repeats, rival, [&] { data.update(unlearn::parallel); });
    state.SetIterationTime(times.g_seconds);
    state.counters["rival_ms"] = times.f_seconds * 1e3;
    unlearn_bench::report(figure, times.ratio);
  }
}

/// On the pixel grid, nearly all memory traffic is reading. Its rate differs from that of copying.
void lattice_against_read(benchmark::State& state) {
  LatticeData data(size);
  unlearn_bench::Read read(size);
  constexpr double bytes = (2.0 + sizeof(float)) * size;  // δ, g and x
  for (auto iteration : state) {
    const auto times =
        unlearn_bench::compare(short_repeats, [&] { data.update(unlearn::parallel); }, read);
    state.SetIterationTime(times.f_seconds);
    state.counters["read_GB/s"] = read.bytes() / times.g_seconds * 1e-9;
    unlearn_bench::report("sign_step.lattice.fraction_of_read", bytes / read.bytes() / times.ratio);
  }
}

/// Reports the speed-up of all cores over one.
void float_on_all_cores(benchmark::State& state) {
  FloatData data(size);
  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(
        repeats, [&] { data.update(unlearn::Parallel{.threads = 1}); },
        [&] { data.update(unlearn::parallel); });
    state.SetIterationTime(times.g_seconds);
    unlearn_bench::report("sign_step.float.all_cores_over_one", times.ratio);
  }
}

void float_against_eigen(benchmark::State& state) {
  float_against<EigenUpdate>(state, "sign_step.float.speedup_vs_eigen");
}

void float_against_xtensor(benchmark::State& state) {
  float_against<XtensorUpdate>(state, "sign_step.float.speedup_vs_xtensor");
}

// One iteration: the benchmark repeats by itself, because it times its rival in between.
BENCHMARK(float_against_copy)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(lattice_against_copy)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(lattice_against_read)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(float_on_all_cores)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(float_against_eigen)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(float_against_xtensor)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
