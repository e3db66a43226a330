// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <istream>
#include <ostream>
#include <utility>
#include <vector>

#include "mem/two_tower.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/device.cuh"

namespace unlearn::testing {

/// TwoTowers that take signals from a device's memory, and write their gradient there.
template <class DeviceT>
class TowersOnDevice {
 public:
  TowersOnDevice(const DeviceT& device, TwoTowers towers)
      : device_(device), towers_(std::move(towers)) {}

  template <class S, class N>
  [[nodiscard]] Matrix encode_signals(const SignalBatch<S, N>& signals) const {
    return towers_.encode_signals(Here<S, N>(device_, signals).batch());
  }
  [[nodiscard]] Matrix encode_texts(const TokenBatch& texts) const {
    return towers_.encode_texts(texts);
  }
  template <class S, class N, class Loss>
  void signal_gradient(const SignalBatch<S, N>& signals, LossPullback<Loss>& pullback,
                       View<float, 2> out) const {
    std::vector<float> gradient(out.size());
    towers_.signal_gradient(Here<S, N>(device_, signals).batch(), pullback,
                            View<float, 2>(gradient, out.extents()));
    copy_in_on(device_, gradient.data(), gradient.size(), out.data());
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
    return towers_.train_step(Here<S, N>(device_, signals).batch(), texts, loss);
  }
  void save(std::ostream& out) const { towers_.save(out); }
  void load(std::istream& in) { towers_.load(in); }

 private:
  /// A batch, copied to the host.
  template <class S, class N>
  class Here {
   public:
    Here(const DeviceT& device, const SignalBatch<S, N>& there)
        : clean_(there.clean.size()), noise_(there.noise.size()), there_(there) {
      copy_out_on(device, there.clean.data(), clean_.size(), clean_.data());
      copy_out_on(device, there.noise.data(), noise_.size(), noise_.data());
    }
    [[nodiscard]] SignalBatch<S, N> batch() const {
      return {.clean = {clean_.data(), there_.clean.extents()},
              .noise = {noise_.data(), there_.noise.extents()}};
    }

   private:
    std::vector<S> clean_;
    std::vector<N> noise_;
    SignalBatch<S, N> there_;
  };

  DeviceT device_;
  TwoTowers towers_;
};

}  // namespace unlearn::testing
