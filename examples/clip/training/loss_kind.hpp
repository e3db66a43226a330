// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "clip/model/model.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/siglip.hpp"

namespace unlearn::clip {

/// The losses that a program offers by name.
enum class LossKind : std::uint8_t {
  infonce,  ///< CLIP's: unlearn::InfoNce
  siglip,   ///< SigLIP's pairwise sigmoid loss: unlearn::SigLip
};

/// The names of all kinds, in the order of a menu: `infonce`, `siglip`.
[[nodiscard]] std::span<const std::string_view> loss_names();

/// The name of a kind.
[[nodiscard]] std::string_view to_string(LossKind kind);

/// A kind by its name.
/// @throws InvalidArgument that lists the names there are.
[[nodiscard]] LossKind loss_named(std::string_view name);

/// Gives a model what this loss learns beside the scale: SigLIP's bias. Call it before an encoder
/// or an optimiser is made of the model. See ClipImpl::add_logit_bias.
void add_loss_parameters(ClipImpl& model, LossKind kind);

/// Calls `use` with the loss itself, InfoNce or SigLip.
/// @returns what `use` returns, of one type for all losses
template <class Use>
decltype(auto) with_loss_of(LossKind kind, Use&& use) {
  if (kind == LossKind::siglip) return std::forward<Use>(use)(SigLip{});
  return std::forward<Use>(use)(InfoNce{});
}

}  // namespace unlearn::clip
