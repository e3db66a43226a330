// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/report_file.hpp"

#include <algorithm>
#include <cctype>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "pairs/files/json_text.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::tool::experiments {
namespace {

using nlohmann::json;

constexpr std::size_t most_bytes = std::size_t{64} << 20U;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// The numbers that a field may have.
struct Range {
  double least = 0;
  double most = infinity;
};

// --- The fields of report.json: one list for both directions. `file` writes or reads a field,
// given its name and its value. What is read may be absent, and what is empty is not written.

template <class T, class U>
concept Is = std::same_as<std::remove_const_t<T>, U>;

void fields(auto& file, Is<Direction> auto& direction) {
  file("hit10", direction.hit10, Range{0, 100});
  file("medr", direction.medr, Range{1});
}

void fields(auto& file, Is<Scores> auto& scores) {
  file("i2t", scores.i2t);
  file("t2i", scores.t2i);
}

void fields(auto& file, Is<Cell> auto& cell) {
  file("row", cell.row);
  file("architecture", cell.architecture);
  file("cleaning", cell.cleaning);
  fields(file, cell.scores);
}

void fields(auto& file, Is<TableRecord> auto& table) {
  file("experiment", table.experiment);
  file("cells", table.cells);
}

void fields(auto& file, Is<TrainedHacker> auto& run) {
  file("row", run.row);
  file("architecture", run.architecture);
  file("seed", run.seed);
  file("cleaning", run.cleaning);
  fields(file, run.scores);
  file("log", run.log_file);
}

void fields(auto& file, Is<ProtectionRecord> auto& protection) {
  file("row", protection.row);
  file("settings", protection.settings);
  file("result", protection.result);
  file("trace", protection.trace_file);
}

void fields(auto& file, Is<Perturbation> auto& found) {
  file("linf_levels", found.linf_levels, Range{0, 255});
  file("psnr_min", found.psnr_min, Range{-1000});
  file("psnr_mean", found.psnr_mean, Range{-1000});
  file("ssim_mean", found.ssim_mean, Range{-1, 1});
}

void fields(auto& file, Is<Example> auto& example) {
  file("row", example.row);
  file("clean", example.clean_file);
  file("protected", example.published_file);
  file("caption", example.caption);
  file("trigger", example.trigger);
  file("published", example.published);
}

void fields(auto& file, Is<RunRecord> auto& record) {
  file("title", record.title);
  file("preset", record.preset);
  file("version", record.version);
  file("command", record.command);
  file("tables", record.tables);
  file("runs", record.runs);
  file("protections", record.protections);
  file("perturbation", record.perturbation);
  file("seconds", record.seconds, Range{0});
  file("settings", record.settings);
  file("examples", record.examples);
}

// --- Writing

class JsonWriter {
 public:
  template <class Value>
  void operator()(const char* name, const Value& value, Range /*range*/ = {}) {
    json written = to_json(value);
    if (!is_empty(written)) object_[name] = std::move(written);
  }

  template <class Record>
  static json object_of(const Record& record) {
    JsonWriter writer;
    fields(writer, record);
    return writer.object_;
  }

 private:
  static bool is_empty(const json& value) {
    return value.is_null() || (value.is_structured() && value.empty()) ||
           (value.is_string() && value.get_ref<const std::string&>().empty());
  }

  static json to_json(const json& value) { return value; }
  static json to_json(const std::string& value) { return value; }
  static json to_json(std::uint64_t value) { return value; }
  static json to_json(double value) { return value; }
  static json to_json(const std::map<std::string, double>& values) { return values; }

  template <class T>
  static json to_json(const std::optional<T>& value) {
    return value ? to_json(*value) : json();
  }
  template <class T>
  static json to_json(const std::vector<T>& values) {
    json array = json::array();
    for (const T& value : values) array.push_back(to_json(value));
    return array;
  }
  template <class Record>
  static json to_json(const Record& record) {
    return object_of(record);
  }

