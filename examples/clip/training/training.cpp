// SPDX-License-Identifier: Apache-2.0
#include "clip/training/training.hpp"

#include <string>
#include <vector>

#include "unlearn/io/file.hpp"

namespace unlearn::clip::epoch_log {

std::vector<EpochRecord> completed(const std::string& path, std::size_t epochs) {
  if (epochs == 0) return {};
  std::vector<EpochRecord> records = read_epoch_log(path);
  require_in_file(records.size() >= epochs, path, "epochs", epochs, records.size());
  records.resize(epochs);
  for (std::size_t i = 0; i < epochs; ++i) {
    require_in_file(records[i].epoch == i + 1, path, "line " + std::to_string(i + 2),
                    "epoch " + std::to_string(i + 1), records[i].epoch);
  }
  return records;
}

}  // namespace unlearn::clip::epoch_log
