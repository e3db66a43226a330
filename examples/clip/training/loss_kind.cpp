// SPDX-License-Identifier: Apache-2.0
#include "clip/training/loss_kind.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "unlearn/core/error.hpp"

namespace unlearn::clip {
namespace {

/// In the order of the enumerators.
constexpr std::array<std::string_view, 2> names{"infonce", "siglip"};

}  // namespace

std::span<const std::string_view> loss_names() { return names; }

std::string_view to_string(LossKind kind) { return names[static_cast<std::size_t>(kind)]; }

LossKind loss_named(std::string_view name) {
  const auto* const found = std::ranges::find(names, name);
  require(found != names.end(), "loss", "one of infonce, siglip",
          std::string("'").append(name) + "'");
  return static_cast<LossKind>(found - names.begin());
}

void add_loss_parameters(ClipImpl& model, LossKind kind) {
  if (kind == LossKind::siglip) model.add_logit_bias();
}

}  // namespace unlearn::clip
