// SPDX-License-Identifier: Apache-2.0
// expect-error: FeasibleSet
// A batch of noise belongs to clean signals. The ball alone does not know them.
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"

using unlearn::View;

double loss(View<const float, 2> noise, View<float, 2> grad);

void descend(View<float, 2> noise, [[maybe_unused]] View<const float, 2> clean) {
  const unlearn::LinfBall ball{.radius = 8.0 / 255};
#ifdef UNLEARN_BAD
  unlearn::ProjectedSignDescent{}.optimize(loss, noise, ball);
#else
  const unlearn::BallAndBoxSet set{.ball = ball, .clean = clean};
  unlearn::ProjectedSignDescent{}.optimize(loss, noise, set);
#endif
}
