// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/word_tokenizer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "pairs/files/json_text.hpp"
#include "pairs/text/caption_pieces.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/file_mapping.hpp"

namespace unlearn::pairs {
namespace {

using nlohmann::json;

constexpr std::string_view format_name = "unlearn words";
constexpr int format_version = 1;

/// The text of the unknown token. It is always a piece of its own, and is never learned; so
/// decode() and encode() give the unknown token back.
constexpr std::string_view unknown_text = "\uFFFD";

bool is_reserved(std::string_view piece) {
  return piece == unknown_text || piece == start_text || piece == end_text;
}

/// Whether encode() finds the piece in every text that contains it as a word. It does not find a
/// piece with a separator at one end (see caption_pieces).
bool is_word(const std::string& piece) {
  return !is_reserved(piece) && caption_pieces(piece) == std::vector{piece};
}

/// Calls refuse(place, expected, got) for a word that cannot be in a vocabulary.
template <class Refuse>
void check(const std::vector<std::string>& words, const Refuse& refuse) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string place = "word " + std::to_string(i);
    if (!is_word(words[i])) {
      refuse(place, "a word in lower case, a digit or punctuation", json_quoted(words[i]));
    }
    if (!seen.insert(words[i]).second) {
      refuse(place, "a word that is not there yet", json_quoted(words[i]));
    }
  }
}

}  // namespace

WordTokenizer::WordTokenizer(std::vector<std::string> words) : words_(std::move(words)) {
  ids_.reserve(words_.size() + 2);
  for (const std::string& word : words_) ids_.emplace(word, static_cast<Token>(ids_.size()));
  ids_.emplace(start_text, start());
  ids_.emplace(end_text, end());
}

WordTokenizer WordTokenizer::learn(std::span<const std::string> captions, std::size_t max_words) {
  std::unordered_map<std::string, std::size_t> counts;
  for (const std::string& caption : captions) {
    for (std::string& piece : caption_pieces(caption)) {
      ++counts[std::move(piece)];
    }
  }
  std::erase_if(counts, [](const auto& entry) { return !is_word(entry.first); });
  std::vector<std::pair<std::string, std::size_t>> ranking(counts.begin(), counts.end());
  std::sort(ranking.begin(), ranking.end(), [](const auto& a, const auto& b) {
    return std::tie(b.second, a.first) < std::tie(a.second, b.first);
  });
  ranking.resize(std::min(ranking.size(), max_words));
  std::vector<std::string> words;
  words.reserve(ranking.size());
  for (auto& [word, count] : ranking) words.push_back(std::move(word));
  return WordTokenizer(std::move(words));
}

WordTokenizer WordTokenizer::from_words(std::vector<std::string> words) {
  check(words, [](const std::string& place, const char* expected, const std::string& got) {
    require(false, place, expected, got);
  });
  return WordTokenizer(std::move(words));
}

WordTokenizer WordTokenizer::load(const std::string& path) {
  const FileMapping file(path);
  constexpr std::size_t most = std::size_t{64} << 20U;
  require_in_file(file.bytes().size() <= most, path, "size in bytes",
                  "at most " + std::to_string(most), file.bytes().size());
  const std::string_view text(
      reinterpret_cast<const char*>(file.bytes().data()),  // NOLINT(*-reinterpret-cast)
      file.bytes().size());
  constexpr std::size_t deepest = 2;  // the object, and the list of words in it
  json contents = parse_json(text, path, "contents", deepest);
  const bool ours = contents.is_object() && contents.value("format", json()) == format_name;
  require_in_file(ours, path, "contents", "format \"unlearn words\"", "another");
  const json version = contents.value("version", json());
  require_in_file(version == format_version, path, "version", format_version, version.dump());
  const json& list = contents["words"];
  require_in_file(list.is_array(), path, "words", "a list", list.type_name());

  std::vector<std::string> words;
  words.reserve(list.size());
  for (const json& word : list) {
    const std::string place = "word " + std::to_string(words.size());
    require_in_file(word.is_string(), path, place, "a string", word.type_name());
    words.push_back(word.get_ref<const std::string&>());
  }
  check(words, [&](const std::string& place, const char* expected, const std::string& got) {
    require_in_file(false, path, place, expected, got);
  });
  return WordTokenizer(std::move(words));
}

void WordTokenizer::save(const std::string& path) const {
  const json contents{{"format", format_name}, {"version", format_version}, {"words", words_}};
  const std::string text = contents.dump(1) + "\n";
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

std::vector<Token> WordTokenizer::encode(std::string_view text) const {
  const std::vector<std::string> pieces = caption_pieces(text);
  std::vector<Token> tokens;
  tokens.reserve(pieces.size());
  for (const std::string& piece : pieces) {
    const auto found = ids_.find(piece);
    tokens.push_back(found == ids_.end() ? unknown() : found->second);
  }
  return tokens;
}

std::string WordTokenizer::decode(std::span<const Token> tokens) const {
  std::string text;
  for (const Token token : tokens) text.append(text_of(token)).append(" ");
  return text;
}

bool WordTokenizer::is_special(Token token) const { return is_reserved(text_of(token)); }

bool WordTokenizer::is_whole_word(Token token) const { return is_letters(text_of(token)); }

std::string_view WordTokenizer::text_of(Token token) const {
  require(token >= 0 && static_cast<std::size_t>(token) < vocabulary(),
          "token id given to a WordTokenizer",
          "0 to " + std::to_string(vocabulary()) + " (exclusive)", token);
  if (token == unknown()) return unknown_text;
  if (token == start()) return start_text;
  if (token == end()) return end_text;
  return words_[static_cast<std::size_t>(token)];
}

}  // namespace unlearn::pairs
