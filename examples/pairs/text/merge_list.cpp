// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/merge_list.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <system_error>
#include <vector>

#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

namespace fs = std::filesystem;

void add_under_variable(std::vector<fs::path>& roots, const char* variable, const char* below) {
  const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): only read
  if (value != nullptr && *value != '\0') roots.push_back(fs::path(value) / below);
}

/// The folders `python3*` in a folder of libraries, the newest first: 3.12 before 3.9.
std::vector<fs::path> pythons_in(const fs::path& library) {
  std::vector<fs::path> pythons;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(library, ignored)) {
    if (entry.path().filename().string().starts_with("python3")) pythons.push_back(entry.path());
  }
  std::ranges::sort(pythons, std::ranges::greater{}, [](const fs::path& path) {
    const std::string name = path.filename().string();
    return std::pair(name.size(), name);
  });
  return pythons;
}

}  // namespace

std::optional<std::string> installed_merge_list() {
  std::vector<fs::path> libraries;
  add_under_variable(libraries, "VIRTUAL_ENV", "lib");
  add_under_variable(libraries, "CONDA_PREFIX", "lib");
  add_under_variable(libraries, "HOME", ".local/lib");
  libraries.insert(libraries.end(), {"/usr/local/lib", "/usr/lib"});
  for (const fs::path& library : libraries) {
    for (const fs::path& python : pythons_in(library)) {
      for (const char* const packages : {"site-packages", "dist-packages"}) {
        const fs::path file = python / packages / "open_clip/bpe_simple_vocab_16e6.txt.gz";
        std::error_code ignored;
        if (fs::is_regular_file(file, ignored)) return file.string();
      }
    }
  }
  return std::nullopt;
}

std::string merge_list_or_default(const std::string& path) {
  if (!path.empty()) return path;
  if (const auto installed = installed_merge_list()) return *installed;
  throw FileError(
      "CLIP's merge list: expected --vocab FILE (bpe_simple_vocab_16e6.txt.gz of OpenAI's CLIP), "
      "or an installed Python package open_clip_torch that brings it, got neither");
}

}  // namespace unlearn::pairs
