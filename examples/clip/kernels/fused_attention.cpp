// SPDX-License-Identifier: Apache-2.0
#include "clip/kernels/fused_attention.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "clip/kernels/instruction_sets.hpp"

namespace unlearn::clip {
namespace {

using torch::autograd::AutogradContext, torch::autograd::variable_list;

/// Rows of floats in memory: row (b, i) starts at data + b·sequence + i·row.
struct Rows {
  float* data = nullptr;
  std::int64_t sequence = 0;
  std::int64_t row = 0;

  /// The same rows, starting at column `first`.
  [[nodiscard]] Rows from(std::int64_t first) const { return {data + first, sequence, row}; }
};

Rows rows_of(const at::Tensor& tensor) {
  return {.data = tensor.data_ptr<float>(),
          .sequence = tensor.numel() / std::max<std::int64_t>(tensor.size(0), 1),
          .row = tensor.size(-1)};
}

/// The attention of one batch; or its gradients, laid out alike.
struct Problem {
  Rows queries, keys, values;
  std::int64_t sequences = 0;
  std::int64_t heads = 0;
  std::int64_t depth = 0;    // d
  std::int64_t rows = 0;     // queries per sequence
  std::int64_t columns = 0;  // keys per sequence
  bool causal = false;       // query i sees keys 0 to i
  const std::int64_t* last = nullptr;
  float scale = 1;

  /// The number of keys that a query sees.
  [[nodiscard]] std::int64_t seen(std::int64_t sequence, std::int64_t query) const {
    if (last != nullptr) return last[sequence] + 1;
    return causal ? query + 1 : columns;
  }
};

/// a · b. `Depth` is d if it is known at compile time, otherwise 0.
template <int Depth>
UNLEARN_CLIP_INLINE float dot(const float* a, const float* b, std::int64_t depth) {
  const std::int64_t d = Depth > 0 ? Depth : depth;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < d; ++c) sum += a[c] * b[c];
  return sum;
}

/// a ← a + by · b.
template <int Depth>
UNLEARN_CLIP_INLINE void add_scaled(float* a, float by, const float* b, std::int64_t depth) {
  const std::int64_t d = Depth > 0 ? Depth : depth;
#pragma omp simd
  for (std::int64_t c = 0; c < d; ++c) a[c] += by * b[c];
}

/// softmax(x) of n numbers, in place.
UNLEARN_CLIP_INLINE void softmax(float* x, std::int64_t n) {
  float largest = x[0];
#pragma omp simd reduction(max : largest)
  for (std::int64_t j = 0; j < n; ++j) largest = x[j] > largest ? x[j] : largest;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) {
    x[j] = exponential(x[j] - largest);
    sum += x[j];
  }
  const float factor = 1 / sum;
#pragma omp simd
  for (std::int64_t j = 0; j < n; ++j) x[j] *= factor;
}

/// The attention of one head.
/// @param b, h  the sequence and the head
/// @param out   [B, rows, W], heads side by side
/// @param kept  [rows, columns] receives this head's probabilities; or nullptr
/// @param local [columns] scratch memory
template <int Depth>
UNLEARN_CLIP_INLINE void attend_head(const Problem& p, std::int64_t b, std::int64_t h,
                                     const Rows& out, float* kept, float* local) {
  const std::int64_t first = h * p.depth;
  const float* const keys = p.keys.data + b * p.keys.sequence + first;
  const float* const values = p.values.data + b * p.values.sequence + first;
  for (std::int64_t i = 0; i < p.rows; ++i) {
    const float* const query = p.queries.data + b * p.queries.sequence + i * p.queries.row + first;
    float* const mixed = out.data + b * out.sequence + i * out.row + first;
    float* const row = kept != nullptr ? kept + i * p.columns : local;
    const std::int64_t seen = p.seen(b, i);
    for (std::int64_t j = 0; j < seen; ++j) {
      row[j] = p.scale * dot<Depth>(query, keys + j * p.keys.row, p.depth);
    }
    softmax(row, seen);
    std::fill(mixed, mixed + p.depth, 0.0F);
    for (std::int64_t j = 0; j < seen; ++j) {
      add_scaled<Depth>(mixed, row[j], values + j * p.values.row, p.depth);
    }
  }
}

