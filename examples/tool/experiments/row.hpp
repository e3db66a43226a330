// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace unlearn::tool::experiments {

/// How what a hacker trains on was made.
enum class Method {
  untrained,  ///< the hacker trains on nothing
  clean,      ///< the pairs as they are
  em,
  uap,
  mem,
};

/// A colour ("#rrggbb") on paper, and on a dark screen.
struct ColourPair {
  std::string_view light{};
  std::string_view dark{};
};

/// What hackers train on, and how tables and figures show it.
struct Row {
  std::string_view name{};   ///< in report.json, in names of folders, on the terminal
  std::string_view label{};  ///< on the page
  ColourPair colour{};
  Method method = Method::clean;
  std::size_t trigger_length = 0;  ///< tokens in front of each caption

  /// Whether somebody has to protect pairs first.
  [[nodiscard]] bool is_protected() const {
    return method != Method::untrained && method != Method::clean;
  }
};

namespace row {

// The colours are Okabe and Ito's, darkened or lightened to stand out from the page: people of any
// colour vision tell them apart, and every figure names its lines besides.
inline constexpr Row untrained{.name = "random",
                               .label = "Untrained",
                               .colour = {"#767c85", "#9aa2ad"},
                               .method = Method::untrained};
inline constexpr Row clean{
    .name = "clean", .label = "Clean", .colour = {"#0072b2", "#5ab4e6"}, .method = Method::clean};
inline constexpr Row em{
    .name = "em", .label = "EM", .colour = {"#b07d00", "#e8b13a"}, .method = Method::em};
inline constexpr Row uap{
    .name = "uap", .label = "UAP", .colour = {"#00875f", "#35c59a"}, .method = Method::uap};
inline constexpr Row mem3{.name = "mem3",
                          .label = "MEM-3",
                          .colour = {"#d55e00", "#ff8f4f"},
                          .method = Method::mem,
                          .trigger_length = 3};
inline constexpr Row mem5{.name = "mem5",
                          .label = "MEM-5",
                          .colour = {"#a8427f", "#e58cc2"},
                          .method = Method::mem,
                          .trigger_length = 5};

}  // namespace row

/// All rows, in the paper's order.
inline constexpr std::array<const Row*, 6> all_rows{&row::untrained, &row::clean, &row::em,
                                                    &row::uap,       &row::mem3,  &row::mem5};

/// The row of a name, or null.
[[nodiscard]] const Row* find_row(std::string_view name);

/// Whether a name is that of a row of this method.
[[nodiscard]] bool is_row_of(Method method, std::string_view name);

/// Whether a name is that of a protected row. A name that no row has counts as one.
[[nodiscard]] bool is_protection(std::string_view name);

/// A row as people read it: "em" is "EM". A name that no row has stays as it is.
[[nodiscard]] std::string row_label(std::string_view name);

/// What names of rows are sorted by: their places in all_rows; names that no row has come last, by
/// the alphabet.
[[nodiscard]] std::pair<std::size_t, std::string> place_of_row(const std::string& name);

}  // namespace unlearn::tool::experiments
