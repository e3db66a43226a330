// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>

namespace unlearn::testing {

/// A file or folder of the reference data, which is no part of the project: in the folder that
/// $UNLEARN_SHARED names, else in `shared` beside the project. Nothing where it is not at hand.
///
///     const auto path = shared_data("golden/clip/tokens.json");
///     if (!path) GTEST_SKIP() << no_shared_data;
inline std::optional<std::filesystem::path> shared_data(std::string_view relative) {
  const char* const folder = std::getenv("UNLEARN_SHARED");
  const bool named = folder != nullptr && *folder != '\0';
  std::filesystem::path path = named ? std::filesystem::path(folder)
                                     : std::filesystem::path(UNLEARN_SOURCE_DIR) / ".." / "shared";
  path /= relative;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

inline constexpr std::string_view no_shared_data =
    "the reference data is not at hand; UNLEARN_SHARED names its folder";

}  // namespace unlearn::testing
