// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>

#include "clip/model/config.hpp"

namespace unlearn::clip {

/// Whether an exception says that memory ran out: std::bad_alloc, or LibTorch's words for it on
/// the CPU and on CUDA.
[[nodiscard]] bool is_out_of_memory(const std::exception& error);

/// Calls work(first, count) for consecutive pieces of [0, rows) of at most `limit` rows.
///
/// A piece that runs out of memory is tried again at half the size, and so are the ones after it;
/// `limit` keeps what was found to fit. Running out of memory with a single row is passed on.
template <class Work>
void in_micro_batches(std::size_t rows, std::size_t& limit, const Work& work) {
  for (std::size_t first = 0; first < rows;) {
    const std::size_t count = std::min(rows - first, std::max<std::size_t>(limit, 1));
    try {
      work(first, count);
      first += count;
    } catch (const std::exception& error) {
      if (count == 1 || !is_out_of_memory(error)) throw;
      limit = count / 2;
    }
  }
}

/// About how much memory a model's activations take, in bytes.
struct Footprint {
  std::size_t image = 0;           ///< one image, encoded without gradients
  std::size_t image_gradient = 0;  ///< one image, kept for a backward pass, and that pass
  std::size_t token = 0;           ///< one token of a text, encoded without gradients
  std::size_t token_gradient = 0;  ///< one token, kept for a backward pass, and that pass
};

/// Estimated from the sizes of the layers' outputs, in single precision; on the high side.
[[nodiscard]] Footprint footprint_of(const ClipConfig& config);

/// Memory that the system could hand out now without swapping, in bytes.
[[nodiscard]] std::size_t available_memory();

}  // namespace unlearn::clip
