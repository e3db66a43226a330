// SPDX-License-Identifier: Apache-2.0
#include "clip/kernels/token_screen.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "clip/kernels/instruction_sets.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/interop/torch.hpp"
#include "unlearn/trigger/top_tokens.hpp"

namespace unlearn::clip {
namespace {

constexpr std::size_t chunk_tokens = 64;    // tokens that share one bound, and are tested together
constexpr std::size_t block_tokens = 2048;  // tokens of one product; a multiple of a chunk
// For smaller products LibTorch does not use oneDNN, and sums in bfloat16.
constexpr std::size_t least_width = 8;

constexpr float output_rounding = 0x1p-8F;  // of a bfloat16, relative

/// Whether a token of the chunk can have a score of `bar` or less: f − margin − |f| 2⁻⁸ ≤ bar, or
/// NaN on either side.
UNLEARN_CLIP_CLONES bool any_within(const std::uint16_t* products, std::size_t count, float margin,
                                    float bar) {
  int within = 0;
#pragma omp simd reduction(| : within)
  for (std::size_t i = 0; i < count; ++i) {
    const float f = from_bfloat16(products[i]);
    const float lowest = f - __builtin_fabsf(f) * output_rounding - margin;
    within |= lowest > bar ? 0 : 1;
  }
  return within != 0;
}

UNLEARN_CLIP_CLONES float dot(const float* a, const float* b, std::size_t count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// The k-th smallest of the numbers that were shown to it.
class Bar {
 public:
  explicit Bar(std::size_t k) : smallest_(k, std::numeric_limits<float>::infinity()) {}

  [[nodiscard]] float value() const { return smallest_.front(); }

  void show(float x) {
    if (!(x < value())) return;
    std::ranges::pop_heap(smallest_);
    smallest_.back() = x;
    std::ranges::push_heap(smallest_);
  }

  void show(const Bar& other) {
    for (const float x : other.smallest_) show(x);
  }

 private:
  std::vector<float> smallest_;  // a heap; the largest is in front
};

/// The candidates for one gradient among some of the tokens.
struct Found {
  struct Candidate {
    Token token;
    float lowest;
  };

  explicit Found(std::size_t depth) : bar(depth) {}

  Bar bar;                              // over the upper bounds of the scores
  std::vector<Candidate> candidates{};  // in ascending order of ids
};

/// ‖x‖ and ‖x − x̂‖; not finite if a number of x or x̂ is not.
UNLEARN_CLIP_CLONES TokenScreen::Norms norms_of(const float* x, const std::uint16_t* rounded,
                                                std::size_t count) {
  double whole = 0;
  double rounding = 0;
#pragma omp simd reduction(+ : whole, rounding)
  for (std::size_t i = 0; i < count; ++i) {
    const auto exact = static_cast<double>(x[i]);
    const double difference = exact - static_cast<double>(from_bfloat16(rounded[i]));
    whole += exact * exact;
    rounding += difference * difference;
  }
  return {.whole = std::sqrt(whole), .rounding = std::sqrt(rounding)};
}

const std::uint16_t* bits_of(const at::Tensor& tensor) {
  return static_cast<const std::uint16_t*>(tensor.data_ptr());
}

bool sums_in_float() {
  // A sum in bfloat16 would stop growing at 256.
  const at::Tensor ones = at::ones({8, 4096}, at::kBFloat16);
  return ones.mm(ones.t()).to(at::kFloat).eq(4096).all().item<bool>();
}

}  // namespace

bool TokenScreen::available() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  static const bool known = at::hasMKLDNN() && at::globalContext().userEnabledMkldnn() &&
                            multiplies_bfloat16() && sums_in_float();
  return known;
#else
  return false;
#endif
}

bool TokenScreen::takes(View<const float, 2> embeddings) {
  return embeddings.extent(0) >= block_tokens && embeddings.extent(1) >= least_width;
}

TokenScreen::TokenScreen(View<const float, 2> embeddings) : embeddings_(embeddings) {
  unlearn::require(takes(embeddings), "token embeddings to be screened",
                   "at least 2048 of at least 8 numbers", embeddings.extent(0));
  const c10::NoGradGuard no_gradient;
  const at::Tensor rows = as_tensor(embeddings);
  rounded_ = rows.to(at::kBFloat16);
  const std::size_t vocabulary = embeddings.extent(0);
  const std::size_t width = embeddings.extent(1);
  norms_.resize((vocabulary + chunk_tokens - 1) / chunk_tokens);
  at::parallel_for(
      0, static_cast<std::int64_t>(norms_.size()), 16, [&](std::int64_t begin, std::int64_t end) {
        for (auto c = static_cast<std::size_t>(begin); c < static_cast<std::size_t>(end); ++c) {
          const std::size_t last = std::min((c + 1) * chunk_tokens, vocabulary);
          for (std::size_t v = c * chunk_tokens; v < last; ++v) {
            const Norms norms =
                norms_of(embeddings.row(v).data(), bits_of(rounded_) + v * width, width);
            const bool finite = std::isfinite(norms.whole) && std::isfinite(norms.rounding);
            constexpr double infinity = std::numeric_limits<double>::infinity();
            norms_[c].whole = finite ? std::max(norms_[c].whole, norms.whole) : infinity;
            norms_[c].rounding = finite ? std::max(norms_[c].rounding, norms.rounding) : infinity;
            if (!finite) break;
          }
        }
      });
}

void TokenScreen::rank_tokens(View<const float, 2> gradients, const TokenFilter& filter,
                              View<Token, 2> tokens, View<float, 2> scores) const {
  const std::size_t vocabulary = embeddings_.extent(0);
  const std::size_t width = embeddings_.extent(1);
  const std::size_t rows = gradients.extent(0);
  const std::size_t depth = tokens.extent(1);
  unlearn::require_size("width of the token embeddings", gradients.extent(1), width);
  unlearn::require_size("vocabulary of the token filter", vocabulary, filter.vocabulary());
  unlearn::require_size("rows of tokens", rows, tokens.extent(0));
  unlearn::require_size("rows of scores", rows, scores.extent(0));
  unlearn::require_size("columns of scores", depth, scores.extent(1));
  if (rows == 0 || depth == 0) return;
  const c10::NoGradGuard no_gradient;

  const at::Tensor factors = as_tensor(gradients);
  const at::Tensor rounded = factors.to(at::kBFloat16);
  std::vector<Norms> norms;
  norms.reserve(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    norms.push_back(norms_of(gradients.row(r).data(), bits_of(rounded) + r * width, width));
  }
  const auto sums = static_cast<double>(width);
  const auto margin_of = [&](const Norms& g, const Norms& e) {
    const double factors_rounded = g.rounding * e.whole + (g.whole + g.rounding) * e.rounding;
    const double sums_rounded = sums * 0x1p-22 * (g.whole + g.rounding) * (e.whole + e.rounding);
    // The processor may replace factors and products below the smallest normal number by 0.
    const double flushed = sums * 0x1p-124 * (1 + g.whole + e.whole);
    // The last factor covers the rounding of this sum, and of the additions that use it.
    return static_cast<float>((factors_rounded + sums_rounded + flushed) * (1 + 0x1p-20));
  };

  const auto screen_block = [&](std::size_t first, std::size_t count, std::vector<Found>& found) {
    const at::Tensor block =
        rounded_.narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(count));
    const at::Tensor products = rounded.mm(block.t());
    for (std::size_t r = 0; r < rows; ++r) {
      auto& [bar, candidates] = found[r];
      const std::uint16_t* const row = bits_of(products) + r * count;
      for (std::size_t offset = 0; offset < count; offset += chunk_tokens) {
        const std::size_t size = std::min(chunk_tokens, count - offset);
        const float margin = margin_of(norms[r], norms_[(first + offset) / chunk_tokens]);
        if (!any_within(row + offset, size, margin, bar.value())) continue;
        for (std::size_t i = offset; i < offset + size; ++i) {
          const float f = from_bfloat16(row[i]);
          const float slack = std::abs(f) * output_rounding;
          const float lowest = f - slack - margin;
          const auto token = static_cast<Token>(first + i);
          if (lowest > bar.value() || !filter.allows(token)) continue;
          candidates.push_back({.token = token, .lowest = lowest});
          bar.show(f + slack + margin);
        }
      }
    }
  };

