// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pairs/text/bpe_tokenizer.hpp"
#include "pairs/text/merge_list.hpp"
#include "tool/commands/commands.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool {
namespace {

struct TokenizeOptions {
  std::string vocab;
  bool decode = false;
};

std::vector<Token> parse_ids(const std::string& line, std::size_t number) {
  try {
    return nlohmann::json::parse(line).get<std::vector<Token>>();
  } catch (const nlohmann::json::exception&) {
    throw InvalidArgument(expectation("line " + std::to_string(number), "a JSON array of token ids",
                                      line.substr(0, 60)));
  }
}

void tokenize(const TokenizeOptions& options) {
  const auto tokenizer =
      pairs::BpeTokenizer::from_file(pairs::merge_list_or_default(options.vocab));
  std::string line;
  for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
    if (options.decode) {
      std::cout << tokenizer.decode(parse_ids(line, number)) << '\n';
    } else {
      std::cout << nlohmann::json(tokenizer.encode(line)).dump() << '\n';
    }
  }
  std::cout.flush();
  if (!std::cout) throw FileError("standard output: expected to take the result, got an error");
}

}  // namespace

void add_tokenize(CLI::App& app) {
  const auto options = std::make_shared<TokenizeOptions>();
  CLI::App* const command = app.add_subcommand(
      "tokenize", "Turns lines of text into CLIP's token ids, or back with --decode");
  command->add_option("--vocab", options->vocab,
                      "CLIP's merge list, bpe_simple_vocab_16e6.txt or .txt.gz. Without it, the "
                      "one that an installed open_clip_torch brings");
  command->add_flag("--decode", options->decode, "Read JSON arrays of ids, write text");
  command->footer(
      "Reads standard input, a text a line; writes a JSON array a line, without the start and end "
      "tokens:\n\n"
      "  $ echo 'a photo of a dog' | unlearn tokenize --vocab bpe_simple_vocab_16e6.txt.gz\n"
      "  [320,1125,539,320,1929]");
  command->callback([options] { tokenize(*options); });
}

}  // namespace unlearn::tool
