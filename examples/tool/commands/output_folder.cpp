// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/output_folder.hpp"

#include <span>
#include <system_error>
#include <utility>

#include "pairs/files/json_cursor.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"

namespace unlearn::tool {
namespace {

namespace fs = std::filesystem;

/// The path of the first value in which two settings differ.
std::string first_difference(const nlohmann::json& ours, const nlohmann::json& theirs) {
  for (const auto& change : nlohmann::json::diff(theirs, ours)) {
    const std::string path = change.at("path");
    const nlohmann::json::json_pointer pointer(path);
    const auto value = [&](const nlohmann::json& in) {
      return in.contains(pointer) ? in.at(pointer).dump().substr(0, 100) : std::string("nothing");
    };
    return expectation(path.substr(1), value(theirs), value(ours));
  }
  return {};
}

}  // namespace

OutputFolder::OutputFolder(std::string path, std::string done_file, const nlohmann::json& settings,
                           bool resume)
    : path_(std::move(path)), done_file_(std::move(done_file)) {
  const std::string name = "output folder '" + path_.string() + "'";
  std::error_code failure;
  fs::create_directories(path_, failure);
  if (failure) throw FileError(expectation(name, "to make it", failure.message()));
  const std::string record = file("run/settings.json");
  complete_ = fs::exists(file(done_file_));
  const bool begun = complete_ || fs::exists(record);
  if (begun && !resume) {
    throw FileError(expectation(name, "another folder, or --resume to continue the run in this one",
                                complete_ ? "a complete run" : "an unfinished run"));
  }
  if (!begun) {
    for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
      // A run that was killed at once leaves no more than this.
      if (entry.path().filename() == "run" && resume) continue;
      throw FileError(expectation(name, "an empty folder, or none yet",
                                  "'" + entry.path().filename().string() + "' in it"));
    }
    fs::create_directories(path_ / "run", failure);
    if (failure) throw FileError(expectation(name, "to make run/", failure.message()));
    write_json(record, settings);
    return;
  }
  const nlohmann::json before =
      complete_ ? read_json(file(done_file_)).value("settings", nlohmann::json())
                : read_json(record);
  if (const std::string difference = first_difference(settings, before); !difference.empty()) {
    throw FileError("the run in " + name + " was started with other settings, " + difference);
  }
}

std::string OutputFolder::run_file(const std::string& name) const { return file("run/" + name); }

void OutputFolder::finish(const nlohmann::json& done) const {
  write_json(file(done_file_), done);
  std::error_code ignored;
  fs::remove_all(path_ / "run", ignored);
}

void write_json(const std::string& path, const nlohmann::json& json) {
  const std::string text =
      json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

nlohmann::json read_json(const std::string& path) { return pairs::JsonFile(path).top().value(); }

}  // namespace unlearn::tool
