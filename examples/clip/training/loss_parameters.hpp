// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "clip/model/model.hpp"
#include "clip/training/loss_kind.hpp"

namespace unlearn::clip {

/// Gives a model what this loss learns beside the scale: SigLIP's bias. Call it before an encoder
/// or an optimiser is made of the model. See ClipImpl::add_logit_bias.
void add_loss_parameters(ClipImpl& model, LossKind kind);

}  // namespace unlearn::clip
