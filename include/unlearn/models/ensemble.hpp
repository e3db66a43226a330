// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <istream>
#include <ostream>
#include <tuple>
#include <vector>

#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/loss_pullback.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/model_loss.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/models/detail/columns.hpp"
#include "unlearn/models/detail/saved_parts.hpp"
#include "unlearn/models/ensemble_loss.hpp"

namespace unlearn {

/// Several surrogates f_1 ... f_N as one model: noise and triggers minimise the mean of their
/// losses,
///
///     (1/N) Σ_m L(f_m(I + δ), g_m(T ⊕ t)),
///
/// exactly, for any loss, and each surrogate is trained on its own. The minimizer is given the mean
/// as its loss:
///
///     unlearn::Ensemble both(first, second);
///     const auto mem = unlearn::with_loss(unlearn::mem(), both.averaged(unlearn::InfoNce{}));
///     mem.minimize(both, pairs, state, rng);
///
/// The models' embeddings stand side by side, [B, D_1 + ... + D_N], and so do their token
/// embeddings, [V, E_1 + ... + E_N]. HotFlip's score of a token is then the sum of its scores by
/// each model. The models may be of different types and widths, but have one vocabulary. A signal
/// gradient on the pixel grid must be the same multiple of the true one in each.
///
/// Costs what N runs cost, and a copy of all token embeddings for each trigger batch. Everything is
/// in the host's memory.
///
/// @tparam Models DualEncoders
template <class... Models>
class Ensemble {
 public:
  /// N.
  static constexpr std::size_t size = sizeof...(Models);
  /// What an ensemble of these models minimises in place of `Loss`.
  template <class Loss>
  using LossOf = EnsembleLoss<Loss, sizeof...(Models)>;

  /// @param models at least one; must outlive this
  explicit Ensemble(Models&... models) : models_(models...) {
    static_assert(sizeof...(Models) > 0, "an Ensemble needs at least one model");
  }

  /// @param loss of each model
  /// @returns the loss to give to the minimizer
  template <class Loss>
  [[nodiscard]] LossOf<Loss> averaged(const Loss& loss) const {
    return {.loss = loss, .members = {}};
  }

  /// The models' embeddings of signals, side by side.
  template <class Batch>
  [[nodiscard]] Matrix encode_signals(const Batch& signals) {
    return side_by_side([&](auto& model) { return model.encode_signals(signals); });
  }
  /// The models' embeddings of texts, side by side.
  [[nodiscard]] Matrix encode_texts(const TokenBatch& texts) {
    return side_by_side([&](auto& model) { return model.encode_texts(texts); });
  }

  /// The mean of the models' gradients. The pullback records the mean of their losses.
  /// @param signals  I + δ
  /// @param pullback of averaged(loss), with texts that this ensemble has encoded
  /// @param out      [B, elements], written
  template <class Batch, class Loss>
    requires(DualEncoder<Models, Batch, Loss> && ...)
  void signal_gradient(const Batch& signals, LossPullback<LossOf<Loss>>& pullback,
                       View<float, 2> out) {
    std::vector<float> own(out.size());
    std::ranges::fill(out.flat(), 0.0F);
    pull(pullback, [&](auto& model, LossPullback<Loss>& of_model) {
      std::ranges::fill(own, 0.0F);
      model.signal_gradient(signals, of_model, View<float, 2>(own, out.extents()));
      for (std::size_t i = 0; i < own.size(); ++i) out.flat()[i] += share * own[i];
    });
  }

  /// 1/N times the models' gradients with respect to token embeddings, side by side.
  /// @param texts    T ⊕ t
  /// @param pullback of averaged(loss), with signals that this ensemble has encoded
  /// @param out      [R, n, ΣE], written
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<LossOf<Loss>>& pullback,
                     View<float, 3> out) {
    const std::size_t rows = out.extent(0) * out.extent(1);
    const View<float, 2> all(out.data(), {rows, out.extent(2)});
    std::size_t first = 0;
    pull(pullback, [&](auto& model, LossPullback<Loss>& of_model) {
      const std::size_t width = View<const float, 2>(model.token_embeddings()).extent(1);
      std::vector<float> own(rows * width);
      model.text_gradient(texts, of_model,
                          View<float, 3>(own, {out.extent(0), out.extent(1), width}));
      detail::set_columns(all, first, View<const float, 2>(own, {rows, width}), share);
      first += width;
    });
    table_is_old_ = true;  // a model may have been trained outside of this ensemble
  }

  /// The models' token embeddings side by side, [V, ΣE], as of the last call of text_gradient().
  /// @throws InvalidArgument when the models' vocabularies differ in size
  [[nodiscard]] View<const float, 2> token_embeddings() {
    if (table_is_old_) renew_table();
    return table_;
  }

