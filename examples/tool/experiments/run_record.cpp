// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/run_record.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>

#include "pairs/files/json_text.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/stable_sort_by.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::tool::report {
namespace {

using nlohmann::json;

constexpr std::size_t most_bytes = std::size_t{64} << 20U;
constexpr double infinity = std::numeric_limits<double>::infinity();

struct KnownRow {
  std::string_view name;
  std::string_view label;
};
/// In the paper's order.
constexpr std::array<KnownRow, 6> known_rows{{{"random", "Untrained"},
                                              {"clean", "Clean"},
                                              {"em", "EM"},
                                              {"uap", "UAP"},
                                              {"mem3", "MEM-3"},
                                              {"mem5", "MEM-5"}}};

const KnownRow* known(std::string_view row) {
  const auto* const found = std::ranges::find(known_rows, row, &KnownRow::name);
  return found == known_rows.end() ? nullptr : found;
}

/// Known methods come first, in the paper's order; others by name.
void sort_rows(std::vector<NamedScores>& rows) {
  stable_sort_by(std::span(rows), [](const NamedScores& row) {
    const auto* const found = std::ranges::find(known_rows, row.name, &KnownRow::name);
    return std::pair(found, found == known_rows.end() ? row.name : std::string());
  });
}

std::string text_of(const std::string& path) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (failure) require_in_file(false, path, "contents", "a readable file", failure.message());
  require_in_file(size <= most_bytes, path, "size in bytes",
                  "at most " + std::to_string(most_bytes), size);
  std::ifstream in(path, std::ios::binary);
  require_in_file(in.is_open(), path, "contents", "a readable file", "an error");
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A value of the record, and where it stands.
class Field {
 public:
  Field(const std::string& source, std::string name, const json& value)
      : source_(&source), name_(std::move(name)), value_(&value) {}

  template <class Got>
  void require(bool holds, std::string_view expected, const Got& got) const {
    require_in_file(holds, *source_, name_.empty() ? "the whole" : name_, expected, got);
  }

  [[nodiscard]] const json& value() const { return *value_; }

  [[nodiscard]] std::optional<Field> find(const std::string& key) const {
    expect(value_->is_object(), "an object");
    const auto found = value_->find(key);
    if (found == value_->end()) return std::nullopt;
    return Field(*source_, member_name(key), *found);
  }

  [[nodiscard]] std::vector<std::pair<std::string, Field>> members() const {
    expect(value_->is_object(), "an object");
    std::vector<std::pair<std::string, Field>> found;
    for (const auto& item : value_->items()) {
      found.emplace_back(item.key(), Field(*source_, member_name(item.key()), item.value()));
    }
    return found;
  }

  [[nodiscard]] std::vector<Field> elements() const {
    expect(value_->is_array(), "an array");
    std::vector<Field> found;
    for (const json& element : *value_) {
      const std::string name = name_ + '[' + std::to_string(found.size()) + ']';
      found.emplace_back(*source_, name, element);
    }
    return found;
  }

  [[nodiscard]] double number(double least, double most) const {
    expect(value_->is_number(), "a number");
    const auto number = value_->get<double>();
    std::string expected = "a number from " + shortest(least);
    if (most < infinity) expected += " to " + shortest(most);
    require(number >= least && number <= most, expected, value_->dump());
    return number;
  }

  [[nodiscard]] const std::string& text() const {
    expect(value_->is_string(), "a string");
    return value_->get_ref<const std::string&>();
  }

 private:
  void expect(bool holds, std::string_view expected) const {
    if (holds) return;
    const bool scalar = value_->is_primitive();
    require(false, expected, scalar ? json_quoted_value() : std::string(value_->type_name()));
  }

  [[nodiscard]] std::string json_quoted_value() const {
    return value_->is_string() ? pairs::json_quoted(value_->get_ref<const std::string&>())
                               : value_->dump();
  }

  [[nodiscard]] std::string member_name(const std::string& key) const {
    const std::string quoted = pairs::json_quoted(key);
    const bool plain = std::ranges::all_of(key, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-' || c == ' ';
    });
    const std::string shown = plain && key.size() <= 64 ? key : quoted;
    return name_.empty() ? shown : name_ + '.' + shown;
  }

  static std::string shortest(double number) { return json(number).dump(); }

  const std::string* source_;
  std::string name_;
  const json* value_;
};

