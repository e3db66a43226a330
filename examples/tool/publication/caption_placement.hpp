// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "pairs/text/any_tokenizer.hpp"
#include "pairs/text/word_starts.hpp"
#include "tool/publication/placement_kind.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/trigger/trigger_placement.hpp"

namespace unlearn::tool {

/// A placement that is chosen when the program runs, so that a minimizer is compiled once for all
/// of them. It puts triggers between words as they are in the caption's text. A caption whose words
/// the tokenizer does not read one by one has its trigger in front.
struct CaptionPlacement {
  PlacementKind kind = PlacementKind::front;
  std::uint64_t seed = 0;                    ///< of the drawn places
  std::size_t context = 77;                  ///< the longest sequence that the model takes
  const pairs::WordStarts* words = nullptr;  ///< of all captions; not needed in front

  /// Models TriggerPlacement.
  [[nodiscard]] std::size_t length(std::size_t caption_length, std::size_t trigger_length) const;
  /// Models TriggerPlacement.
  void place(Index row, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const;
};

static_assert(std::is_trivially_copyable_v<CaptionPlacement>);
static_assert(TriggerPlacement<CaptionPlacement>);

/// Where a trigger is in a published caption.
struct TriggerPlaces {
  std::vector<std::size_t> tokens{};   ///< of each of its tokens, an index into encode(published)
  std::vector<std::size_t> offsets{};  ///< the byte of the caption that it stands before
};

/// A row's caption.
struct RowCaption {
  Index row = 0;
  std::string_view text{};
};

/// Where a trigger of `trigger_length` tokens is in the published caption of a row.
/// @throws InvalidArgument for a text that is not UTF-8
template <pairs::Tokenizer Tok>
[[nodiscard]] TriggerPlaces trigger_places(const Tok& tokenizer, const CaptionPlacement& placement,
                                           const RowCaption& caption, std::size_t trigger_length) {
  const std::vector<Token> tokens =
      pairs::caption_tokens(tokenizer, caption.text, placement.context);
  std::vector<Token> sequence(placement.length(tokens.size(), trigger_length));
  std::vector<std::int32_t> positions(trigger_length);
  placement.place(caption.row, tokens, std::vector<Token>(trigger_length), sequence, positions);
  const std::vector<pairs::WordStart> words = pairs::word_starts(tokenizer, caption.text);
  TriggerPlaces places;
  for (std::size_t p = 0; p < trigger_length; ++p) {
    const std::size_t token =
        static_cast<std::size_t>(positions[p]) - 1;  // without the start token
    const auto word = std::ranges::find(words, token - p, &pairs::WordStart::token);
    places.tokens.push_back(token);
    places.offsets.push_back(token == p            ? 0
                             : word == words.end() ? caption.text.size()
                                                   : word->offset);
  }
  return places;
}

/// A row's caption with its trigger, as it is published. Encoded again and cut to the context, it
/// gives the sequence that `placement` writes, if the trigger's tokens can be published
/// (pairs::unpublishable()).
/// @throws InvalidArgument for a text that is not UTF-8 or an id outside the vocabulary
template <pairs::Tokenizer Tok>
[[nodiscard]] std::string published_caption(const Tok& tokenizer, const CaptionPlacement& placement,
                                            const RowCaption& caption,
                                            std::span<const Token> trigger) {
  if (placement.kind == PlacementKind::front) {
    return pairs::with_trigger(tokenizer, trigger, caption.text);
  }
  const TriggerPlaces places = trigger_places(tokenizer, placement, caption, trigger.size());
  return pairs::with_trigger_at(tokenizer, trigger, caption.text, places.offsets);
}

}  // namespace unlearn::tool
