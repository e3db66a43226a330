// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <span>
#include <string>
#include <vector>

#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/number_text.hpp"
#include "unlearn/mem/events.hpp"

namespace unlearn {

/// An observer that keeps the loss of every batch. Pass a named object, and read it after the run.
///
/// It has only the batches that it has seen: those before a resume are missing. The mean losses of
/// all rounds are in RunProgress::trace.
class LossTrace {
 public:
  /// Appends a batch.
  void operator()(const BatchEnd& event) { batches_.push_back(event); }

  /// The batches in the order in which they ran.
  [[nodiscard]] const std::vector<BatchEnd>& batches() const { return batches_; }

  /// Writes the header line `round,stage,batch,loss` and a line for each batch. Rounds and batches
  /// are counted from 0; losses read back exactly.
  /// @param path the file; an existing one is replaced in one step
  /// @throws FileError when the file cannot be written; an existing file is then unchanged
  void write_csv(const std::string& path) const {
    std::string csv = "round,stage,batch,loss\n";
    for (const BatchEnd& event : batches_) {
      csv.append(number_text(event.round)).append(",").append(event.stage);
      csv.append(",").append(number_text(event.batch));
      csv.append(",").append(number_text(event.loss)).append("\n");
    }
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(csv)));
    file.commit();
  }

 private:
  std::vector<BatchEnd> batches_;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