  /// 1: the members of the loss have each model's own.
  [[nodiscard]] static double logit_scale() { return 1; }

  /// The loss with each model's width, logit scale and learnt parameters: see bound_loss. A model
  /// has a width as soon as this has encoded anything.
  template <class Loss>
  [[nodiscard]] LossOf<Loss> bind(const LossOf<Loss>& loss) {
    LossOf<Loss> bound = loss;
    each([&](auto& model, std::size_t m) {
      bound.members[m] = {.loss = bound_loss(loss.loss, model),
                          .logit_scale = static_cast<double>(model.logit_scale()),
                          .width = widths_[m]};
    });
    return bound;
  }

  /// One training step of each model on its own loss.
  /// @returns the mean of the losses before the step
  template <class Batch, class Loss>
    requires(Trainable<Models, Batch, Loss> && ...)
  double train_step(const Batch& signals, const TokenBatch& texts, const LossOf<Loss>& loss) {
    double before = 0;
    each([&](auto& model, std::size_t) {
      before += train_step_on(loss.loss, model, signals, texts) / static_cast<double>(size);
    });
    table_is_old_ = true;
    return before;
  }

  /// Writes the models.
  void save(std::ostream& out)
    requires(Checkpointable<Models> && ...)
  {
    detail::write_count(out, size);
    each([&](auto& model, std::size_t) { detail::save_part(out, model); });
  }
  /// Reads what save() wrote.
  void load(std::istream& in)
    requires(Checkpointable<Models> && ...)
  {
    if (detail::read_count(in) != size) in.setstate(std::ios::failbit);
    each([&](auto& model, std::size_t) { detail::load_part(in, model); });
    table_is_old_ = true;
  }

 private:
  static constexpr float share = 1.0F / static_cast<float>(size);

  /// call(model, its number), one after the other
  template <class Call>
  void each(const Call& call) {
    std::apply(
        [&](auto&... models) {
          std::size_t m = 0;
          (call(models, m++), ...);
        },
        models_);
  }

  template <class Encode>
  [[nodiscard]] Matrix side_by_side(const Encode& encode) {
    std::array<Matrix, size> parts;
    std::size_t sum = 0;
    each([&](auto& model, std::size_t m) {
      const auto embeddings = encode(model);
      parts[m] = as_eigen(embeddings);
      widths_[m] = static_cast<std::size_t>(parts[m].cols());
      sum += widths_[m];
      require_size("rows of embeddings of an ensemble's model",
                   static_cast<std::size_t>(parts[0].rows()),
                   static_cast<std::size_t>(parts[m].rows()));
    });
    Matrix all(parts[0].rows(), static_cast<Eigen::Index>(sum));
    std::size_t first = 0;
    for (std::size_t m = 0; m < size; first += widths_[m++]) {
      detail::set_columns(View<float, 2>(all), first, parts[m], 1);
    }
    return all;
  }

  /// gradient(model, its pullback) for each model. Each calls its own pullback once.
  template <class Loss, class Gradient>
  void pull(LossPullback<LossOf<Loss>>& pullback, const Gradient& gradient) {
    pullback.loss().require_columns(pullback.fixed().extent(1));
    double losses = 0;
    std::size_t first = 0;
    each([&](auto& model, std::size_t m) {
      const EnsembleMember<Loss>& member = pullback.loss().members[m];
      const Matrix fixed = detail::columns_of(pullback.fixed(), first, member.width);
      LossPullback<Loss> of_model(member.loss, fixed, pullback.logit_scale() * member.logit_scale);
      gradient(model, of_model);
      require(of_model.calls() == 1, "calls of the pullback by a model of an ensemble",
              "1, between the forward and the backward pass", of_model.calls());
      losses += of_model.value();
      first += member.width;
    });
    pullback.record(losses / static_cast<double>(size));
  }

  void renew_table() {
    std::array<View<const float, 2>, size> tables;
    std::size_t width = 0;
    each([&](auto& model, std::size_t m) {
      tables[m] = model.token_embeddings();
      width += tables[m].extent(1);
      require_size("vocabulary of an ensemble's model", tables[0].extent(0), tables[m].extent(0));
    });
    table_.resize(static_cast<Eigen::Index>(tables[0].extent(0)), static_cast<Eigen::Index>(width));
    std::size_t first = 0;
    for (const View<const float, 2>& table : tables) {
      detail::set_columns(View<float, 2>(table_), first, table, 1);
      first += table.extent(1);
    }
    table_is_old_ = false;
  }

  std::tuple<Models&...> models_;
  std::array<std::size_t, size> widths_{};
  Matrix table_;
  bool table_is_old_ = true;
};

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