std::string text_or_nothing(const Field& field, const std::string& key) {
  const auto found = field.find(key);
  return found ? found->text() : std::string();
}

std::optional<double> number_or_nothing(const Field& field, const std::string& key, double least,
                                        double most = infinity) {
  const auto found = field.find(key);
  if (!found) return std::nullopt;
  return found->number(least, most);
}

Direction read_direction(const Field& field) {
  return {.hit10 = number_or_nothing(field, "hit10", 0, 100),
          .medr = number_or_nothing(field, "medr", 1)};
}

Scores read_scores(const Field& field) {
  Scores scores;
  if (const auto i2t = field.find("i2t")) scores.i2t = read_direction(*i2t);
  if (const auto t2i = field.find("t2i")) scores.t2i = read_direction(*t2i);
  return scores;
}

std::vector<NamedScores> read_named_scores(const Field& field) {
  std::vector<NamedScores> named;
  for (const auto& [name, scores] : field.members()) {
    named.push_back({.name = name, .scores = read_scores(scores)});
  }
  return named;
}

std::string short_name(std::string_view line) { return pairs::json_quoted(line.substr(0, 80)); }

/// A CSV file of numbers under a header; a field may be empty.
class NumberTable {
 public:
  explicit NumberTable(std::string path) : path_(std::move(path)) {
    const std::string text = text_of(path_);
    std::string_view rest = text;
    std::size_t line = 0;
    while (!rest.empty()) {
      std::string_view content = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), content.size() + 1));
      ++line;
      if (content.ends_with('\r')) content.remove_suffix(1);
      if (line == 1) {
        header_ = fields_of(content);
      } else {
        add(content, line);
      }
    }
  }

  [[nodiscard]] std::size_t size() const { return rows_.size(); }

  /// @throws FileError unless the header has it
  [[nodiscard]] std::size_t column(std::string_view name) const {
    const auto found = std::ranges::find(header_, name);
    require_in_file(found != header_.end(), path_, "header", "a column '" + std::string(name) + "'",
                    "none");
    return static_cast<std::size_t>(found - header_.begin());
  }

  [[nodiscard]] std::optional<double> at(std::size_t row, std::size_t column) const {
    return rows_[row][column];
  }

  /// The number in a column that must have one.
  [[nodiscard]] double number(std::size_t row, std::size_t column) const {
    require_in_file(rows_[row][column].has_value(), path_, place(row + 2, column), "a number",
                    "an empty field");
    return rows_[row][column].value_or(0);
  }

 private:
  static std::vector<std::string> fields_of(std::string_view line) {
    std::vector<std::string> fields;
    for (std::size_t start = 0; start <= line.size();) {
      const std::size_t end = std::min(line.find(',', start), line.size());
      fields.emplace_back(line.substr(start, end - start));
      start = end + 1;
    }
    return fields;
  }

  [[nodiscard]] std::string place(std::size_t line, std::size_t column) const {
    return "line " + std::to_string(line) + ", " + short_name(header_[column]);
  }

  void add(std::string_view content, std::size_t line) {
    const std::vector<std::string> fields = fields_of(content);
    require_in_file(fields.size() == header_.size(), path_, "line " + std::to_string(line),
                    std::to_string(header_.size()) + " fields", fields.size());
    auto& row = rows_.emplace_back();
    for (std::size_t column = 0; column < fields.size(); ++column) {
      const std::string& field = fields[column];
      if (field.empty()) {
        row.emplace_back();
        continue;
      }
      double number = 0;
      const bool good = parse_number(field, number) && std::isfinite(number);
      if (!good) {
        require_in_file(false, path_, place(line, column), "a finite number", short_name(field));
      }
      row.emplace_back(number);
    }
  }

  std::string path_;
  std::vector<std::string> header_;
  std::vector<std::vector<std::optional<double>>> rows_;
};

/// Reads the record of one directory.
class Reader {
 public:
  explicit Reader(const std::string& directory)
      : directory_(directory), source_((directory_ / "report.json").string()) {}

