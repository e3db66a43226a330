// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "pairs/files/enum_names.hpp"

namespace unlearn::tool {

/// Where triggers are put in their captions: see FrontPlacement, BackPlacement, AnywherePlacement.
enum class PlacementKind : std::uint8_t { front, back, anywhere };
constexpr std::array<pairs::EnumName<PlacementKind>, 3> enum_names(PlacementKind /*like*/) {
  return {{{PlacementKind::front, "front"},
           {PlacementKind::back, "back"},
           {PlacementKind::anywhere, "anywhere"}}};
}

}  // namespace unlearn::tool
