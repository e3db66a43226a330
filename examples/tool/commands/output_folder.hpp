// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace unlearn::tool {

/// The folder that a command writes its results to, and how far its run has come.
///
/// `run/settings.json` holds the settings that the run was started with. The file named `done_file`
/// is written last: where it exists, the run is complete. A run that was interrupted can be resumed
/// with the same settings only.
class OutputFolder {
 public:
  /// Makes the folder, or takes one that is empty. With `resume`, also takes one with a run.
  /// @param settings whatever decides on the bytes that the run ends in
  /// @throws FileError when something else is in it, it cannot be made, or the run in it has other
  ///         settings; the message names the first that differs
  OutputFolder(std::string path, std::string done_file, const nlohmann::json& settings,
               bool resume);

  /// Whether the run is complete already.
  [[nodiscard]] bool complete() const { return complete_; }
  /// A file in the folder.
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  /// A file or folder in `run/`, which is removed when the run is complete.
  [[nodiscard]] std::string run_file(const std::string& name) const;
  /// Writes `done` as the file that marks the run as complete, and removes `run/`.
  void finish(const nlohmann::json& done) const;

 private:
  std::filesystem::path path_;
  std::string done_file_;
  bool complete_ = false;
};

/// Writes a JSON file, complete or not at all.
/// @throws FileError
void write_json(const std::string& path, const nlohmann::json& json);

/// Reads a JSON file; see JsonFile.
/// @throws FileError
[[nodiscard]] nlohmann::json read_json(const std::string& path);

}  // namespace unlearn::tool