/// The gradients of one head.
/// @param p      the inputs of the attention
/// @param to     the gradients, which this adds to
/// @param b, h   the sequence and the head
/// @param pulled [B, rows, W] ∂L/∂out, heads side by side
/// @param kept   [rows, columns] this head's probabilities
/// @param local  [columns] scratch memory
template <int Depth>
UNLEARN_CLIP_INLINE void pull_head(const Problem& p, const Problem& to, std::int64_t b,
                                   std::int64_t h, const Rows& pulled, const float* kept,
                                   float* local) {
  const std::int64_t first = h * p.depth;
  const float* const keys = p.keys.data + b * p.keys.sequence + first;
  const float* const values = p.values.data + b * p.values.sequence + first;
  float* const to_keys = to.keys.data + b * to.keys.sequence + first;
  float* const to_values = to.values.data + b * to.values.sequence + first;
  for (std::int64_t i = 0; i < p.rows; ++i) {
    const float* const query = p.queries.data + b * p.queries.sequence + i * p.queries.row + first;
    float* const to_query = to.queries.data + b * to.queries.sequence + i * to.queries.row + first;
    const float* const from = pulled.data + b * pulled.sequence + i * pulled.row + first;
    const float* const row = kept + i * p.columns;
    const std::int64_t seen = p.seen(b, i);
    float mean = 0;
    for (std::int64_t j = 0; j < seen; ++j) {
      local[j] = dot<Depth>(from, values + j * p.values.row, p.depth);
      mean += row[j] * local[j];
    }
    for (std::int64_t j = 0; j < seen; ++j) {
      const float by_score = p.scale * row[j] * (local[j] - mean);
      add_scaled<Depth>(to_query, by_score, keys + j * p.keys.row, p.depth);
      add_scaled<Depth>(to_keys + j * to.keys.row, by_score, query, p.depth);
      add_scaled<Depth>(to_values + j * to.values.row, row[j], from, p.depth);
    }
  }
}

constexpr std::int64_t usual_depth = 64;  // d of every published CLIP

/// The attention of the sequences [begin, end).
/// @param kept [B, H, rows, columns] receives the probabilities; or nullptr
UNLEARN_CLIP_CLONES void attend(const Problem& p, const Rows& out, float* kept, std::int64_t begin,
                                std::int64_t end) {
  std::vector<float> local(static_cast<std::size_t>(p.columns));
  for (std::int64_t head = begin * p.heads; head < end * p.heads; ++head) {
    float* const probabilities = kept != nullptr ? kept + head * p.rows * p.columns : nullptr;
    if (p.depth == usual_depth) {
      attend_head<usual_depth>(p, head / p.heads, head % p.heads, out, probabilities, local.data());
    } else {
      attend_head<0>(p, head / p.heads, head % p.heads, out, probabilities, local.data());
    }
  }
}

/// Adds the gradients of the sequences [begin, end) to `to`.
/// @param kept [B, H, rows, columns] the probabilities
UNLEARN_CLIP_CLONES void pullback(const Problem& p, const Problem& to, const Rows& pulled,
                                  const float* kept, std::int64_t begin, std::int64_t end) {
  std::vector<float> local(static_cast<std::size_t>(p.columns));
  for (std::int64_t head = begin * p.heads; head < end * p.heads; ++head) {
    const float* const probabilities = kept + head * p.rows * p.columns;
    if (p.depth == usual_depth) {
      pull_head<usual_depth>(p, to, head / p.heads, head % p.heads, pulled, probabilities,
                             local.data());
    } else {
      pull_head<0>(p, to, head / p.heads, head % p.heads, pulled, probabilities, local.data());
    }
  }
}

/// @param queries [B, W], or undefined
/// @param packed  [B, L, 2W] or, without queries, [B, L, 3W]
Problem problem_of(const at::Tensor& queries, const at::Tensor& packed, std::int64_t heads) {
  const bool single = queries.defined();
  const std::int64_t width = packed.size(2) / (single ? 2 : 3);
  const std::int64_t depth = width / heads;
  const Rows rows = rows_of(packed);
  return {.queries = single ? rows_of(queries) : rows,
          .keys = rows.from(single ? 0 : width),
          .values = rows.from(single ? width : 2 * width),
          .sequences = packed.size(0),
          .heads = heads,
          .depth = depth,
          .rows = single ? 1 : packed.size(1),
          .columns = packed.size(1),
          .scale = 1 / std::sqrt(static_cast<float>(depth))};
}

/// How many sequences are enough work for another thread.
std::int64_t grain_of(const Problem& p) {
  constexpr std::int64_t operations = 1 << 15;
  return std::max<std::int64_t>(operations / (p.rows * p.columns * p.heads * p.depth), 1);
}

