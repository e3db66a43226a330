// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <random>  // std::uniform_random_bit_generator
#include <span>
#include <type_traits>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {

/// Two towers that embed signals and texts in one space, and propagate gradients back.
///
/// Requirements, for a model `m`, signals `s` (a SignalBatch, [B, elements]), texts `t` (a
/// TokenBatch, [R, L]) and a pullback `p`:
///  1. `m.encode_signals(s)` returns [B, D] embeddings, `m.encode_texts(t)` [R, D] for any R. Both
///     run in evaluation mode. Embeddings need not be normalised. Row r depends on input r alone.
///  2. `m.signal_gradient(s, p, out)` calls `p` once with the embeddings of `s` and assigns the
///     gradient with respect to the perturbed signals to every element of `out` [B, elements],
///     which may hold anything before. On the pixel grid any positive multiple will do, as only
///     signs are used. A model that averages over others may let each call a pullback of its own,
///     and record the mean: `p.record(value)`.
///  3. `m.text_gradient(t, p, out)` does the same for the token embeddings at the trigger positions
///     (`t.trigger_positions`): `out` [R, n, E].
///  4. `m.token_embeddings()` is a view of the table [V, E] that `text_gradient` refers to.
///  5. `m.logit_scale()` is exp(s), the factor on the cosine similarities.
///  6. None of these changes what a later call returns.
///
/// Optional: what a loss has to learn beside the scale is the model's, too, and a loss asks for it
/// by name (see bound_loss). `m.logit_bias()` is the bias of a SigLip.
template <class M, class Batch, class Loss>
concept DualEncoder = requires(M& m, const Batch& s, const TokenBatch& t, LossPullback<Loss>& p,
                               View<float, 2> signal_grad, View<float, 3> token_grad) {
  { m.encode_signals(s) } -> FloatMatrix;
  { m.encode_texts(t) } -> FloatMatrix;
  m.signal_gradient(s, p, signal_grad);
  m.text_gradient(t, p, token_grad);
  { m.token_embeddings() } -> std::convertible_to<View<const float, 2>>;
  { m.logit_scale() } -> std::convertible_to<double>;
};

/// A dual encoder that learns to minimise a loss that it is given: the one that the noise and the
/// triggers minimise, too.
///
/// Requirements, for a model `m`, signals `s`, texts `t` and a ContrastiveLoss `loss`:
///  1. `m.train_step(s, t, loss)` takes one optimiser step on the pairs (s_i, t_i), in training
///     mode, and returns the loss before the step.
///  2. `loss` has the model's current parameters, and `loss(a, b, logit_scale)` gives its
///     gradients in closed form: the model needs no loss of its own.
template <class M, class Batch, class Loss>
concept TrainableOn = requires(M& m, const Batch& s, const TokenBatch& t, const Loss& loss) {
  { m.train_step(s, t, loss) } -> std::convertible_to<double>;
};

/// A dual encoder that can learn.
///
/// Requirements, for a model `m`, signals `s` and texts `t`:
///  1. `m` is TrainableOn the loss, or `m.train_step(s, t)` does the same with a loss of the
///     model's own. A model that has both is given the loss.
///
/// Without `Loss`, only a model with a loss of its own is Trainable.
template <class M, class Batch, class Loss = void>
concept Trainable =
    TrainableOn<M, Batch, Loss> || requires(M& m, const Batch& s, const TokenBatch& t) {
      { m.train_step(s, t) } -> std::convertible_to<double>;
    };

/// A value that can be written to a stream and read back to the same value: run state of a model
/// (weights and optimiser) or of a generator.
///
/// Requirements, for a value `m`:
///  1. `m.save(out)` writes to a std::ostream.
///  2. `m.load(in)` reads what `save` wrote. From then on `m` behaves, to the last bit, like the
///     value that was saved: this includes an optimiser's moments and step count, and any generator
///     that the model owns.
template <class M>
concept Checkpointable = requires(M& m, std::ostream& out, std::istream& in) {
  m.save(out);
  m.load(in);
};

/// Image-caption rows, or any signal-text pairs, that are loaded by index.
///
/// Requirements, for a source `p`:
///  1. `sample_type` is std::uint8_t (pixel grid) or float.
///  2. `p.rows()` pairs over `p.signals()` signals of `p.elements()` numbers each.
///  3. `p.signal_of(row)` < `p.signals()`: several rows may name one signal.
///  4. `p.load_signals(indices, out)` writes signal indices[i] to row i of `out` [n, elements].
///  5. `p.caption(row)` is the row's token sequence, start and end token included. The range stays
///     valid until the next call.
///  6. Every call with the same arguments gives the same answer.
///
/// Optional: `p.prefetch(indices)` says that `load_signals(indices, ...)` is probably the next call
/// of its kind. It changes no answer.
///
/// A source whose `load_signals` writes to a device's memory says so by a static constexpr bool
/// `on_device` that is true. It can be used with that device's policy only.
template <class P>
concept PairSource =
    (std::same_as<typename P::sample_type, std::uint8_t> ||
     std::same_as<typename P::sample_type, float>) &&
    requires(P& p, Index i, std::span<const Index> indices, View<typename P::sample_type, 2> out) {
      { p.rows() } -> std::convertible_to<std::size_t>;
      { p.signals() } -> std::convertible_to<std::size_t>;
      { p.elements() } -> std::convertible_to<std::size_t>;
      { p.signal_of(i) } -> std::convertible_to<Index>;
      p.load_signals(indices, out);
      { p.caption(i) } -> std::convertible_to<std::span<const Token>>;
    };

/// The noise that goes with a source's signals: int8 on the pixel lattice, else float.
template <PairSource Pairs>
using noise_of_t =
    std::conditional_t<std::is_integral_v<typename Pairs::sample_type>, std::int8_t, float>;

namespace detail {

/// Whether a source's signals are in a device's memory.
template <class Pairs>
inline constexpr bool signals_on_device = [] {
  if constexpr (requires { Pairs::on_device; }) {
    return Pairs::on_device;
  } else {
    return false;
  }
}();

}  // namespace detail

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
