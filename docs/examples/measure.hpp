// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "album.hpp"
#include "own_model.hpp"
#include "unlearn/unlearn.hpp"

// [retrieval]
/// How well a model finds the images of an album by their captions, and the other way round.
inline unlearn::Retrieval measure(OwnModel& model, const Album& album) {
  unlearn::TokenSequences texts(unlearn::FrontPlacement{}, /*trigger_length=*/0);
  for (unlearn::Index row = 0; row < album.rows(); ++row) texts.add(row, album.caption(row), {});
  const unlearn::PixelBatch images{
      .clean = {album.pixels.data(), {album.signals(), album.elements()}}, .noise = {}};
  return unlearn::retrieval(model.encode_signals(images), model.encode_texts(texts.batch()),
                            {.captions_per_signal = 2, .k = 10});
}
// [/retrieval]
