// SPDX-License-Identifier: Apache-2.0
// expect-error: on the pixel grid every number moves by whole levels along a sign: use
// unlearn::SignStep or unlearn::MomentumSignStep
#include <cstdint>

#include "unlearn/unlearn.hpp"

double loss(unlearn::View<const std::int8_t, 2> noise, unlearn::View<float, 2> grad);

void descend(unlearn::View<std::int8_t, 2> noise, const unlearn::PixelGridSet& set) {
#ifdef UNLEARN_BAD
  using Rule = unlearn::NormalizedGradientStep;
#else
  using Rule = unlearn::MomentumSignStep;
#endif
  unlearn::ProjectedDescent<Rule>{}.optimize(loss, noise, set);
}
