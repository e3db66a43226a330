// SPDX-License-Identifier: Apache-2.0
#include "pairs/cleaning/cleaning_kinds.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "pairs/files/json_text.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::pairs {
namespace {

constexpr std::string_view none = "none";

/// "word", or "3 words"
std::string words(int number) { return number == 1 ? "word" : std::to_string(number) + " words"; }

constexpr std::array<CleaningKind, 4> kinds{{
    {.name = "strip-words",
     .help = "Cut so many words off the front of each caption; its last word remains",
     .least = 1,
     .most = 1'000'000,
     .stage = [](int number) { return strip_words(static_cast<std::size_t>(number)); },
     .label = [](int number) { return "First " + words(number) + " cut off"; },
     .subject =
         [](int number) { return "Cutting off the first " + words(number) + " of each caption"; }},
    {.name = "jpeg",
     .help = "Save each image as JPEG of this quality, 1 to 100",
     .least = 1,
     .most = 100,
     .stage = jpeg,
     .label = [](int number) { return "JPEG, quality " + std::to_string(number); }},
    {.name = "grayscale",
     .help = "Take the colours away",
     .stage = [](int /*number*/) { return grayscale(); },
     .label = [](int /*number*/) { return std::string("Grey images"); }},
    {.name = "random-crop",
     .help = "Show another part of each image each time: 1/2 to all of its area, 3:4 to 4:3",
     .stage = [](int /*number*/) { return random_crop(); },
     .label = [](int /*number*/) { return std::string("Random crops"); }},
}};

/// Calls `use` on each part of a text with ", " between them.
template <class Use>
void for_each_name(std::string_view names, Use&& use) {
  constexpr std::string_view comma = ", ";
  for (std::size_t start = 0; start <= names.size();) {
    const std::size_t end = std::min(names.find(comma, start), names.size());
    use(names.substr(start, end - start));
    start = end + comma.size();
  }
}

std::string all_names() {
  std::string names(none);
  for (const CleaningKind& kind : kinds) names.append(", ").append(kind.name);
  return names;
}

}  // namespace

std::span<const CleaningKind> cleaning_kinds() { return kinds; }

Cleaning cleaning_of(const CleaningOptions& options) {
  require_size("numbers of cleanings", kinds.size(), options.numbers.size());
  Cleaning cleaning;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (options.numbers[i] != 0) cleaning.push_back(kinds[i].stage(options.numbers[i]));
  }
  return cleaning;
}

CleaningOptions cleaning_named(std::string_view text) {
  CleaningOptions options;
  if (text == none) return options;
  for_each_name(text, [&](std::string_view name) {
    const std::string_view number_text = name.substr(std::min(name.find(' '), name.size()));
    const auto* const kind =
        std::ranges::find(kinds, name.substr(0, name.find(' ')), &CleaningKind::name);
    require(kind != kinds.end(), "cleaning", "one of " + all_names(), json_quoted(name));
    int number = 1;
    const bool has_number = number_text.size() > 1 && parse_number(number_text.substr(1), number);
    const bool good = kind->has_number()
                          ? has_number && number >= kind->least && number <= kind->most
                          : number_text.empty();
    require(good, "cleaning",
            kind->has_number()
                ? std::string(kind->name) + " with a number from " + std::to_string(kind->least) +
                      " to " + std::to_string(kind->most)
                : std::string(kind->name) + " without a number",
            json_quoted(name));
    options.numbers[static_cast<std::size_t>(kind - kinds.begin())] = number;
  });
  return options;
}

NamedCleaning read_cleaning_name(std::string_view name) {
  const std::size_t space = std::min(name.find(' '), name.size());
  const auto* const kind = std::ranges::find(kinds, name.substr(0, space), &CleaningKind::name);
  if (kind == kinds.end()) return {};
  if (!kind->has_number()) return {.kind = kind};
  int number = 0;
  const bool good = space < name.size() && parse_number(name.substr(space + 1), number);
  return good ? NamedCleaning{.kind = kind, .number = number} : NamedCleaning{};
}

std::string cleaning_label(std::string_view names) {
  if (names == none) return "No cleaning";
  std::string label;
  for_each_name(names, [&](std::string_view name) {
    const NamedCleaning read = read_cleaning_name(name);
    label.append(label.empty() ? "" : ", ");
    label.append(read.kind != nullptr ? read.kind->label(read.number) : std::string(name));
  });
  return label;
}

}  // namespace unlearn::pairs