  RunRecord read() {
    const json whole = pairs::parse_json(text_of(source_), source_, "the whole", /*deepest=*/32);
    const Field field(source_, "", whole);
    RunRecord record{.title = text_or_nothing(field, "title"),
                     .preset = text_or_nothing(field, "preset"),
                     .version = text_or_nothing(field, "version"),
                     .command = text_or_nothing(field, "command")};
    if (const auto rows = field.find("rows")) {
      record.rows = read_named_scores(*rows);
      sort_rows(record.rows);
    }
    if (const auto runs = field.find("runs")) {
      for (const Field& run : runs->elements()) record.runs.push_back(read_hacker(run));
    }
    if (const auto architectures = field.find("architectures")) {
      for (const auto& [name, rows] : architectures->members()) {
        record.architectures.push_back({.name = name, .rows = read_named_scores(rows)});
        sort_rows(record.architectures.back().rows);
      }
    }
    if (const auto stress = field.find("stress")) record.stress = read_stress(*stress);
    if (const auto protections = field.find("protections")) {
      for (const Field& protection : protections->elements()) {
        record.protections.push_back(read_protection(protection));
      }
    }
    if (const auto perturbation = field.find("perturbation")) {
      record.perturbation = {.linf_levels = number_or_nothing(*perturbation, "linf_levels", 0, 255),
                             .psnr_min = number_or_nothing(*perturbation, "psnr_min", -1000),
                             .psnr_mean = number_or_nothing(*perturbation, "psnr_mean", -1000),
                             .ssim_mean = number_or_nothing(*perturbation, "ssim_mean", -1, 1)};
    }
    if (const auto seconds = field.find("seconds")) {
      for (const auto& [stage, taken] : seconds->members()) {
        record.seconds.emplace_back(stage, taken.number(0, infinity));
      }
    }
    if (const auto settings = field.find("settings")) flatten(*settings, "", record.settings);
    if (const auto examples = field.find("examples")) {
      for (const Field& example : examples->elements()) {
        record.examples.push_back(read_example(example));
      }
    }
    return record;
  }

