// SPDX-License-Identifier: Apache-2.0
// expect-error: LinfRadius
#include "unlearn/noise/linf_ball.hpp"

#ifdef UNLEARN_BAD
const unlearn::LinfBall ball{.radius = "8/255"};
#else
const unlearn::LinfBall ball{.radius = 8.0 / 255};
#endif
