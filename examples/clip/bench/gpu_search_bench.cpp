// SPDX-License-Identifier: Apache-2.0
// Compares the trigger search of one batch to the reference's, with RN50 at 224 pixels on a GPU.

#include <ATen/Context.h>

#include <cstdio>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/model/config.hpp"
#include "trigger_search.hpp"

int main() {
  if (!at::hasCUDA()) {
    std::fprintf(stderr, "no GPU that LibTorch knows\n");
    return 1;
  }
  unlearn::clip::use_threads();
  constexpr int repeats = 3;
  unlearn_bench::TriggerSearch(unlearn::clip::named_config("RN50"), at::kCUDA)
      .report_figures("gpu.trigger_search", repeats);
}
