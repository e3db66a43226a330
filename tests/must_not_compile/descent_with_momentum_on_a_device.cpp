// SPDX-License-Identifier: Apache-2.0
// expect-error: this step rule reads gradients in the host's memory: on a device use
// unlearn::SignStep
#include <cstdint>

#include "unlearn/unlearn.hpp"

struct MyDevice : unlearn::HostBackend {
  static constexpr unlearn::MemorySpace memory = unlearn::MemorySpace::device;
  void project(const auto& set, auto noise) const;
  void sign_step(const auto& set, auto noise, auto grad, auto step) const;
};

double loss(unlearn::View<const std::int8_t, 2> noise, unlearn::View<float, 2> grad);

void descend(unlearn::View<std::int8_t, 2> noise, const unlearn::PixelGridSet& set) {
#ifdef UNLEARN_BAD
  using Rule = unlearn::MomentumSignStep;
#else
  using Rule = unlearn::SignStep;
#endif
  unlearn::ProjectedDescent<Rule>{}.optimize(loss, noise, set, MyDevice{});
}
