// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "pairs/files/enum_names.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/siglip.hpp"

namespace unlearn::clip {

/// The losses that programs offer by name.
enum class LossKind : std::uint8_t {
  infonce,  ///< CLIP's: unlearn::InfoNce
  siglip,   ///< SigLIP's pairwise sigmoid loss: unlearn::SigLip
};
constexpr std::array<pairs::EnumName<LossKind>, 2> enum_names(LossKind /*like*/) {
  return {{{LossKind::infonce, "infonce"}, {LossKind::siglip, "siglip"}}};
}

/// Calls `use` with the loss itself, InfoNce or SigLip.
/// @returns what `use` returns, of one type for all losses
template <class Use>
decltype(auto) with_loss_of(LossKind kind, Use&& use) {
  switch (kind) {  // the compiler says which loss is missing here
    case LossKind::siglip: return std::forward<Use>(use)(SigLip{});
    case LossKind::infonce: break;
  }
  return std::forward<Use>(use)(InfoNce{});
}

}  // namespace unlearn::clip
