// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "pairs/files/number_table.hpp"
#include "unlearn/metrics/retrieval.hpp"

// Nothing of LibTorch: who reads a log need not link it.
namespace unlearn::clip {

/// One line of a training's log.csv.
struct EpochRecord {
  std::uint32_t epoch = 0;  ///< counted from 1
  double loss = 0;          ///< the mean over its steps, each before the step
  double rate = 0;          ///< the learning rate after it
  Retrieval retrieval{};    ///< on the evaluation pairs; a hit is among the first 10
};

// What is written and what is read. The structured bindings fail when a member is added.
template <class Archive, class Record>
  requires std::same_as<std::remove_const_t<Record>, EpochRecord>
void describe(Archive& archive, Record& record) {
  auto& [epoch, loss, rate, retrieval] = record;
  auto& [signal_to_text, text_to_signal] = retrieval;
  archive("epoch", epoch);
  archive("loss", loss);
  archive("learning_rate", rate);
  archive("i2t_hit10", signal_to_text.hit_at_k);
  archive("i2t_medr", signal_to_text.median_rank);
  archive("t2i_hit10", text_to_signal.hit_at_k);
  archive("t2i_medr", text_to_signal.median_rank);
}

/// Writes log.csv, complete or not at all:
/// `epoch,loss,learning_rate,i2t_hit10,i2t_medr,t2i_hit10,t2i_medr`.
/// @throws FileError
inline void write_epoch_log(const std::string& path, std::span<const EpochRecord> records) {
  pairs::write_table(path, records);
}

/// Reads what write_epoch_log() wrote.
/// @throws FileError when the file cannot be read or is no such file; the message names the line
[[nodiscard]] inline std::vector<EpochRecord> read_epoch_log(const std::string& path) {
  return pairs::read_table<EpochRecord>(path);
}

}  // namespace unlearn::clip
