// SPDX-License-Identifier: Apache-2.0
//
// Each policy by itself, without a model.

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file_mapping.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/unlearn.hpp"

using unlearn::Index, unlearn::Token, unlearn::View;

namespace {

// [own-scorer]
/// A loss that needs no model: the sum, over all groups, of |10 − the sum of the group's tokens|.
class SumsToTen {
 public:
  explicit SumsToTen(View<const Token, 2> triggers) {
    for (std::size_t g = 0; g < triggers.extent(0); ++g) now_.push_back(distance(triggers.row(g)));
  }

  double loss() const { return total(now_); }
  void propose(std::span<const Index> groups, View<const Token, 2> triggers) {
    proposed_.clear();
    for (std::size_t m = 0; m < groups.size(); ++m) {
      proposed_.push_back({groups[m], distance(triggers.row(m))});
    }
  }
  void score(std::span<double> losses) const {
    for (std::size_t m = 0; m < losses.size(); ++m) {
      losses[m] = loss() - now_[proposed_[m].first] + proposed_[m].second;
    }
  }
  double joint_loss(std::span<const Index> chosen) const { return total(with(chosen)); }
  void commit(std::span<const Index> chosen) { now_ = with(chosen); }

 private:
  static double distance(std::span<const Token> trigger) {
    double sum = -10;
    for (const Token token : trigger) sum += token;
    return std::abs(sum);
  }
  static double total(const std::vector<double>& distances) {
    double sum = 0;
    for (const double distance : distances) sum += distance;
    return sum;
  }
  std::vector<double> with(std::span<const Index> chosen) const {
    std::vector<double> then = now_;
    for (const Index m : chosen) then[proposed_[m].first] = proposed_[m].second;
    return then;
  }

