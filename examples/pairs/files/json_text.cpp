// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/json_text.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {

using nlohmann::json;

json parse_json(std::string_view text, const std::string& source, std::string_view what,
                std::size_t deepest) {
  std::vector<std::set<std::string>> names;  // in each open object; empty for an open array
  const auto watch = [&](int /*depth*/, json::parse_event_t event, const json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        names.emplace_back();
        require_in_file(names.size() <= deepest, source, what,
                        "nesting at most " + std::to_string(deepest) + " deep", "more");
        break;
      case json::parse_event_t::key: {
        const auto& name = parsed.get_ref<const std::string&>();
        require_in_file(names.back().insert(name).second, source, what,
                        "each name once in an object", json_quoted(name) + " again");
        break;
      }
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end: names.pop_back(); break;
      case json::parse_event_t::value: break;
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), watch);
  } catch (const json::parse_error& error) {
    const std::string got = "something else at its byte " + std::to_string(error.byte);
    require_in_file(false, source, what, "JSON", got);
  } catch (const json::out_of_range&) {
    require_in_file(false, source, what, "JSON", "a number that no double holds");
  }
  __builtin_unreachable();  // both handlers throw
}

std::string json_quoted(std::string_view text) {
  constexpr std::size_t longest = 64;
  std::string quoted =
      json(text.substr(0, longest)).dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > longest) quoted += "...";
  return quoted;
}

}  // namespace unlearn::pairs
