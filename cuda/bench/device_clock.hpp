// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "summary.hpp"

namespace unlearn_bench {

/// The time of one of `repeats` calls that follow one another on a stream, by the device's clock.
template <class F>
double device_seconds(cudaStream_t stream, int repeats, const F& f) {
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  cudaEventRecord(begin, stream);
  for (int i = 0; i < repeats; ++i) f();
  cudaEventRecord(end, stream);
  cudaEventSynchronize(end);
  float milliseconds = 0;
  cudaEventElapsedTime(&milliseconds, begin, end);
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  require_correct(cudaGetLastError() == cudaSuccess, "what the device was asked for");
  return milliseconds / 1e3 / repeats;
}

/// The median of the times of f over those of g, call groups of each in turn.
template <class F, class G>
double device_ratio(cudaStream_t stream, int repeats, const F& f, const G& g) {
  std::vector<double> ratios;
  device_seconds(stream, repeats, f);
  device_seconds(stream, repeats, g);
  for (int pair = 0; pair < 9; ++pair) {
    const double of_f = device_seconds(stream, repeats, f);
    ratios.push_back(of_f / device_seconds(stream, repeats, g));
  }
  return median(ratios);
}

}  // namespace unlearn_bench
