// SPDX-License-Identifier: Apache-2.0
// Matching pairs have nearly no contrastive loss, and exchanged pairs have a large one. Returns 0
// if the library computes that.
#include <unlearn/unlearn.hpp>

int main() {
  const unlearn::Matrix signals = unlearn::Matrix::Identity(4, 4);
  const unlearn::Matrix texts = signals.colwise().reverse();
  const double matching = unlearn::info_nce(signals, signals, 100).value;
  const double exchanged = unlearn::info_nce(signals, texts, 100).value;
  return matching < 1e-6 && exchanged > 1 ? 0 : 1;
}
