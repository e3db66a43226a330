// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/number_text.hpp"
#include "unlearn/mem/events.hpp"

namespace unlearn {

/// An observer that keeps the loss of every batch. Pass it by name, and read it after the run.
///
/// A resumed run begins a new trace; the means of all rounds stand in RunProgress::trace.
class LossTrace {
 public:
  /// Keeps the event.
  void operator()(const BatchEnd& event) { batches_.push_back(event); }

  /// What was kept, in order.
  [[nodiscard]] const std::vector<BatchEnd>& batches() const { return batches_; }

  /// Writes `round,stage,batch,loss` and a line for each batch; rounds and batches count from 0.
  /// A file of that name is replaced as a whole, or on failure not at all.
  /// @throws FileError when it cannot be written
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
