// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/any_tokenizer.hpp"

#include <fstream>

namespace unlearn::pairs {

AnyTokenizer AnyTokenizer::from_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  // If the file cannot be opened, BpeTokenizer reports it.
  if (in && (in >> std::ws).peek() == '{') return WordTokenizer::load(path);
  return BpeTokenizer::from_file(path);
}

}  // namespace unlearn::pairs
