// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>
#include <cstddef>

#include "pairs/cleaning/cleaning.hpp"

namespace unlearn::tool {

/// What the command line says about cleaning published pairs before training on them.
struct CleaningOptions {
  std::size_t strip_words = 0;
  int jpeg = 0;  ///< 0 for none
  bool grayscale = false;
  bool random_crop = false;
};

/// Gives a command `--strip-words`, `--jpeg`, `--grayscale` and `--random-crop`.
/// @param options must live until the command line is parsed
void add_cleaning_options(CLI::App& command, CleaningOptions& options);

/// The stages that were asked for, in the order in which `--help` lists them.
[[nodiscard]] pairs::Cleaning cleaning_of(const CleaningOptions& options);

}  // namespace unlearn::tool