 private:
  /// The file that a field names.
  [[nodiscard]] std::string file_named_by(const Field& field) const {
    const std::string& name = field.text();
    const std::filesystem::path path(name);
    const bool printable = std::ranges::none_of(
        name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    const bool relative = !name.empty() && printable && path.is_relative() &&
                          std::ranges::find(path, "..") == path.end();
    field.require(relative, "a relative path without '..' and control characters",
                  pairs::json_quoted(name));
    // A link may lead outside all the same.
    std::error_code failure;
    const auto target = std::filesystem::canonical(directory_ / path, failure);
    field.require(!failure, "a file", pairs::json_quoted(name) + " (" + failure.message() + ")");
    const auto home = std::filesystem::canonical(directory_);
    const auto [in_home, in_target] = std::ranges::mismatch(home, target);
    field.require(in_home == home.end(), "a file inside the run's folder",
                  pairs::json_quoted(name) + ", a link that leads out of it");
    return (directory_ / path).string();
  }

  [[nodiscard]] TrainedHacker read_hacker(const Field& field) const {
    TrainedHacker run{.row = text_or_nothing(field, "row"),
                      .architecture = text_or_nothing(field, "architecture"),
                      .cleaning = text_or_nothing(field, "cleaning"),
                      .scores = read_scores(field)};
    if (run.cleaning.empty()) run.cleaning = "none";
    if (const auto seed = field.find("seed")) {
      seed->require(seed->value().is_number_unsigned(), "a whole number from 0",
                    seed->value().dump().substr(0, 64));
      run.seed = seed->value().get<std::uint64_t>();
    }
    if (const auto log = field.find("log")) {
      const NumberTable table(file_named_by(*log));
      const std::size_t epoch = table.column("epoch");
      const std::size_t loss = table.column("loss");
      const std::array<std::size_t, 4> scores{table.column("i2t_hit10"), table.column("i2t_medr"),
                                              table.column("t2i_hit10"), table.column("t2i_medr")};
      for (std::size_t row = 0; row < table.size(); ++row) {
        run.log.push_back(
            {.epoch = table.number(row, epoch),
             .loss = table.at(row, loss),
             .scores = {
                 .i2t = {.hit10 = table.at(row, scores[0]), .medr = table.at(row, scores[1])},
                 .t2i = {.hit10 = table.at(row, scores[2]), .medr = table.at(row, scores[3])}}});
      }
    }
    return run;
  }

  static Stress read_stress(const Field& field) {
    Stress stress{.row = text_or_nothing(field, "row")};
    if (const auto cleanings = field.find("cleanings")) {
      stress.cleanings = read_named_scores(*cleanings);
      stable_sort_by(std::span(stress.cleanings), [](const NamedScores& cleaning) {
        const auto& [i2t, t2i] = cleaning.scores;
        return std::pair(cleaning.name != "none",
                         -std::log(i2t.medr.value_or(1)) - std::log(t2i.medr.value_or(1)));
      });
    }
    return stress;
  }

  [[nodiscard]] ProtectionTrace read_protection(const Field& field) const {
    ProtectionTrace protection{.row = text_or_nothing(field, "row")};
    if (const auto trace = field.find("trace")) {
      const NumberTable table(file_named_by(*trace));
      const std::size_t round = table.column("round");
      const std::size_t surrogate = table.column("surrogate");
      const std::size_t trigger = table.column("trigger");
      const std::size_t noise = table.column("noise");
      for (std::size_t row = 0; row < table.size(); ++row) {
        protection.lines.push_back({.round = table.number(row, round),
                                    .surrogate = table.at(row, surrogate),
                                    .trigger = table.at(row, trigger),
                                    .noise = table.at(row, noise)});
      }
    }
    return protection;
  }

  static void flatten(const Field& field, const std::string& name,
                      std::vector<std::pair<std::string, std::string>>& flat) {
    const json& value = field.value();
    const auto add_all = [&](const auto& members) {
      for (const auto& [key, member] : members) {
        flatten(member, name.empty() ? key : name + '.' + key, flat);
      }
    };
    const bool holds_objects =
        value.is_array() &&
        std::ranges::any_of(value, [](const json& element) { return element.is_structured(); });
    if (value.is_object() && !value.empty()) {
      add_all(field.members());
    } else if (holds_objects) {
      std::size_t number = 0;
      for (const Field& element : field.elements()) {
        flatten(element, name + '[' + std::to_string(number++) + ']', flat);
      }
    } else {
      flat.emplace_back(name, value.is_string() ? field.text() : value.dump());
    }
  }

  [[nodiscard]] std::optional<pairs::Image> image_or_nothing(const Field& field,
                                                             const std::string& key) const {
    const auto found = field.find(key);
    if (!found) return std::nullopt;
    // What a page can hold as it is.
    return pairs::read_image(file_named_by(*found),
                             {.side = 2048, .pixels = 2048UL * 2048, .file_bytes = most_bytes});
  }

  [[nodiscard]] Example read_example(const Field& field) const {
    Example example{.row = text_or_nothing(field, "row"),
                    .clean = image_or_nothing(field, "clean"),
                    .published_image = image_or_nothing(field, "protected"),
                    .caption = text_or_nothing(field, "caption"),
                    .trigger = text_or_nothing(field, "trigger"),
                    .published = text_or_nothing(field, "published")};
    if (example.clean && example.published_image) {
      const auto size = [](const pairs::Image& image) {
        return std::to_string(image.width) + " x " + std::to_string(image.height) + " pixels";
      };
      const std::string expected = size(*example.clean);
      const std::string got = size(*example.published_image);
      field.require(got == expected, "a protected image as large as the clean one, " + expected,
                    got);
    }
    return example;
  }

  std::filesystem::path directory_;
  std::string source_;
};

}  // namespace

RunRecord read_run(const std::string& directory) { return Reader(directory).read(); }

const Scores* find_scores(const std::vector<NamedScores>& among, std::string_view name) {
  const auto found = std::ranges::find(among, name, &NamedScores::name);
  return found == among.end() ? nullptr : &found->scores;
}

std::string row_label(std::string_view row) {
  const KnownRow* const found = known(row);
  return std::string(found != nullptr ? found->label : row);
}

std::string cleaning_label(std::string_view cleaning) {
  const std::size_t space = cleaning.find(' ');
  const std::string_view kind = cleaning.substr(0, space);
  const std::string number(space == std::string_view::npos ? "" : cleaning.substr(space + 1));
  if (cleaning == "none") return "No cleaning";
  if (cleaning == "grayscale") return "Grey images";
  if (cleaning == "random-crop") return "Random crops";
  if (kind == "jpeg" && !number.empty()) return "JPEG, quality " + number;
  if (kind == "strip-words" && number == "1") return "First word cut off";
  if (kind == "strip-words" && !number.empty()) return "First " + number + " words cut off";
  return std::string(cleaning);
}

}  // namespace unlearn::tool::report
