// SPDX-License-Identifier: Apache-2.0
//
// Triggers are published as text: only those are allowed that are read back as the same tokens.

#include <cstddef>
#include <cstdio>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "album.hpp"
#include "check.hpp"
#include "own_model.hpp"
#include "publish.hpp"
#include "unlearn/unlearn.hpp"

using unlearn::Token;

namespace {

/// A tokenizer like those of language models: pieces of words, the longest one that fits first. The
/// pieces "a" and "b" together are the text "ab", and that is another piece.
class Tokenizer {
 public:
  Tokenizer() : pieces_{"<start>", "<end>"} {
    for (std::size_t word = 0; word < Scenes::caption_words; ++word) {
      pieces_.push_back(std::to_string(word) + ".");
    }
    for (char letter = 'a'; letter <= 'h'; ++letter) pieces_.push_back({letter});
    for (char first = 'a'; first <= 'c'; ++first) {
      for (char letter = 'a'; letter <= 'h'; ++letter) pieces_.push_back({first, letter});
    }
    check(pieces_.size() == Scenes::vocabulary, "a piece for each token");
  }

  std::string decode(std::span<const Token> tokens) const {
    std::string text;
    for (const Token token : tokens) text += pieces_[static_cast<std::size_t>(token)];
    return text;
  }
  std::vector<Token> encode(std::string_view text) const {
    std::vector<Token> tokens;
    while (!text.empty()) {
      Token longest = unlearn::no_token;
      std::size_t length = 0;
      for (std::size_t id = 0; id < pieces_.size(); ++id) {
        if (text.starts_with(pieces_[id]) && pieces_[id].size() > length) {
          longest = static_cast<Token>(id);
          length = pieces_[id].size();
        }
      }
      tokens.push_back(longest);
      text.remove_prefix(length);
    }
    return tokens;
  }

 private:
  std::vector<std::string> pieces_;
};

// [survives]
/// constraint(row, trigger): whether the text of caption and trigger is read back as these tokens.
struct SurvivesPublishing {
  const Album* album;
  const Tokenizer* tokenizer;

  bool operator()(unlearn::Index row, std::span<const Token> trigger) const {
    const unlearn::FrontPlacement placement;
    const auto caption = album->caption(row);
    std::vector<Token> sequence(placement.length(caption.size(), trigger.size()));
    std::vector<std::int32_t> positions(trigger.size());
    placement.place(row, caption, trigger, sequence, positions);
    return tokenizer->encode(tokenizer->decode(sequence)) == sequence;
  }
};
// [/survives]

/// How many captions of a run are not read back from their text as they were.
template <class Constraint>
std::size_t lost(const Album& album, const Constraint& constraint) {
  const unlearn::TokenFilter words = words_only();
  const Tokenizer tokenizer;
  std::mt19937_64 rng(3);
  OwnModel model({.elements = album.elements()}, Scenes::vocabulary, rng);
  // [constraint-run]
  unlearn::MultiStepMinimizer mem{.constraint = constraint};
  mem.filter = words;
  // [/constraint-run]
  mem.rounds = 3;
  mem.surrogate_steps = 20;
  auto state = unlearn::fresh_state(album, std::vector(5, Scenes::first_word));
  mem.minimize(model, album, state, rng);
  std::size_t lost = 0;
  for (unlearn::Index row = 0; row < album.rows(); ++row) {
    const auto sequence = protected_caption(album, state, mem.placement, row);
    if (tokenizer.encode(tokenizer.decode(sequence)) != sequence) ++lost;
  }
  return lost;
}

}  // namespace

int main() {
  const Album album = make_album(200, /*seed=*/1);
  const Tokenizer tokenizer;
  const std::size_t unchecked = lost(album, unlearn::AnyTrigger{});
  const std::size_t checked = lost(album, SurvivesPublishing{&album, &tokenizer});
  std::printf("of %zu captions %zu change on the way through text; with the hook %zu\n",
              album.rows(), unchecked, checked);
  check(unchecked > 0 && checked == 0, "the hook keeps triggers to those that survive");
}