  json object_ = json::object();
};

// --- Reading

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

/// A value of the record, and where it is.
class JsonCursor {
 public:
  JsonCursor(const std::string& source, std::string name, const json& value)
      : source_(&source), name_(std::move(name)), value_(&value) {}

  template <class Got>
  void require(bool holds, std::string_view expected, const Got& got) const {
    require_in_file(holds, *source_, name_.empty() ? "the whole" : name_, expected, got);
  }

  [[nodiscard]] const json& value() const { return *value_; }

  [[nodiscard]] std::optional<JsonCursor> find(const std::string& key) const {
    expect(value_->is_object(), "an object");
    const auto found = value_->find(key);
    if (found == value_->end()) return std::nullopt;
    return JsonCursor(*source_, member_name(key), *found);
  }

  [[nodiscard]] std::vector<std::pair<std::string, JsonCursor>> members() const {
    expect(value_->is_object(), "an object");
    std::vector<std::pair<std::string, JsonCursor>> found;
    for (const auto& item : value_->items()) {
      found.emplace_back(item.key(), JsonCursor(*source_, member_name(item.key()), item.value()));
    }
    return found;
  }

  [[nodiscard]] std::vector<JsonCursor> elements() const {
    expect(value_->is_array(), "an array");
    std::vector<JsonCursor> found;
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

  [[nodiscard]] std::uint64_t whole_number() const {
    require(value_->is_number_unsigned(), "a whole number from 0", value_->dump().substr(0, 64));
    return value_->get<std::uint64_t>();
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

class JsonReader {
 public:
  explicit JsonReader(const JsonCursor& object) : object_(object) {}

  template <class Value>
  void operator()(const char* name, Value& value, Range range = {}) {
    if (const auto found = object_.find(name)) read(*found, value, range);
  }

  template <class Record>
  static void read_object(const JsonCursor& object, Record& record) {
    JsonReader reader(object);
    fields(reader, record);
  }

 private:
  static void read(const JsonCursor& at, json& value, Range /*range*/) { value = at.value(); }
  static void read(const JsonCursor& at, std::string& value, Range /*range*/) { value = at.text(); }
  static void read(const JsonCursor& at, std::uint64_t& value, Range /*range*/) {
    value = at.whole_number();
  }
  static void read(const JsonCursor& at, double& value, Range range) {
    value = at.number(range.least, range.most);
  }
  static void read(const JsonCursor& at, std::map<std::string, double>& values, Range range) {
    for (const auto& [name, member] : at.members()) read(member, values[name], range);
  }
  template <class T>
  static void read(const JsonCursor& at, std::optional<T>& value, Range range) {
    read(at, value.emplace(), range);
  }
  template <class T>
  static void read(const JsonCursor& at, std::vector<T>& values, Range range) {
    for (const JsonCursor& element : at.elements()) {
      read(element, values.emplace_back(), range);
    }
  }
  template <class Record>
  static void read(const JsonCursor& at, Record& record, Range /*range*/) {
    read_object(at, record);
  }

  const JsonCursor& object_;
};

std::string experiment_ids() {
  std::string ids;
  for (const Experiment& experiment : experiments()) {
    ids.append(ids.empty() ? "one of " : ", ").append(experiment.id);
  }
  return ids;
}

}  // namespace

std::string report_text(const RunRecord& record) {
  return JsonWriter::object_of(record).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void write_report_file(const std::string& path, const RunRecord& record) {
  const std::string text = report_text(record);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

RunRecord read_report_file(const std::string& path) {
  const json whole = pairs::parse_json(text_of(path), path, "the whole", /*deepest=*/32);
  RunRecord record;
  JsonReader::read_object(JsonCursor(path, "", whole), record);
  for (std::size_t i = 0; i < record.tables.size(); ++i) {
    const std::string& id = record.tables[i].experiment;
    require_in_file(find_experiment(id) != nullptr, path,
                    "tables[" + std::to_string(i) + "].experiment", experiment_ids(),
                    pairs::json_quoted(id));
  }
  return record;
}

}  // namespace unlearn::tool::experiments
