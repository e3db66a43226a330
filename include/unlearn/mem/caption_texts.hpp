// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <cstddef>
#include <span>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/group_map.hpp"
#include "unlearn/trigger/token_sequences.hpp"
#include "unlearn/trigger/trigger_placement.hpp"
#include "unlearn/trigger/trigger_table.hpp"

namespace unlearn {

/// Makes the texts T ⊕ t of rows: each row's caption with its current trigger.
template <PairSource Pairs, TriggerPlacement Placement>
class CaptionTexts {
 public:
  /// What the texts are made of.
  struct Sources {
    Pairs& pairs;                   ///< gives the captions
    const TriggerTable& triggers;   ///< the current triggers
    const GroupMap& trigger_scope;  ///< which row has which trigger
  };

  /// @param sources   what it refers to must outlive this object
  /// @param placement where a trigger is put in its caption; copied
  CaptionTexts(const Sources& sources, const Placement& placement)
      : sources_(sources), sequences_(placement, sources.triggers.length()) {}

  /// The captions of `rows` with their own triggers; valid until the next call.
  [[nodiscard]] TokenBatch operator()(std::span<const Index> rows) { return (*this)(rows, rows); }

  /// Text i is the caption of row caption_rows[i] with the trigger of row trigger_rows[i]. The
  /// placement is told the caption's row. Valid until the next call.
  [[nodiscard]] TokenBatch operator()(std::span<const Index> caption_rows,
                                      std::span<const Index> trigger_rows) {
    sequences_.clear();
    for (std::size_t i = 0; i < caption_rows.size(); ++i) {
      const Index group = sources_.trigger_scope.of(trigger_rows[i]);
      const Index row = caption_rows[i];
      sequences_.add(row, sources_.pairs.caption(row), sources_.triggers[group]);
    }
    return sequences_.batch();
  }

 private:
  Sources sources_;
  TokenSequences<Placement> sequences_;
};

/// Makes the texts T of rows: captions without triggers.
template <PairSource Pairs, TriggerPlacement Placement>
class BareCaptions {
 public:
  /// @param pairs     gives the captions; must outlive this object
  /// @param placement cuts captions that are longer than the context; copied
  BareCaptions(Pairs& pairs, const Placement& placement)
      : pairs_(&pairs), sequences_(placement, 0) {}

  /// The captions of `rows`; valid until the next call.
  [[nodiscard]] TokenBatch operator()(std::span<const Index> rows) {
    sequences_.clear();
    for (const Index row : rows) sequences_.add(row, pairs_->caption(row), {});
    return sequences_.batch();
  }

 private:
  Pairs* pairs_;
  TokenSequences<Placement> sequences_;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
