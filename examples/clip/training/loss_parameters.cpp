// SPDX-License-Identifier: Apache-2.0
#include "clip/training/loss_parameters.hpp"

namespace unlearn::clip {

void add_loss_parameters(ClipImpl& model, LossKind kind) {
  if (kind == LossKind::siglip) model.add_logit_bias();
}

}  // namespace unlearn::clip
