// SPDX-License-Identifier: Apache-2.0
#include "pairs/text/any_tokenizer.hpp"

#include <fstream>

namespace unlearn::pairs {

AnyTokenizer AnyTokenizer::from_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  // What cannot be opened is reported by the one that is tried then.
  if (in && (in >> std::ws).peek() == '{') return WordTokenizer::load(path);
  return BpeTokenizer::from_file(path);
}

}  // namespace unlearn::pairs
