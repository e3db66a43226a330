// SPDX-License-Identifier: Apache-2.0
// expect-error: RowwiseObjective
#include "unlearn/unlearn.hpp"

using unlearn::View;

void descend(View<float, 2> noise, View<const float, 2> clean) {
  const unlearn::BallAndBoxSet set{.ball = unlearn::L2Ball{.radius = 1}, .clean = clean};
#ifdef UNLEARN_BAD
  const auto loss = [](View<const float, 2>, View<float, 2>) { return 0.0; };
#else
  const auto loss = [](const unlearn::RowEvaluation<float>& at) { at.values[0] = 0; };
#endif
  unlearn::ProjectedSignDescent{}.optimize_rows(loss, noise, set);
}
