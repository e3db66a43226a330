// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/report_file.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "pairs/files/json_cursor.hpp"
#include "pairs/files/json_text.hpp"
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

using pairs::JsonCursor;

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
  const pairs::JsonFile file(path, {.bytes = most_bytes});
  RunRecord record;
  JsonReader::read_object(file.top(), record);
  for (std::size_t i = 0; i < record.tables.size(); ++i) {
    const std::string& id = record.tables[i].experiment;
    require_in_file(find_experiment(id) != nullptr, path,
                    "/tables/" + std::to_string(i) + "/experiment", experiment_ids(),
                    pairs::json_quoted(id));
  }
  return record;
}

}  // namespace unlearn::tool::experiments
