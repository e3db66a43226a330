// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace unlearn::pairs {

/// Finds the merge list of CLIP's tokenizer in an installed Python package open_clip_torch.
/// Searches the virtual environment, then the user's packages, then the system's; the newest Python
/// first.
/// @returns the path of the file, or nothing if there is none
[[nodiscard]] std::optional<std::string> installed_merge_list();

/// @returns `path`; if it is empty, the path of the installed merge list
/// @throws FileError when there is neither; the message says what to do
[[nodiscard]] std::string merge_list_or_default(const std::string& path);

}  // namespace unlearn::pairs
