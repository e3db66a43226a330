// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace unlearn::tool {

/// The folder that a command writes, and how far its run is.
///
/// `run/settings.json` says what the run was started with; what is written last, named `done_file`,
/// says that it is complete. A run that was interrupted is gone on with only if it is asked for
/// with the same settings.
class OutputFolder {
 public:
  /// Makes the folder, or takes one that is empty; with `resume` also one with such a run.
  /// @param settings whatever decides on the bytes that the run ends in
  /// @throws FileError when something else is in it, it cannot be made, or the settings of the run
  ///         in it differ; the message names the first that does
  OutputFolder(std::string path, std::string done_file, const nlohmann::json& settings,
               bool resume);

  /// Whether the run is complete already.
  [[nodiscard]] bool complete() const { return complete_; }
  /// A file in the folder.
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  /// A folder in it for a while, made when need be.
  [[nodiscard]] std::string run_file(const std::string& name) const;
  /// Makes `name` the file that says the run is complete, and removes `run/`.
  void finish(const nlohmann::json& done) const;

 private:
  std::filesystem::path path_;
  std::string done_file_;
  bool complete_ = false;
};

/// Writes a JSON file, complete or not at all.
/// @throws FileError
void write_json(const std::string& path, const nlohmann::json& json);

/// Reads a JSON file of at most 256 MiB.
/// @throws FileError when it cannot be read, is larger or no JSON
[[nodiscard]] nlohmann::json read_json(const std::string& path);

}  // namespace unlearn::tool
