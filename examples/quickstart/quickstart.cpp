// SPDX-License-Identifier: Apache-2.0
//
// Protects images with captions by MEM-5, over a model written here, and shows what a second
// model learns from the clean and from the protected pairs.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "scenes.hpp"
#include "unlearn/unlearn.hpp"

using unlearn::as_eigen, unlearn::Matrix, unlearn::PixelBatch, unlearn::TokenBatch, unlearn::View;

// [model]
struct Weights {  // of one layer, and Adam's moments
  Matrix value, mean, square;
  Weights(std::size_t rows, std::size_t columns, std::mt19937_64& rng)
      : value(rows, columns), mean(Matrix::Zero(rows, columns)), square(mean) {
    std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(rows)));
    value = value.unaryExpr([&](float) { return normal(rng); });
  }
  void step(const Matrix& gradient, int t) {
    mean = 0.9F * mean + 0.1F * gradient;
    square = 0.99F * square + 0.01F * gradient.cwiseAbs2();
    const double rate = 3e-3 * std::sqrt(1 - std::pow(0.99, t)) / (1 - std::pow(0.9, t));
    value.array() -= static_cast<float>(rate) * mean.array() / (square.array().sqrt() + 1e-8F);
  }
};

struct TwoTowers {  // images through one hidden layer, captions as bags of words
  Weights hidden, image, word;
  int steps = 0;
  explicit TwoTowers(std::mt19937_64& rng)
      : hidden(Scenes::elements(), 64, rng),
        image(64, 32, rng),
        word(Scenes::vocabulary, 32, rng) {}

  static Matrix pixels(const PixelBatch& s) { return 4 * (s.perturbed().array() - 0.5F); }
  Matrix relu(const PixelBatch& s) { return (pixels(s) * hidden.value).cwiseMax(0.0F); }
  Matrix embed(const Matrix& h) { return h * image.value; }
  Matrix before_relu(const Matrix& gradient, const Matrix& h) {
    return (gradient * image.value.transpose()).array() * (h.array() > 0).cast<float>();
  }
  static Matrix bag(const TokenBatch& t) {
    Matrix counts = Matrix::Zero(t.size(), Scenes::vocabulary);
    for (std::size_t r = 0; r < t.size(); ++r)
      for (const unlearn::Token token : t.sequence(r)) counts(r, token) += 1;
    return counts;
  }

  Matrix encode_signals(const PixelBatch& s) { return embed(relu(s)); }
  Matrix encode_texts(const TokenBatch& t) { return bag(t) * word.value; }
  void signal_gradient(const PixelBatch& s, auto& pullback, View<float, 2> out) {
    const Matrix h = relu(s), gradient = pullback(embed(h));
    as_eigen(out) = before_relu(gradient, h) * hidden.value.transpose();
  }
  void text_gradient(const TokenBatch& t, auto& pullback, View<float, 3> out) {
    const Matrix gradient = pullback(encode_texts(t));
    for (std::size_t r = 0; r < t.size(); ++r) as_eigen(out[r]).rowwise() = gradient.row(r);
  }
  View<const float, 2> token_embeddings() { return word.value; }
  double logit_scale() { return 50; }
  double train_step(const PixelBatch& s, const TokenBatch& t) {
    const Matrix h = relu(s);
    const auto loss = unlearn::info_nce(embed(h), encode_texts(t), logit_scale());
    hidden.step(pixels(s).transpose() * before_relu(loss.grad_a, h), ++steps);
    image.step(h.transpose() * loss.grad_a, steps);
    word.step(bag(t).transpose() * loss.grad_b, steps);
    return loss.value;
  }
};
// [/model]

// [report]
/// How well a model finds clean test images by their captions, and captions by their images.
unlearn::Retrieval report(const char* trained_on, TwoTowers& model, const Scenes& test) {
  const auto found =
      unlearn::retrieval(model.encode_signals(test.images()), model.encode_texts(test.captions()));
  std::printf("%-16s %9.1f %6zu %12.1f %6zu\n", trained_on, found.signal_to_text.hit_at_k,
              found.signal_to_text.median_rank, found.text_to_signal.hit_at_k,
              found.text_to_signal.median_rank);
  return found;
}
// [/report]

int main() {
  // [protect]
  const Scenes pairs(2000, /*seed=*/1);
  std::mt19937_64 rng(3);
  TwoTowers surrogate(rng);

  unlearn::TokenFilter words(Scenes::vocabulary);
  words.deny(std::vector{Scenes::start, Scenes::end});
  auto mem = unlearn::mem();
  mem.filter = words;
  mem.surrogate_steps = 50;
  auto state = unlearn::fresh_state(pairs, std::vector(5, Scenes::first_word));
  mem.minimize(surrogate, pairs, state, rng, unlearn::progress_bar());
  // [/protect]

  std::printf("one of 2000 captions, as published:\n  %s | %s\n\n",
              Scenes::text(state.triggers[0]).c_str(), Scenes::text(pairs.caption(0)).c_str());

  // [attack]
  const Scenes test(500, /*seed=*/2);
  TwoTowers untrained(rng), honest(rng), deceived(rng);
  auto clean = unlearn::fresh_state(pairs);
  state.progress = {};
  const auto training = unlearn::training(/*steps=*/500);
  training.minimize(honest, pairs, clean, rng);
  training.minimize(deceived, pairs, state, rng);

  std::puts("                   image to text        text to image");
  std::puts("trained on          hit@10   MedR       hit@10   MedR");
  report("nothing", untrained, test);
  const auto learned = report("clean pairs", honest, test);
  const auto left = report("protected pairs", deceived, test);
  // [/attack]
  return left.signal_to_text.median_rank > 10 * learned.signal_to_text.median_rank ? EXIT_SUCCESS
                                                                                   : EXIT_FAILURE;
}