  std::vector<double> now_;                         // [groups]
  std::vector<std::pair<Index, double>> proposed_;  // group, and its distance if it were true
};
static_assert(unlearn::TriggerScorer<SumsToTen>);
// [/own-scorer]

void descent() {
  // [descent]
  // The point of the square |x|, |y| <= 1 with the lowest (x - 3)² + (y + 0.25)².
  const auto objective = [](std::span<const double> x, std::span<double> grad) {
    grad[0] = 2 * (x[0] - 3);
    grad[1] = 2 * (x[1] + 0.25);
    return (x[0] - 3) * (x[0] - 3) + (x[1] + 0.25) * (x[1] + 0.25);
  };
  std::vector<double> x{0, 0};
  const unlearn::ProjectedSignDescent descent{.step = 0.125, .steps = 20};
  const auto result = descent.optimize(objective, std::span(x), unlearn::LinfBall{.radius = 1});
  std::printf("(%.2f, %.2f), value %.2f after %d steps: %s\n", x[0], x[1], result.value,
              result.steps, to_string(result.stop).data());
  // [/descent]
  check(x == std::vector{1.0, -0.25} && result.value == 4, "the descent finds the corner");
}

void rows() {
  // [rows]
  // Two rows of two numbers, each with its own point to come close to and its own radius.
  const std::vector<double> goals{3, 4, 0.1, 0}, radii{1, 0.5}, clean(4);
  const auto distance = [&](const unlearn::RowEvaluation<double>& at) {
    for (const Index row : at.rows) {  // those that have not stopped
      at.values[row] = 0;
      for (std::size_t i = 0; i < 2; ++i) {
        const double away = at.noise[row][i] - goals[2 * row + i];
        at.values[row] += away * away;
        at.grad[row][i] = 2 * away;
      }
    }
  };
  const unlearn::BallAndBoxSet<double, unlearn::BallPerRow<unlearn::L2Ball>> feasible{
      .ball = {.radii = radii}, .clean = {clean.data(), {2, 2}}, .box = {.low = -1, .high = 1}};
  const unlearn::RandomStarts search{.descent =
                                         unlearn::ProjectedDescent<unlearn::NormalizedGradientStep>{
                                             .step = 0.02, .steps = 200, .stop_value = 0.001},
                                     .starts = 3};
  std::vector<double> noise(4);
  std::mt19937_64 rng(1);
  const auto found = search.optimize_rows(distance, View<double, 2>(noise, {2, 2}), feasible, rng);
  for (const unlearn::RowOutcome& row : found.rows) {
    std::printf("%.3f after %d steps: %s\n", row.value, row.steps, to_string(row.stop).data());
  }
  // [/rows]
  check(std::abs(found.rows[0].value - 16) < 1e-3, "the nearest point of the ball: 5 - 1 away");
  check(found.rows[1].success() && found.rows[1].steps < 200, "this row stopped by itself");
}

void pixel_grid() {
  // [pixel-grid]
  // The brightest image within 8 levels: the loss is the sum of the pixels, its gradient 1.
  const std::vector<std::uint8_t> clean{0, 100, 250, 255};
  std::vector<std::int8_t> noise(4);
  const unlearn::PixelGridSet feasible{.lattice = {.step = 3, .radius = 8},
                                       .clean = {clean, {1, 4}}};
  const unlearn::ProjectedSignDescent brighten{
      .step = 3.0 / 255, .steps = 5, .goal = unlearn::Goal::maximize};
  const auto brightness = [](View<const std::int8_t, 2> delta, View<float, 2> grad) {
    double sum = 0;
    for (const std::int8_t level : delta.flat()) sum += level;
    std::ranges::fill(grad.flat(), 1.0F);
    return sum;
  };
  brighten.optimize(brightness, View<std::int8_t, 2>(noise, {1, 4}), feasible);
  // noise is now 8, 8, 5, 0
  // [/pixel-grid]
  check(noise == std::vector<std::int8_t>{8, 8, 5, 0}, "ball and pixel range both hold");
}

void hotflip() {
  // [hotflip]
  // Four tokens in the plane; one sample, one position, and the loss falls towards (1, 0).
  unlearn::Matrix embeddings(4, 2);
  embeddings << 0, 0, 1, 0, 2, 0, 0, 5;
  const std::vector<float> gradient{-1, 0};
  unlearn::TokenFilter filter(4);
  filter.deny(2);
  const unlearn::HotFlipCandidateSearch search{.candidates = 2};
  const auto found =
      search(unlearn::parallel, View<const float, 3>(gradient, {1, 1, 2}), embeddings, filter);
  std::printf("tokens %d and %d\n", found.tokens()[0][0][0], found.tokens()[0][0][1]);
  // [/hotflip]
  check(found.tokens()[0][0][0] == 1 && found.tokens()[0][0][1] == 0,
        "the best token that is allowed, then the lower id of equals");
}

void beam() {
  // [beam]
  std::vector<Token> tokens{1, 1, 4, 4};                        // two groups of two tokens
  const std::vector<Token> candidates{3, 9, 3, 9, 6, 7, 6, 7};  // two for each position
  const View<Token, 2> triggers(tokens, {2, 2});
  SumsToTen scorer(triggers);
  const unlearn::BeamSearch search{.width = 2};
  const unlearn::BeamResult result =
      search(triggers, View<const Token, 3>(candidates, {2, 2, 2}), scorer);
  std::printf("loss %.0f: (%d, %d) and (%d, %d)\n", result.loss, tokens[0], tokens[1], tokens[2],
              tokens[3]);
  // [/beam]
  check(result.loss == 0 && tokens[0] + tokens[1] == 10 && tokens[2] + tokens[3] == 10,
        "both groups add up to ten");
}

void scoring() {
  // [scoring]
  // Eight pairs; what would the loss be if caption 3 had the embedding of signal 3?
  std::mt19937_64 rng(1);
  std::normal_distribution<float> normal;
  const auto draw = [&](float) { return normal(rng); };
  const unlearn::Matrix signals = unlearn::Matrix(8, 4).unaryExpr(draw);
  unlearn::Matrix texts = unlearn::Matrix(8, 4).unaryExpr(draw);
  const unlearn::InfoNceScorer scoring(signals, texts, /*logit_scale=*/10);
  const Index caption = 3;
  double loss = 0;
  scoring.score(std::span(&caption, 1), View<const float, 2>(signals).slice(caption, 1),
                std::span(&loss, 1));

  texts.row(caption) = signals.row(caption);
  const auto again = unlearn::info_nce(signals, texts, 10);  // again.value is the same
  // [/scoring]
  check(std::abs(loss - again.value) < 1e-12, "a candidate's score is the loss it would give");
}

void npy() {
  const std::string path = "embeddings.npy";
  // [npy]
  const unlearn::Matrix written = unlearn::Matrix::Ones(3, 2);
  unlearn::AtomicFile out(path);
  unlearn::put_npy<float>(written, [&](std::span<const std::byte> bytes) { out.write(bytes); });
  out.commit();  // the file is complete, or not there

  const unlearn::FileMapping in(path);
  const auto read = unlearn::npy_view<const float>(in.bytes(), path);  // a View of the file
  // [/npy]
  check(unlearn::as_eigen(read) == written, "what is written is read");
}

}  // namespace

int main() {
  descent();
  rows();
  pixel_grid();
  hotflip();
  beam();
  scoring();
  npy();
}
