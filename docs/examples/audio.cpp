// SPDX-License-Identifier: Apache-2.0
//
// Signals that are no images: short sounds of float samples, with noise bounded in L2.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "check.hpp"
#include "own_model.hpp"
#include "unlearn/unlearn.hpp"

namespace {

constexpr std::size_t samples = 128, tones = 16;
constexpr unlearn::Token start = 0, end = 1, first_word = 2;

// [sounds]
/// Three tones at once, in any phase; the caption names them. Samples are in [-1, 1].
struct Sounds {
  using sample_type = float;

  std::vector<std::array<unlearn::Token, 5>> captions;
  std::vector<float> waves;  // [sounds, samples]

  std::size_t rows() const { return captions.size(); }
  std::size_t signals() const { return captions.size(); }
  std::size_t elements() const { return samples; }
  unlearn::Index signal_of(unlearn::Index row) const { return row; }
  std::span<const unlearn::Token> caption(unlearn::Index row) const { return captions[row]; }
  void load_signals(std::span<const unlearn::Index> indices, unlearn::View<float, 2> out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::copy_n(&waves[indices[i] * samples], samples, out.row(i).begin());
    }
  }
};
// [/sounds]

Sounds make_sounds(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  Sounds sounds{.captions = {}, .waves = std::vector<float>(count * samples)};
  for (std::size_t i = 0; i < count; ++i) {
    std::array<unlearn::Token, 5> caption{start, 0, 0, 0, end};
    for (std::size_t part = 0; part < 3; ++part) {
      const std::size_t tone = unlearn::uniform_below(tones, rng);
      const double phase = 0.01 * static_cast<double>(unlearn::uniform_below(628, rng));
      caption[1 + part] = static_cast<unlearn::Token>(first_word + tone);
      for (std::size_t t = 0; t < samples; ++t) {
        const double turns = static_cast<double>((tone + 2) * t) / samples;
        sounds.waves[i * samples + t] +=
            static_cast<float>(0.25 * std::sin(2 * std::numbers::pi * turns + phase));
      }
    }
    sounds.captions.push_back(caption);
  }
  return sounds;
}

// [transform]
/// Starts a sound at a random place and goes on at its beginning: a rotation of its samples.
struct RandomStart {
  std::size_t elements(std::size_t n) const { return n; }
  void apply(std::span<const std::uint64_t> seeds, unlearn::View<const float, 2> x,
             unlearn::View<float, 2> y) const {
    for (std::size_t r = 0; r < seeds.size(); ++r) {
      const std::span<const float> from = x.row(r);
      std::ranges::rotate_copy(from, from.begin() + start_of(seeds[r], from), y.row(r).begin());
    }
  }
  /// The adjoint of a rotation is the rotation back.
  void pull_back(std::span<const std::uint64_t> seeds, unlearn::View<const float, 2> /*x*/,
                 unlearn::View<const float, 2> dy, unlearn::View<float, 2> dx) const {
    for (std::size_t r = 0; r < seeds.size(); ++r) {
      const std::span<const float> from = dy.row(r);
      std::ranges::rotate_copy(from, from.end() - start_of(seeds[r], from), dx.row(r).begin());
    }
  }

 private:
  static std::ptrdiff_t start_of(std::uint64_t seed, std::span<const float> sound) {
    return static_cast<std::ptrdiff_t>(seed % sound.size());
  }
};
static_assert(unlearn::SignalTransform<RandomStart>);
// [/transform]

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "sound_noise.npy";
  std::filesystem::remove(path);
  const std::size_t vocabulary = first_word + 2 * tones;
  unlearn::TokenFilter words(vocabulary);
  words.deny(std::vector{start, end});

  const Sounds sounds = make_sounds(400, /*seed=*/1);
  std::mt19937_64 rng(3);

  // [float-signals]
  OwnModel model({.elements = samples, .centre = 0, .gain = 2}, vocabulary, rng);

  unlearn::MultiStepMinimizer<unlearn::L2Ball> mem{
      .descent = {.step = 0.01, .steps = 8},
      .ball = {.radius = 0.5},             // ‖δ‖₂ over the 128 samples of a sound
      .box = {.low = -1.0F, .high = 1.0F}  // what a sample may be
  };
  mem.filter = words;
  mem.rounds = 4;
  mem.surrogate_steps = 50;

  unlearn::Scope scope = unlearn::Scope::of(sounds);
  unlearn::RunState<unlearn::MappedNoiseStore<float>> state{
      .noise = unlearn::MappedNoiseStore<float>::create(path, scope.noise.groups(), samples),
      .triggers = {scope.triggers.groups(), std::vector(3, first_word)},
      .scope = scope};
  const auto result = mem.minimize(model, sounds, state, rng);
  state.noise.flush();  // now the file is complete; NumPy opens it as it is
  // [/float-signals]

  std::printf("%u rounds, noise loss %.3f\n", result.rounds, *result.loss);
  check(result.stop == unlearn::StopReason::round_limit, "the run came to its end");
  for (unlearn::Index i = 0; i < sounds.signals(); ++i) {
    std::vector<float> noise(samples);
    state.noise.load(std::span(&i, 1), {noise, {1, samples}});
    double square = 0;
    for (std::size_t t = 0; t < samples; ++t) {
      square += double{noise[t]} * noise[t];
      check(std::abs(sounds.waves[i * samples + t] + noise[t]) <= 1.000001F, "within the box");
    }
    check(square > 0, "every sound has its noise");
    check(std::sqrt(square) <= 0.500001, "within the ball");
  }

  std::filesystem::remove(path);
  unlearn::RunState<unlearn::MappedNoiseStore<float>> robust_state{
      .noise = unlearn::MappedNoiseStore<float>::create(path, scope.noise.groups(), samples),
      .triggers = {scope.triggers.groups(), std::vector(3, first_word)},
      .scope = scope};
  // [decorators]
  OwnModel another({.elements = samples, .centre = 0, .gain = 2}, vocabulary, rng);
  unlearn::Augmented shifted(model, RandomStart{}, {.draws = 2});
  unlearn::Ensemble both(shifted, another);

  auto robust = unlearn::with_loss(mem, both.averaged(unlearn::InfoNce{}));
  robust.rounds = 1;
  const auto robust_result = robust.minimize(both, sounds, robust_state, rng);
  // [/decorators]
  std::printf("over two models and shifts: noise loss %.3f\n", *robust_result.loss);
  check(robust_result.stop == unlearn::StopReason::round_limit, "the second run, too");
  check(robust_result.train_steps == 50, "a step trains both models");
}
