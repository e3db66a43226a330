// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/caption_placement.hpp"

#include "unlearn/trigger/anywhere_placement.hpp"
#include "unlearn/trigger/back_placement.hpp"
#include "unlearn/trigger/front_placement.hpp"

namespace unlearn::tool {
namespace {

/// The WordRule of a table of words.
struct WordsOfText {
  const pairs::WordStarts* words = nullptr;

  bool operator()(Index row, std::span<const Token> /*caption*/, std::size_t k) const {
    return words->contain(row, k - 1);  // without the start token
  }
};

}  // namespace

std::size_t CaptionPlacement::length(std::size_t caption_length, std::size_t trigger_length) const {
  return FrontPlacement{.context = context}.length(caption_length, trigger_length);
}

void CaptionPlacement::place(Index row, std::span<const Token> caption,
                             std::span<const Token> trigger, std::span<Token> out,
                             std::span<std::int32_t> positions) const {
  const auto put = [&](const auto& placement) {
    placement.place(row, caption, trigger, out, positions);
  };
  const PlacementKind here =
      kind == PlacementKind::front || words->are_known(row) ? kind : PlacementKind::front;
  const WordsOfText rule{words};
  switch (here) {
    case PlacementKind::front: return put(FrontPlacement{.context = context});
    case PlacementKind::back:
      return put(BackPlacement<WordsOfText>{.context = context, .words = rule});
    case PlacementKind::anywhere:
      return put(AnywherePlacement<WordsOfText>{.seed = seed, .context = context, .words = rule});
  }
}

}  // namespace unlearn::tool
