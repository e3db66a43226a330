// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/evaluation.hpp"

#include <cstddef>
#include <cstdio>

#include "pairs/captions/caption_set.hpp"

namespace unlearn::tool {

pairs::ImagePairs evaluation_pairs(const PairsOptions& pairs, const std::string& split,
                                   const pairs::AnyTokenizer& tokenizer,
                                   const clip::ClipConfig& config, unsigned threads) {
  const pairs::CaptionSet set = pairs::image_by_image(pairs.read(split));
  return {pairs.image_paths(set),
          set.image_of_row,
          pairs::tokens_of(set, tokenizer, static_cast<std::size_t>(config.context_length)),
          {.size = static_cast<std::size_t>(config.image_resolution), .threads = threads}};
}

std::string to_line(const std::string& name, const Retrieval& found) {
  char text[160];
  std::snprintf(text, sizeof text,
                "%-10s  I->T Hit@10 %5.1f  MedR %5zu    T->I Hit@10 %5.1f  MedR %5zu", name.c_str(),
                found.signal_to_text.hit_at_k, found.signal_to_text.median_rank,
                found.text_to_signal.hit_at_k, found.text_to_signal.median_rank);
  return text;
}

}  // namespace unlearn::tool
