// SPDX-License-Identifier: Apache-2.0
// Compares the contrastive loss and its gradients for a batch of CLIP's size to plain Eigen:
// normalise, softmax of rows and columns, chain rule; in double like ours, and in float.

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <random>

#include "summary.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/matrix.hpp"

namespace {

using unlearn::Matrix;
using unlearn::MatrixOf;

constexpr Eigen::Index pairs = 128;
constexpr Eigen::Index width = 512;
constexpr double logit_scale = 1 / 0.07;
constexpr int repeats = 15;

Matrix normal_rows(std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::normal_distribution<float> normal;
  Matrix numbers(pairs, width);
  for (float& number : numbers.reshaped()) number = normal(rng);
  return numbers;
}

struct Data {
  Matrix a = normal_rows(1);
  Matrix b = 0.2F * a + normal_rows(2);
};

template <class T>
struct PlainResult {
  T value;
  MatrixOf<T> grad_a;
  MatrixOf<T> grad_b;
};

/// The gradient with respect to x, from that with respect to x / ‖x‖.
template <class T>
MatrixOf<T> through_norm(const MatrixOf<T>& unit, const auto& norms, MatrixOf<T> gradient) {
  const Eigen::Array<T, Eigen::Dynamic, 1> radial = gradient.cwiseProduct(unit).rowwise().sum();
  gradient.array() -= unit.array().colwise() * radial;
  gradient.array().colwise() /= norms;
  return gradient;
}

template <class T>
PlainResult<T> plain_info_nce(const Matrix& floats_a, const Matrix& floats_b) {
  using Column = Eigen::Array<T, Eigen::Dynamic, 1>;
  const MatrixOf<T> a = floats_a.cast<T>();
  const MatrixOf<T> b = floats_b.cast<T>();
  const Column norms_a = a.rowwise().norm();
  const Column norms_b = b.rowwise().norm();
  const MatrixOf<T> unit_a = a.array().colwise() / norms_a;
  const MatrixOf<T> unit_b = b.array().colwise() / norms_b;
  const auto scale = static_cast<T>(logit_scale);

  const MatrixOf<T> logits = scale * unit_a * unit_b.transpose();
  MatrixOf<T> by_row = (logits.array().colwise() - logits.rowwise().maxCoeff().array()).exp();
  MatrixOf<T> by_column = (logits.rowwise() - logits.colwise().maxCoeff()).array().exp();
  by_row.array().colwise() /= by_row.rowwise().sum().array().eval();
  by_column.array().rowwise() /= by_column.colwise().sum().array().eval();
  const T terms = 2 * static_cast<T>(pairs);
  const T value =
      -(by_row.diagonal().array().log() + by_column.diagonal().array().log()).sum() / terms;
  MatrixOf<T> gradient = by_row + by_column;
  gradient.diagonal().array() -= 2;
  gradient *= scale / terms;
  return {value, through_norm<T>(unit_a, norms_a, gradient * unit_b),
          through_norm<T>(unit_b, norms_b, gradient.transpose() * unit_a)};
}

bool close(const auto& ours, const auto& plain, double tolerance) {
  return std::abs(ours.value - static_cast<double>(plain.value)) <= tolerance &&
         (ours.grad_a - plain.grad_a.template cast<float>()).cwiseAbs().maxCoeff() <= tolerance &&
         (ours.grad_b - plain.grad_b.template cast<float>()).cwiseAbs().maxCoeff() <= tolerance;
}

template <class T>
void against_plain(benchmark::State& state, const char* figure, double tolerance) {
  const Data data;
  unlearn_bench::require_correct(close(unlearn::info_nce(data.a, data.b, logit_scale),
                                       plain_info_nce<T>(data.a, data.b), tolerance),
                                 figure);
  // A call is short. Timing tens of calls averages over what else the machine does.
  constexpr int calls = 20;
  const auto ours = [&] {
    for (int i = 0; i < calls; ++i) {
      benchmark::DoNotOptimize(unlearn::info_nce(data.a, data.b, logit_scale).grad_a.data());
    }
  };
  const auto plain = [&] {
    for (int i = 0; i < calls; ++i) {
      benchmark::DoNotOptimize(plain_info_nce<T>(data.a, data.b).grad_a.data());
    }
  };
  for (auto iteration : state) {
    const auto times = unlearn_bench::compare(repeats, ours, plain);
    state.SetIterationTime(times.f_seconds);
    state.counters["losses/s"] = calls / times.f_seconds;
    unlearn_bench::report(figure, times.ratio);
  }
}

void against_plain_double(benchmark::State& state) {
  against_plain<double>(state, "info_nce.time_over_plain_double", 1e-9);
}

void against_plain_float(benchmark::State& state) {
  against_plain<float>(state, "info_nce.time_over_plain_float", 1e-5);
}

BENCHMARK(against_plain_double)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(against_plain_float)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
