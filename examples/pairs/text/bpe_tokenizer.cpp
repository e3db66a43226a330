// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/bpe_tokenizer.hpp"

#include <fcntl.h>
#include <unicode/unistr.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <utility>

#include "pairs/files/json_text.hpp"
#include "pairs/text/caption_pieces.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {
namespace {

constexpr std::size_t byte_values = 256;
constexpr std::size_t base_symbols = 2 * byte_values;
constexpr std::size_t merge_count = 48'894;
constexpr std::string_view end_of_word = "</w>";

constexpr bool is_printable_latin1(std::size_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

/// The id of each byte in the vocabulary, and the code point that represents it in the merge list.
/// That is the byte itself if it is printable; the others have the code points from 256 on.
struct ByteTable {
  constexpr ByteTable() {
    std::size_t id = 0;
    for (const bool printable : {true, false}) {
      const std::size_t before = id;
      for (std::size_t byte = 0; byte < byte_values; ++byte) {
        if (is_printable_latin1(byte) != printable) continue;
        code_points.at(byte) = static_cast<char16_t>(printable ? byte : byte_values + id - before);
        bytes.at(code_points.at(byte)) = static_cast<unsigned char>(byte);
        ids.at(byte) = static_cast<Token>(id++);
      }
    }
  }

  std::array<Token, byte_values> ids{};
  std::array<char16_t, byte_values> code_points{};
  std::array<unsigned char, 2 * byte_values> bytes{};  ///< by code point
};
constexpr ByteTable byte_table;

/// The bytes that a symbol of the merge list represents.
/// @param symbol made of code points in the byte table
std::string bytes_of(const std::string& symbol) {
  const auto code_points = icu::UnicodeString::fromUTF8(symbol);
  std::string bytes;
  for (std::int32_t i = 0; i < code_points.length(); ++i) {
    bytes += static_cast<char>(byte_table.bytes.at(code_points.charAt(i)));
  }
  return bytes;
}

/// A file's text, decompressed if necessary.
std::string read_text(const std::string& path) {
  constexpr std::size_t most = std::size_t{64} << 20U;
  FileDescriptor file(path, O_RDONLY);
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> stream(::gzdopen(file.get(), "rb"), ::gzclose);
  require_in_file(stream != nullptr, path, "contents", "memory to decompress them", "none");
  (void)file.release();  // the stream closes it

  const auto require_sound = [&] {
    int status = Z_OK;
    const char* const message = ::gzerror(stream.get(), &status);
    if (status == Z_ERRNO) throw_system_error(path, "to read it");
    require_in_file(status == Z_OK || status == Z_STREAM_END, path, "contents",
                    "plain text or a whole gzip file",
                    status == Z_BUF_ERROR ? "one that is cut off" : message);
  };
  std::string text;
  std::string piece(std::size_t{1} << 16U, '\0');
  while (true) {
    const int count = ::gzread(stream.get(), piece.data(), static_cast<unsigned>(piece.size()));
    if (count <= 0) break;
    text.append(piece, 0, static_cast<std::size_t>(count));
    require_in_file(text.size() <= most, path, "size of the text in bytes",
                    "at most " + std::to_string(most), "more");
  }
  require_sound();
  return text;
}

std::string_view take_line(std::string_view& text) {
  const std::size_t size = text.find('\n');
  std::string_view line = text.substr(0, size);
  text.remove_prefix(size == std::string_view::npos ? text.size() : size + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

constexpr std::uint64_t pair_key(Token left, Token right) {
  return static_cast<std::uint64_t>(left) << 32U | static_cast<std::uint64_t>(right);
}

constexpr Token merged_symbol(std::uint32_t rank) {
  return static_cast<Token>(base_symbols + rank);
}

}  // namespace

/// Applies the merges to pieces, one after the other. Keeps its memory for the next piece.
class BpeTokenizer::PieceMerger {
 public:
  explicit PieceMerger(const std::unordered_map<std::uint64_t, std::uint32_t>& ranks)
      : ranks_(&ranks) {}

  void append_tokens(std::string_view piece, std::vector<Token>& tokens) {
    nodes_.clear();
    for (const char c : piece) {
      const auto place = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({byte_table.ids.at(static_cast<unsigned char>(c)), place - 1, place + 1});
    }
    nodes_.back().symbol += static_cast<Token>(byte_values);
    for (std::uint32_t place = 0; place + 1 < nodes_.size(); ++place) queue_pair(place);

    // The symbols of a merge come before it in the list, so its result can only be merged later.
    // Therefore the order of (rank, place) is the order of the list, and from left to right.
    while (!queue_.empty()) {
      const auto [rank, place] = queue_.top();
      queue_.pop();
      if (rank_at(place) != rank) continue;  // one of the two has been merged in the meantime
      Node& left = nodes_[place];
      Node& right = nodes_[left.next];
      left.symbol = merged_symbol(rank);
      left.next = right.next;
      right.symbol = gone;
      if (left.next < nodes_.size()) {
        nodes_[left.next].previous = place;
        queue_pair(place);
      }
      if (place > 0) queue_pair(left.previous);
    }
    for (std::uint32_t place = 0; place < nodes_.size(); place = nodes_[place].next) {
      tokens.push_back(nodes_[place].symbol);
    }
  }

 private:
  static constexpr Token gone = -1;

  struct Node {
    Token symbol;
    std::uint32_t previous, next;
  };
  using RankAndPlace = std::pair<std::uint32_t, std::uint32_t>;

  [[nodiscard]] std::optional<std::uint32_t> rank_at(std::uint32_t place) const {
    const Node& left = nodes_[place];
    if (left.symbol == gone || left.next >= nodes_.size()) return std::nullopt;
    const auto found = ranks_->find(pair_key(left.symbol, nodes_[left.next].symbol));
    if (found == ranks_->end()) return std::nullopt;
    return found->second;
  }

  void queue_pair(std::uint32_t place) {
    if (const auto rank = rank_at(place)) queue_.emplace(*rank, place);
  }

  const std::unordered_map<std::uint64_t, std::uint32_t>* ranks_;
  std::vector<Node> nodes_;
  std::priority_queue<RankAndPlace, std::vector<RankAndPlace>, std::greater<>> queue_;
};

BpeTokenizer BpeTokenizer::from_file(const std::string& path) {
  const std::string contents = read_text(path);
  std::string_view text = contents;
  const std::string_view first = take_line(text);
  require_in_file(first.find("#version:") != std::string_view::npos, path, "line 1",
                  "'#version:' and a number, as in CLIP's merge list", json_quoted(first));

  BpeTokenizer tokenizer;
  tokenizer.symbols_.resize(base_symbols);
  tokenizer.ranks_.reserve(merge_count);
  std::unordered_map<std::string, Token> ids;  // by the symbol as it is written in the list
  ids.reserve(base_symbols + merge_count);
  const auto add = [&](std::string symbol, std::size_t id) {
    tokenizer.symbols_[id] = bytes_of(symbol);
    return ids.emplace(std::move(symbol), static_cast<Token>(id)).second;
  };
  for (std::size_t byte = 0; byte < byte_values; ++byte) {
    std::string symbol;
    icu::UnicodeString(byte_table.code_points.at(byte)).toUTF8String(symbol);
    const auto id = static_cast<std::size_t>(byte_table.ids.at(byte));
    add(symbol, id);
    add(symbol + std::string(end_of_word), id + byte_values);
  }

  tokenizer.symbols_.resize(base_symbols + merge_count);
  for (std::uint32_t rank = 0; rank < merge_count; ++rank) {
    require_in_file(!text.empty(), path, "number of merges",
                    "at least " + std::to_string(merge_count), rank);
    const std::string_view line = take_line(text);
    const std::string place = "line " + std::to_string(rank + 2);
    const std::size_t space = line.find(' ');
    require_in_file(space != std::string_view::npos, path, place, "two symbols and a space between",
                    json_quoted(line));
    const std::string left(line.substr(0, space));
    const std::string right(line.substr(space + 1));
    const auto left_id = ids.find(left);
    const auto right_id = ids.find(right);
    require_in_file(left_id != ids.end() && right_id != ids.end(), path, place,
                    "two symbols that are bytes or merged above", json_quoted(line));
    tokenizer.ranks_.emplace(pair_key(left_id->second, right_id->second), rank);
    require_in_file(add(left + right, base_symbols + rank), path, place,
                    "a merge that makes a new symbol", json_quoted(line));
  }
  tokenizer.symbols_.emplace_back(start_text);
  tokenizer.symbols_.emplace_back(end_text);
  return tokenizer;
}

std::vector<Token> BpeTokenizer::encode(std::string_view text) const {
  std::vector<Token> tokens;
  PieceMerger merger(ranks_);
  for (const std::string& piece : caption_pieces(text)) {
    if (piece == start_text) {
      tokens.push_back(start());
    } else if (piece == end_text) {
      tokens.push_back(end());
    } else {
      merger.append_tokens(piece, tokens);
    }
  }
  return tokens;
}

std::string BpeTokenizer::decode(std::span<const Token> tokens) const {
  std::string bytes;
  for (const Token token : tokens) bytes += symbol(token);
  std::string text = repaired_utf8(bytes);
  // Replaced in the whole text, as in the reference: four tokens together can also spell the mark.
  std::size_t from = 0;
  std::string spaced;
  for (std::size_t mark = text.find(end_of_word); mark != std::string::npos;
       mark = text.find(end_of_word, from)) {
    spaced.append(text, from, mark - from).append(" ");
    from = mark + end_of_word.size();
  }
  return spaced.append(text, from);
}

bool BpeTokenizer::is_special(Token token) const {
  (void)symbol(token);
  return token >= start();
}

bool BpeTokenizer::is_whole_word(Token token) const {
  std::string_view text = symbol(token);
  if (token >= start() || !text.ends_with(end_of_word)) return false;
  text.remove_suffix(end_of_word.size());
  return is_letters(text);
}

const std::string& BpeTokenizer::symbol(Token token) const {
  require(token >= 0 && static_cast<std::size_t>(token) < symbols_.size(),
          "token id given to a BpeTokenizer",
          "0 to " + std::to_string(symbols_.size()) + " (exclusive)", token);
  return symbols_[static_cast<std::size_t>(token)];
}

}  // namespace unlearn::pairs
