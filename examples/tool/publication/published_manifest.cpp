// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/published_manifest.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "pairs/captions/caption_file.hpp"
#include "pairs/files/json_text.hpp"
#include "pairs/files/regular_file.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/file_mapping.hpp"

namespace unlearn::tool {
namespace {

using nlohmann::json;

/// A value in the manifest, and where it stands there.
struct Member {
  const json& value;
  const std::string& path;
  std::string place;  ///< a JSON pointer, RFC 6901

  template <class Expected, class Got>
  void require(bool holds, const Expected& expected, const Got& got) const {
    if (!holds) require_in_file(false, path, place.empty() ? "top level" : place, expected, got);
  }

  [[nodiscard]] bool has(const char* key) const { return value.is_object() && value.contains(key); }

  [[nodiscard]] Member operator[](const char* key) const {
    require(value.is_object(), "an object", value.type_name());
    const auto found = value.find(key);
    require_in_file(found != value.end(), path, place + "/" + key, "a value", "nothing");
    return {.value = *found, .path = path, .place = place + "/" + key};
  }

  /// Calls work(member) for each of an array.
  template <class Work>
  void for_each(const Work& work) const {
    require(value.is_array(), "an array", value.type_name());
    for (std::size_t i = 0; i < value.size(); ++i) {
      work(Member{.value = value[i], .path = path, .place = place + "/" + std::to_string(i)});
    }
  }

  [[nodiscard]] const std::string& text() const {
    require(value.is_string(), "a string", value.type_name());
    return value.get_ref<const std::string&>();
  }

  [[nodiscard]] std::size_t number(std::size_t least, std::size_t most) const {
    const std::string expected =
        "an integer, " + std::to_string(least) + " to " + std::to_string(most);
    require(value.is_number_unsigned(), expected,
            value.is_number() ? pairs::json_quoted(value.dump()) : std::string(value.type_name()));
    const auto number = value.get<std::uint64_t>();
    require(number >= least && number <= most, expected, number);
    return number;
  }

  /// A path that stays in its folder, and that no other text names.
  [[nodiscard]] const std::string& relative_path() const {
    const std::string& name = text();
    require(pairs::is_image_name(name) &&
                std::filesystem::path(name).lexically_normal().string() == name &&
                !name.ends_with('/'),
            "a relative path in its shortest form", pairs::json_quoted(name));
    return name;
  }

  [[nodiscard]] const std::string& digest() const {
    const std::string& digits = text();
    const bool is_digest = digits.size() == 64 && std::ranges::all_of(digits, [](char c) {
                             return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                           });
    require(is_digest, "64 hexadecimal digits in lower case", pairs::json_quoted(digits));
    return digits;
  }
};

std::optional<std::vector<std::string>> read_words(const Member& tokenizer) {
  const std::string& kind = tokenizer["kind"].text();
  tokenizer["kind"].require(kind == "bpe" || kind == "words", "\"bpe\" or \"words\"",
                            pairs::json_quoted(kind));
  if (kind == "bpe") return std::nullopt;
  std::vector<std::string> words;
  tokenizer["words"].for_each([&](const Member& word) { words.push_back(word.text()); });
  return words;
}

std::vector<ManifestImage> read_images(const Member& list) {
  std::vector<ManifestImage> images;
  list.for_each([&](const Member& image) {
    image["file"].require(image["file"].relative_path().starts_with("images/"), "a path in images/",
                          pairs::json_quoted(image["file"].text()));
    images.push_back({.file = image["file"].text(),
                      .sha256 = image["sha256"].digest(),
                      .source = image["source"].relative_path(),
                      .source_sha256 = image["source_sha256"].digest()});
  });
  list.require(!images.empty(), "at least 1 image", "none");
  std::set<std::string_view> files;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::string place = list.place + "/" + std::to_string(i);
    require_in_file(files.insert(images[i].file).second, list.path, place + "/file",
                    "a file of its own", pairs::json_quoted(images[i].file) + " again");
  }
  return images;
}

std::vector<std::size_t> read_rows(const Member& list) {
  constexpr std::size_t most = 0xFFFF'FFFF;
  std::vector<std::size_t> rows;
  list.for_each([&](const Member& entry) {
    const Member row = entry["row"];
    const std::size_t number = row.number(0, most);
    row.require(rows.empty() || number > rows.back(), "more than in the row before", number);
    rows.push_back(number);
  });
  return rows;
}

}  // namespace

PublishedManifest read_published_manifest(const std::string& path, std::size_t most_bytes) {
  pairs::require_regular_file(path);
  const FileMapping file(path);
  require_in_file(file.bytes().size() <= most_bytes, path, "size in bytes",
                  "at most " + std::to_string(most_bytes), file.bytes().size());
  const std::string_view text(
      reinterpret_cast<const char*>(file.bytes().data()),  // NOLINT(*-reinterpret-cast)
      file.bytes().size());
  constexpr std::size_t deepest = 8;  // other versions may say more
  const json contents = pairs::parse_json(text, path, "contents", deepest);

  const Member top{.value = contents, .path = path, .place = {}};
  const std::string& program = top["program"].text();
  top["program"].require(program == "unlearn", "\"unlearn\"", pairs::json_quoted(program));
  const Member settings = top["settings"];
  constexpr std::size_t longest_context = 1'000'000;
  PublishedManifest manifest{
      .epsilon_levels = settings["epsilon_levels"].number(0, 255),
      .size = settings["size"].number(1, 16'384),
      .context_length = settings["context_length"].number(2, longest_context),
  };
  // The end token must have room behind the trigger.
  manifest.trigger_length = settings["trigger_length"].number(0, manifest.context_length - 2);
  if (settings.has("split")) manifest.split = settings["split"].text();
  manifest.words = read_words(settings["tokenizer"]);
  manifest.images = read_images(top["images"]);
  if (top.has("rows")) manifest.rows = read_rows(top["rows"]);
  return manifest;
}

}  // namespace unlearn::tool
