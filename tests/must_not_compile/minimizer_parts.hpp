// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

#include "unlearn/unlearn.hpp"

// The arguments of MultiStepMinimizer::minimize, only declared.

template <class Sample>
struct Pairs {
  using sample_type = Sample;
  std::size_t rows();
  std::size_t signals();
  std::size_t elements();
  unlearn::Index signal_of(unlearn::Index row);
  void load_signals(std::span<const unlearn::Index> indices, unlearn::View<Sample, 2> out);
  std::span<const unlearn::Token> caption(unlearn::Index row);
};

struct Model {
  unlearn::Matrix encode_signals(const auto& signals);
  unlearn::Matrix encode_texts(const unlearn::TokenBatch& texts);
  void signal_gradient(const auto& signals, auto& pullback, unlearn::View<float, 2> out);
  void text_gradient(const unlearn::TokenBatch& texts, auto& pullback, unlearn::View<float, 3> out);
  unlearn::View<const float, 2> token_embeddings();
  double logit_scale();
};

template <class Noise>
using State = unlearn::RunState<unlearn::MemoryNoiseStore<Noise>>;
using Rng = std::mt19937_64;
