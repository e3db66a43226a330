// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <istream>
#include <ostream>
#include <utility>
#include <vector>

#include "mem/two_tower.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn::testing {

/// TwoTowers that take signals from a device's memory, and write their gradient there.
template <class BackendT>
class TowersOnDevice {
 public:
  TowersOnDevice(const BackendT& device, TwoTowers towers)
      : device_(device), towers_(std::move(towers)) {}

  template <class S, class N>
  [[nodiscard]] Matrix encode_signals(const SignalBatch<S, N>& signals) const {
    return towers_.encode_signals(OnHost<S, N>(device_, signals).batch());
  }
  [[nodiscard]] Matrix encode_texts(const TokenBatch& texts) const {
    return towers_.encode_texts(texts);
  }
  template <class S, class N, class Loss>
  void signal_gradient(const SignalBatch<S, N>& signals, LossPullback<Loss>& pullback,
                       View<float, 2> out) const {
    std::vector<float> gradient(out.size());
    towers_.signal_gradient(OnHost<S, N>(device_, signals).batch(), pullback,
                            View<float, 2>(gradient, out.extents()));
    device_.copy_in(gradient.data(), gradient.size(), out.data());
  }
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback,
                     View<float, 3> out) const {
    towers_.text_gradient(texts, pullback, out);
  }
  [[nodiscard]] View<const float, 2> token_embeddings() const { return towers_.token_embeddings(); }
  [[nodiscard]] double logit_scale() const { return towers_.logit_scale(); }
  template <class S, class N, class Loss>
  double train_step(const SignalBatch<S, N>& signals, const TokenBatch& texts, const Loss& loss) {
    return towers_.train_step(OnHost<S, N>(device_, signals).batch(), texts, loss);
  }
  void save(std::ostream& out) const { towers_.save(out); }
  void load(std::istream& in) { towers_.load(in); }

 private:
  /// A batch, copied to the host.
  template <class S, class N>
  class OnHost {
   public:
    OnHost(const BackendT& device, const SignalBatch<S, N>& on_device)
        : clean_(on_device.clean.size()), noise_(on_device.noise.size()), on_device_(on_device) {
      device.copy_out(on_device.clean.data(), clean_.size(), clean_.data());
      device.copy_out(on_device.noise.data(), noise_.size(), noise_.data());
    }
    [[nodiscard]] SignalBatch<S, N> batch() const {
      return {.clean = {clean_.data(), on_device_.clean.extents()},
              .noise = {noise_.data(), on_device_.noise.extents()}};
    }

   private:
    std::vector<S> clean_;
    std::vector<N> noise_;
    SignalBatch<S, N> on_device_;
  };

  BackendT device_;
  TwoTowers towers_;
};

}  // namespace unlearn::testing
