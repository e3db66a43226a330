// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pairs/cleaning/cleaning.hpp"

namespace unlearn::pairs {

/// A cleaning that people can ask for by name. To add one: write the function that makes its stage,
/// and give it an entry in cleaning_kinds(). The options of `unlearn train`, the cleanings that an
/// experiment may name and the labels of the report all come from there.
struct CleaningKind {
  std::string_view name{};  ///< "jpeg": the option without its hyphens, and the stage's first word
  std::string_view help{};
  int least = 1;  ///< of its number
  int most = 1;   ///< of its number; a kind with one value alone takes no number
  /// Its stage. @param number least to most
  CleaningStage (*stage)(int number) = nullptr;
  /// As people read it: "JPEG, quality 75".
  std::string (*label)(int number) = nullptr;
  /// As the subject of a sentence: "Cutting off the first word of each caption". Null for a kind
  /// that is only listed with its label.
  std::string (*subject)(int number) = nullptr;

  [[nodiscard]] bool has_number() const { return least < most; }
};

/// All kinds, in the order in which they are applied.
[[nodiscard]] std::span<const CleaningKind> cleaning_kinds();

/// Which cleanings are wanted.
struct CleaningOptions {
  /// [cleaning_kinds().size()]: each kind's number, or 0 where it is not wanted.
  std::vector<int> numbers = std::vector<int>(cleaning_kinds().size(), 0);
};

/// The stages that are wanted, in the order of cleaning_kinds().
[[nodiscard]] Cleaning cleaning_of(const CleaningOptions& options);

/// The cleanings that a text names: "none", "jpeg 75", or several with ", " between them.
/// @throws InvalidArgument for a name that no kind has, or a number that its kind does not take
[[nodiscard]] CleaningOptions cleaning_named(std::string_view text);

/// A kind and its number, as the name of a stage tells them.
struct NamedCleaning {
  const CleaningKind* kind = nullptr;  ///< null for a name that no kind has
  int number = 1;
};

/// Reads the name of a stage, which may come from anybody: "jpeg 75", "random-crop 0.5 to 1".
[[nodiscard]] NamedCleaning read_cleaning_name(std::string_view name);

/// The names of stages as people read them: "JPEG, quality 75"; "No cleaning" for "none". What no
/// kind is named for stays as it is.
[[nodiscard]] std::string cleaning_label(std::string_view names);

}  // namespace unlearn::pairs
