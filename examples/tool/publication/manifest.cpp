// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/manifest.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <filesystem>
#include <set>
#include <string_view>
#include <type_traits>

#include "pairs/captions/caption_file.hpp"
#include "pairs/files/json_cursor.hpp"
#include "pairs/files/json_record.hpp"
#include "pairs/files/json_text.hpp"

namespace unlearn::tool {
namespace {

using pairs::JsonCursor;

constexpr std::string_view program = "unlearn";
constexpr std::size_t deepest = 8;  // other versions may say more

enum class TokenizerKind : std::uint8_t { bpe, words };
constexpr std::array<pairs::EnumName<TokenizerKind>, 2> enum_names(TokenizerKind /*like*/) {
  return {{{TokenizerKind::bpe, "bpe"}, {TokenizerKind::words, "words"}}};
}

auto within(std::uint64_t least, std::uint64_t most) {
  return [least, most](const JsonCursor& value) { (void)value.whole_number(least, most); };
}

/// A path that stays in its folder, and that no other text names.
void relative_path(const JsonCursor& value) {
  const std::string& name = value.text();
  value.require(pairs::is_image_name(name) &&
                    std::filesystem::path(name).lexically_normal().string() == name &&
                    !name.ends_with('/'),
                "a relative path in its shortest form");
}

void path_in_images(const JsonCursor& value) {
  relative_path(value);
  value.require(value.text().starts_with("images/"), "a path in images/");
}

void digest(const JsonCursor& value) { (void)value.sha256(); }

void our_program(const JsonCursor& value) {
  value.require(value.text() == program, pairs::json_quoted(program));
}

void at_least_one_image(const JsonCursor& value) {
  value.require(!value.elements().empty(), "at least 1 image", "none");
}

template <class T, class Record>
concept Is = std::same_as<std::remove_const_t<T>, Record>;

}  // namespace

// What is written and what is read, once for each record. The structured bindings fail when a
// member is added.

template <class Archive, Is<ManifestImage> Record>
void describe(Archive& archive, Record& image) {
  auto& [file, sha256, source, source_sha256] = image;
  archive("file", file, path_in_images);
  archive("sha256", sha256, digest);
  archive("source", source, relative_path);
  archive("source_sha256", source_sha256, digest);
}

template <class Archive, Is<ManifestRow> Record>
void describe(Archive& archive, Record& published) {
  auto& [row] = published;
  archive("row", row, within(0, 0xFFFF'FFFF));
}

template <class Archive, Is<ProtectionResult> Record>
void describe(Archive& archive, Record& result) {
  auto& [stop, rounds, loss, train_steps, rows] = result;
  archive("stop", stop);
  archive("rounds", rounds);
  archive("loss", loss);
  archive("train_steps", train_steps);
  archive("rows", rows);
}

template <class Archive, Is<ProtectionSeconds> Record>
void describe(Archive& archive, Record& seconds) {
  auto& [reading, surrogate_training, minimizing, publishing, in_model, total] = seconds;
  archive("reading", reading);
  archive("surrogate_training", surrogate_training);
  archive("minimizing", minimizing);
  archive("publishing", publishing);
  archive("in_model", in_model);
  archive("total", total);
}

template <class Archive, Is<InputFile> Record>
void describe(Archive& archive, Record& input) {
  auto& [file, sha256] = input;
  archive("file", file);
  archive("sha256", sha256);
}

template <class Archive, Is<PublishedManifest> Record>
void describe(Archive& archive, Record& published) {
  auto& [epsilon_levels, size, trigger_length, context_length, placement, seed, split, vocabulary,
         words, other_settings, images, rows] = published;
  std::string name(program);
  archive("program", name, our_program);
  archive.object("settings", [&](auto& settings) {
    settings("epsilon_levels", epsilon_levels, within(0, 255));
    settings("size", size, within(1, 16'384));
    settings("context_length", context_length, within(2, 1'000'000));
    // The end token must have room behind the trigger.
    settings("trigger_length", trigger_length,
             [&](const JsonCursor& value) { (void)value.whole_number(0, context_length - 2); });
    settings("placement", placement);
    settings("seed", seed);
    settings("split", split);
    settings.object("tokenizer", [&](auto& tokenizer) {
      TokenizerKind kind = words ? TokenizerKind::words : TokenizerKind::bpe;
      tokenizer("kind", kind);
      tokenizer("vocabulary", vocabulary);
      if (kind == TokenizerKind::bpe) return;
      if constexpr (!std::is_const_v<Record>) words.emplace();  // must be there to be read
      tokenizer("words", *words);
    });
    settings.others(other_settings);
  });
  archive("images", images, at_least_one_image);
  archive("rows", rows);
}

template <class Archive, Is<Manifest> Record>
void describe(Archive& archive, Record& manifest) {
  auto& [published, version, versions, captions, outputs, skipped, result, seconds,
         peak_megabytes] = manifest;
  describe(archive, published);
  archive("version", version);
  archive("versions", versions);
  archive.object("inputs", [&](auto& inputs) { inputs("captions", captions); });
  archive("outputs", outputs);
  archive("skipped", skipped);
  archive("result", result);
  archive("seconds", seconds);
  archive("peak_megabytes", peak_megabytes);
}

namespace {

/// @throws FileError when a file is named twice, rows do not ascend, or drawn places have no seed
void require_consistent(const PublishedManifest& published, const JsonCursor& top) {
  if (published.placement == PlacementKind::anywhere) (void)top["settings"]["seed"];
  std::set<std::string_view> files;
  for (std::size_t i = 0; i < published.images.size(); ++i) {
    const std::string& file = published.images[i].file;
    if (files.insert(file).second) continue;
    top["images"].elements()[i]["file"].require(false, "a file of its own",
                                                pairs::json_quoted(file) + " again");
  }
  for (std::size_t i = 1; published.rows && i < published.rows->size(); ++i) {
    const std::size_t row = (*published.rows)[i].row;
    if (row > (*published.rows)[i - 1].row) continue;
    top["rows"].elements()[i]["row"].require(false, "more than in the row before", row);
  }
}

}  // namespace

nlohmann::json json_of(const Manifest& manifest) { return pairs::json_of_record(manifest); }

nlohmann::json settings_of(const PublishedManifest& published) {
  return pairs::json_of_record(published).at("settings");
}

Manifest read_manifest(const std::string& path) {
  const pairs::JsonFile file(path, {.depth = deepest});
  auto manifest = pairs::read_record<Manifest>(file.top());
  require_consistent(manifest.published, file.top());
  return manifest;
}

PublishedManifest read_published_manifest(const std::string& path, std::size_t most_bytes) {
  const pairs::JsonFile file(path, {.bytes = most_bytes, .depth = deepest});
  auto published = pairs::read_record<PublishedManifest>(file.top());
  require_consistent(published, file.top());
  return published;
}

}  // namespace unlearn::tool
