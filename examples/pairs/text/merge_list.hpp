// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace unlearn::pairs {

/// The merge list of CLIP's tokenizer that an installed Python package open_clip_torch brings:
/// looked for in the virtual environment, the user's packages and the system's, the newest Python
/// first.
[[nodiscard]] std::optional<std::string> installed_merge_list();

/// `path`, or the installed merge list where `path` is empty.
/// @throws FileError that says what to do when there is neither.
[[nodiscard]] std::string merge_list_or_default(const std::string& path);

}  // namespace unlearn::pairs
