// SPDX-License-Identifier: Apache-2.0
//
// Signals that are no images: short sounds of float samples, with noise bounded in L2.

#include <array>
#include <cmath>
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
}
