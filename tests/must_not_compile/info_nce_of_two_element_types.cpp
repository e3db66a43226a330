// SPDX-License-Identifier: Apache-2.0
// Embeddings in float and double do not go together: a silent conversion would hide a copy.
// expect-error: EmbeddingPair
#include "unlearn/contrast/info_nce.hpp"

double loss(const unlearn::Matrix& signals, const unlearn::MatrixOf<double>& texts) {
#ifdef UNLEARN_BAD
  return unlearn::info_nce_value(signals, texts, 14.3);
#else
  return unlearn::info_nce_value(signals, signals, 14.3) +
         unlearn::info_nce_value(texts, texts, 14.3);
#endif
}
