// SPDX-License-Identifier: Apache-2.0
// expect-error: this policy is no unlearn::NoiseBackend for this set of noises: see its
// requirements in unlearn/noise/noise_backend.hpp
#include <cstdint>

#include "unlearn/unlearn.hpp"

struct MyBackend : unlearn::HostBackend {
  void project(const auto& set, auto noise) const;
#ifndef UNLEARN_BAD
  void sign_step(const auto& set, auto noise, auto grad, auto step) const;
#endif
};

void project(const unlearn::PixelGridSet& set, unlearn::View<std::int8_t, 2> noise) {
  set.project(MyBackend{}, noise);
}
