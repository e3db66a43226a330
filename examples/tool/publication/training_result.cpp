// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/training_result.hpp"

#include <concepts>
#include <type_traits>

#include "pairs/files/json_cursor.hpp"
#include "pairs/files/json_record.hpp"

namespace unlearn::tool {
namespace {

using pairs::JsonCursor;

/// Names the members of Retrieval: it is the library's, which knows no files.
template <class Archive, class Found>
void describe_retrieval(Archive& archive, Found& found) {
  auto& [signal_to_text, text_to_signal] = found;
  const auto score = [&](const char* direction, auto& one) {
    auto& [hit_at_k, median_rank] = one;
    archive.object(direction, [&](auto& inner) {
      inner("hit10", hit_at_k, [](const JsonCursor& value) { (void)value.number(0, 100); });
      inner("medr", median_rank, [](const JsonCursor& value) { (void)value.whole_number(1); });
    });
  };
  score("i2t", signal_to_text);
  score("t2i", text_to_signal);
}

}  // namespace

// What is written and what is read. The structured binding fails when a member is added.
template <class Archive, class Result>
  requires std::same_as<std::remove_const_t<Result>, TrainingResult>
void describe(Archive& archive, Result& result) {
  auto& [retrieval, settings, version, seconds] = result;
  describe_retrieval(archive, retrieval);
  archive("settings", settings);
  archive("version", version);
  archive("seconds", seconds);
}

nlohmann::json to_json(const Retrieval& found) {
  pairs::JsonWriter writer;
  describe_retrieval(writer, found);
  return writer.take();
}

nlohmann::json json_of(const TrainingResult& result) { return pairs::json_of_record(result); }

TrainingResult read_training_result(const std::string& path) {
  return pairs::read_record<TrainingResult>(pairs::JsonFile(path).top());
}

}  // namespace unlearn::tool