  // Each thread takes one piece of the vocabulary. If several threads shared a product, they would
  // wait for each other after every block.
  const std::size_t blocks = vocabulary / block_tokens;
  const std::size_t pieces = std::min(blocks, static_cast<std::size_t>(at::get_num_threads()));
  std::vector<std::vector<Found>> found(pieces, std::vector<Found>(rows, Found(depth)));
  at::parallel_for(
      0, static_cast<std::int64_t>(pieces), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto piece = static_cast<std::size_t>(begin); piece < static_cast<std::size_t>(end);
             ++piece) {
          const std::size_t last = (piece + 1) * blocks / pieces;
          for (std::size_t block = piece * blocks / pieces; block < last; ++block) {
            // The last block also takes the remainder: a small product would sum in bfloat16.
            const std::size_t first = block * block_tokens;
            const std::size_t count = block + 1 < blocks ? block_tokens : vocabulary - first;
            screen_block(first, count, found[piece]);
          }
        }
      });

  TopTokens best(rows, depth);
  at::parallel_for(
      0, static_cast<std::int64_t>(rows), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) {
          Bar bar = found[0][r].bar;
          for (std::size_t piece = 1; piece < pieces; ++piece) bar.show(found[piece][r].bar);
          for (const std::vector<Found>& piece : found) {
            for (const Found::Candidate& candidate : piece[r].candidates) {
              if (candidate.lowest > bar.value()) continue;
              const auto token = static_cast<std::size_t>(candidate.token);
              const float score =
                  dot(gradients.row(r).data(), embeddings_.row(token).data(), width);
              best.offer(r, candidate.token, {&score, 1}, filter);
            }
          }
          for (std::size_t rank = 0; rank < depth; ++rank) {
            tokens[r][rank] = best.row(r)[rank].token;
            scores[r][rank] = best.row(r)[rank].score;
          }
        }
      });
}

}  // namespace unlearn::clip