at::Tensor attended(const Problem& p, const at::Tensor& out, const at::Tensor& kept) {
  float* const probabilities = kept.defined() ? kept.data_ptr<float>() : nullptr;
  const Rows to = rows_of(out);
  at::parallel_for(0, p.sequences, grain_of(p), [&](std::int64_t begin, std::int64_t end) {
    attend(p, to, probabilities, begin, end);
  });
  return out;
}

at::Tensor output_like(const at::Tensor& queries, const at::Tensor& packed) {
  return queries.defined()
             ? at::empty_like(queries)
             : at::empty({packed.size(0), packed.size(1), packed.size(2) / 3}, packed.options());
}

struct FusedAttention : torch::autograd::Function<FusedAttention> {
  // LibTorch 1.13 accepts no undefined tensors here, only optional ones.
  static at::Tensor forward(AutogradContext* context, const c10::optional<at::Tensor>& some_queries,
                            const at::Tensor& packed, const c10::optional<at::Tensor>& some_last,
                            std::int64_t heads, bool causal) {
    const at::Tensor queries = some_queries.value_or(at::Tensor());
    const at::Tensor last = some_last.value_or(at::Tensor());
    Problem p = problem_of(queries, packed, heads);
    p.causal = causal;
    if (last.defined()) p.last = last.data_ptr<std::int64_t>();
    const at::Tensor kept = at::empty({p.sequences, heads, p.rows, p.columns}, packed.options());
    context->save_for_backward({queries, packed, last, kept});
    context->saved_data["heads"] = heads;
    context->saved_data["causal"] = causal;
    return attended(p, output_like(queries, packed), kept);
  }

