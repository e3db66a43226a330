// SPDX-License-Identifier: Apache-2.0
#include "clip/encoder/micro_batches.hpp"

#include <c10/util/Exception.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <new>
#include <string>
#include <string_view>

namespace unlearn::clip {
namespace {

struct Floats {
  std::int64_t largest = 0;  // what one layer's inputs and outputs take at most
  std::int64_t kept = 0;     // what all of them take together
};

/// An activation of so many floats that a convolution, its norm and its ReLU leave behind.
void add(Floats& floats, std::int64_t size) {
  floats.largest = std::max(floats.largest, 4 * size);
  floats.kept += 3 * size;
}

Floats resnet(const ClipConfig& config) {
  Floats floats;
  std::int64_t side = config.image_resolution / 2;
  const std::int64_t width = config.vision_width;
  for (const std::int64_t channels : {width / 2, width / 2, width}) {
    add(floats, channels * side * side);
  }
  side /= 2;
  std::int64_t planes = width;
  for (std::size_t stage = 0; stage < config.vision_layers.size(); ++stage, planes *= 2) {
    for (std::int64_t block = 0; block < config.vision_layers[stage]; ++block) {
      const bool shrinks = block == 0 && stage > 0;
      const std::int64_t cells = side * side;
      if (shrinks) side /= 2;
      add(floats, planes * cells);
      add(floats, planes * cells);
      add(floats, 4 * planes * side * side);
      if (block == 0) add(floats, 4 * planes * side * side);
    }
  }
  return floats;
}

/// For each token: the residual, its norm, queries, keys, values, the hidden layer and its GELU,
/// and a row of scores for each head.
Floats transformer(std::int64_t width, std::int64_t heads, std::int64_t layers,
                   std::int64_t length) {
  const std::int64_t layer = 28 * width + 4 * heads * length;
  return {.largest = layer, .kept = layer * layers};
}

std::size_t bytes(std::int64_t floats) { return static_cast<std::size_t>(floats) * sizeof(float); }

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  if (torch == nullptr) return false;
  const std::string_view message = torch->what_without_backtrace();
  return message.find("can't allocate memory") != std::string_view::npos ||
         message.find("not enough memory") != std::string_view::npos ||
         message.find("out of memory") != std::string_view::npos;
}

Footprint footprint_of(const ClipConfig& config) {
  const std::int64_t positions = config.vision_grid() * config.vision_grid() + 1;
  Floats image;
  if (config.is_resnet()) {
    image = resnet(config);
  } else {
    const Floats token =
        transformer(config.vision_width, config.vision_heads(), config.vision_layers[0], positions);
    image = {.largest = token.largest * positions, .kept = token.kept * positions};
  }
  const Floats token = transformer(config.transformer_width, config.transformer_heads,
                                   config.transformer_layers, config.context_length);
  return {.image = bytes(image.largest),
          .image_gradient = bytes(image.kept + image.largest),
          .token = bytes(token.largest),
          .token_gradient = bytes(token.kept + token.largest)};
}

std::size_t available_memory() {
  std::ifstream meminfo("/proc/meminfo");
  std::string line;
  while (std::getline(meminfo, line)) {
    constexpr std::string_view field = "MemAvailable:";
    if (line.starts_with(field)) return std::stoull(line.substr(field.size())) * 1024;
  }
  return static_cast<std::size_t>(::sysconf(_SC_AVPHYS_PAGES)) *
         static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace unlearn::clip