  static variable_list backward(AutogradContext* context, variable_list pulled) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &queries = saved[0], &packed = saved[1], &last = saved[2], &kept = saved[3];
    const std::int64_t heads = context->saved_data["heads"].toInt();
    Problem p = problem_of(queries, packed, heads);
    p.causal = context->saved_data["causal"].toBool();
    if (last.defined()) p.last = last.data_ptr<std::int64_t>();
    const at::Tensor to_queries = queries.defined() ? at::zeros_like(queries) : at::Tensor();
    const at::Tensor to_packed = at::zeros_like(packed);
    const Problem to = problem_of(to_queries, to_packed, heads);
    const at::Tensor from = pulled[0].contiguous();
    const Rows from_rows = rows_of(from);
    at::parallel_for(0, p.sequences, grain_of(p), [&](std::int64_t begin, std::int64_t end) {
      pullback(p, to, from_rows, kept.data_ptr<float>(), begin, end);
    });
    return {to_queries, to_packed, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

/// Whether the loops above support this tensor, as it is or widened to floats.
bool has_attention_loops(const at::Tensor& tensor) {
  return tensor.device().is_cpu() &&
         (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
}

at::Tensor floats(const at::Tensor& tensor) { return tensor.to(at::kFloat).contiguous(); }

/// Attention in bfloat16 without gradients. Widens a few sequences at a time, so that the floats
/// stay in the cache.
/// @param bias of `packed`, or undefined
at::Tensor attended_in_bfloat16(const at::Tensor& queries, const at::Tensor& packed,
                                const at::Tensor& bias, const at::Tensor& last, std::int64_t heads,
                                bool causal) {
  constexpr std::int64_t together = 8;  // sequences that are widened at a time
  const at::Tensor out = output_like(queries, packed);
  const std::int64_t sequences = packed.size(0);
  const std::int64_t stretches = (sequences + together - 1) / together;
  at::parallel_for(0, stretches, 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::NoGradGuard no_gradient;  // a setting of each thread
    for (std::int64_t stretch = begin; stretch < end; ++stretch) {
      const std::int64_t first = stretch * together;
      const std::int64_t count = std::min(together, sequences - first);
      const at::Tensor some_queries =
          queries.defined() ? floats(queries.narrow(0, first, count)) : at::Tensor();
      const at::Tensor some = floats(packed.narrow(0, first, count));
      if (bias.defined()) some.add_(bias);
      Problem p = problem_of(some_queries, some, heads);
      p.causal = causal;
      if (last.defined()) p.last = last.data_ptr<std::int64_t>() + first;
      const at::Tensor mixed = output_like(some_queries, some);
      attend(p, rows_of(mixed), nullptr, 0, count);
      out.narrow(0, first, count).copy_(mixed);
    }
  });
  return out;
}

c10::optional<at::Tensor> optional(const at::Tensor& tensor) {
  return tensor.defined() ? c10::make_optional(tensor) : c10::nullopt;
}

at::Tensor fused(const at::Tensor& queries, const at::Tensor& packed, const at::Tensor& last,
                 std::int64_t heads, bool causal) {
  const bool with_gradient =
      at::GradMode::is_enabled() &&
      (packed.requires_grad() || (queries.defined() && queries.requires_grad()));
  const bool in_bfloat16 = packed.scalar_type() == at::kBFloat16 &&
                           (!queries.defined() || queries.scalar_type() == at::kBFloat16);
  if (in_bfloat16 && !with_gradient) {
    return attended_in_bfloat16(queries, packed, at::Tensor(), last, heads, causal);
  }
  const at::Tensor wide_queries = queries.defined() ? floats(queries) : at::Tensor();
  const at::Tensor wide = floats(packed);
  at::Tensor out;
  if (with_gradient) {
    out = FusedAttention::apply(optional(wide_queries), wide, optional(last), heads, causal);
  } else {
    Problem p = problem_of(wide_queries, wide, heads);
    p.causal = causal;
    if (last.defined()) p.last = last.data_ptr<std::int64_t>();
    out = attended(p, output_like(wide_queries, wide), at::Tensor());
  }
  return out.to(packed.scalar_type());
}

/// softmax(q kᵀ/√d + mask) v, heads side by side: q [B, Q, W], k and v [B, L, W].
at::Tensor plain(const variable_list& qkv, std::int64_t heads, const at::Tensor& mask) {
  const std::int64_t depth = qkv[0].size(-1) / heads;
  const auto by_head = [&](const at::Tensor& x) {
    return x.unflatten(-1, {heads, depth}).transpose(1, 2);  // [B, H, ·, d]
  };
  const at::Tensor q = by_head(qkv[0] * (1 / std::sqrt(static_cast<double>(depth))));
  at::Tensor scores = q.matmul(by_head(qkv[1]).transpose(-2, -1));
  if (mask.defined()) scores = scores + mask;
  return scores.softmax(-1).matmul(by_head(qkv[2])).transpose(1, 2).flatten(2);
}

}  // namespace

at::Tensor plain_self_attention(const at::Tensor& packed, std::int64_t heads, Attends attends) {
  const std::int64_t length = packed.size(1);
  const at::Tensor mask =
      attends == Attends::everywhere
          ? at::Tensor()
          : at::full({length, length}, -std::numeric_limits<float>::infinity(), packed.options())
                .triu(1);
  return plain(packed.chunk(3, -1), heads, mask);
}

at::Tensor plain_single_attention(const at::Tensor& queries, const at::Tensor& packed,
                                  std::int64_t heads, const at::Tensor& last) {
  at::Tensor mask;
  if (last.defined()) {
    const at::Tensor positions = at::arange(packed.size(1), last.options());
    mask = at::zeros({last.size(0), packed.size(1)}, packed.options())
               .masked_fill(positions > last.unsqueeze(1), -std::numeric_limits<float>::infinity())
               .view({-1, 1, 1, packed.size(1)});
  }
  const variable_list kv = packed.chunk(2, -1);
  return plain({queries.unsqueeze(1), kv[0], kv[1]}, heads, mask).squeeze(1);
}

at::Tensor self_attention(const at::Tensor& packed, std::int64_t heads, Attends attends) {
  if (!has_attention_loops(packed)) return plain_self_attention(packed, heads, attends);
  return fused(at::Tensor(), packed, at::Tensor(), heads, attends == Attends::backwards);
}

at::Tensor self_attention(const at::Tensor& packed, const at::Tensor& bias, std::int64_t heads,
                          Attends attends) {
  if (!has_attention_loops(packed) || packed.scalar_type() != at::kBFloat16) {
    return self_attention(packed + bias, heads, attends);
  }
  return attended_in_bfloat16(at::Tensor(), packed, bias, at::Tensor(), heads,
                              attends == Attends::backwards);
}

at::Tensor single_attention(const at::Tensor& queries, const at::Tensor& packed, std::int64_t heads,
                            const at::Tensor& last) {
  if (!has_attention_loops(packed) || !has_attention_loops(queries)) {
    return plain_single_attention(queries, packed, heads, last);
  }
  return fused(queries, packed, last, heads, /*causal=*/false);
}

}  // namespace unlearn::clip
