// SPDX-License-Identifier: Apache-2.0
// Compares a run of MEM-3 with checkpoints to the same run without. It has ten times as many small
// images as the quickstart. Their noise is in a file in the current directory.

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "summary.hpp"
#include "unlearn/unlearn.hpp"

namespace {

using unlearn::as_eigen;
using unlearn::Index;
using unlearn::Matrix;
using unlearn::PixelBatch;
using unlearn::Token;
using unlearn::TokenBatch;
using unlearn::View;

constexpr int repeats = 5;

/// Images of four fields, each in one of eight colours, and captions that name the colours.
class Images {
 public:
  using sample_type = std::uint8_t;
  static constexpr std::size_t side = 12;
  static constexpr std::size_t words = 66;
  static constexpr std::size_t fields = 4;

  Images() : pixels_(rows() * elements()), captions_(rows()) {
    unlearn::SplitMix64 rng(1);
    for (std::size_t row = 0; row < rows(); ++row) {
      auto& caption = captions_[row];
      caption.back() = 1;
      for (std::size_t field = 0; field < fields; ++field) {
        caption[field + 1] = static_cast<Token>(2 + 8 * field + unlearn::uniform_below(8, rng));
      }
      for (std::size_t i = 0; i < elements(); ++i) {
        const std::size_t field = i * fields / elements();
        const auto colour = static_cast<unsigned>(caption[field + 1] - 2) % 8;
        const unsigned base = (colour >> (i % 3)) % 2 == 1 ? 160 : 48;
        pixels_[row * elements() + i] =
            static_cast<std::uint8_t>(base + unlearn::uniform_below(48, rng));
      }
    }
  }

  [[nodiscard]] static std::size_t rows() { return 20'000; }
  [[nodiscard]] static std::size_t signals() { return rows(); }
  [[nodiscard]] static std::size_t elements() { return side * side * 3; }
  [[nodiscard]] static Index signal_of(Index row) { return row; }
  [[nodiscard]] std::span<const Token> caption(Index row) const { return captions_[row]; }
  void load_signals(std::span<const Index> indices, View<std::uint8_t, 2> out) const {
    const View<const std::uint8_t, 2> all(pixels_.data(), {rows(), elements()});
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::ranges::copy(all.row(indices[i]), out.row(i).begin());
    }
  }

 private:
  std::vector<std::uint8_t> pixels_;
  std::vector<std::array<Token, fields + 2>> captions_;
};

/// A linear image tower and a bag of words, trained by gradient descent with momentum.
class Towers {
 public:
  Towers() {
    std::mt19937_64 rng(2);
    std::normal_distribution<float> normal(0, 0.1F);
    for (Matrix* weights : {&image_, &word_}) {
      for (float& weight : weights->reshaped()) weight = normal(rng);
    }
  }

  [[nodiscard]] Matrix encode_signals(const PixelBatch& s) const { return centred(s) * image_; }
  [[nodiscard]] Matrix encode_texts(const TokenBatch& t) const { return bag(t) * word_; }
  void signal_gradient(const PixelBatch& s, auto& pullback, View<float, 2> out) const {
    as_eigen(out) = pullback(encode_signals(s)) * image_.transpose();
  }
  void text_gradient(const TokenBatch& t, auto& pullback, View<float, 3> out) const {
    const Matrix gradient = pullback(encode_texts(t));
    for (std::size_t r = 0; r < t.size(); ++r) {
      as_eigen(out[r]).rowwise() = gradient.row(static_cast<Eigen::Index>(r));
    }
  }
  [[nodiscard]] View<const float, 2> token_embeddings() const { return word_; }
  [[nodiscard]] static double logit_scale() { return 10; }

  double train_step(const PixelBatch& s, const TokenBatch& t) {
    const auto loss = unlearn::info_nce(encode_signals(s), encode_texts(t), logit_scale());
    image_step_ = 0.9F * image_step_ - 0.1F * (centred(s).transpose() * loss.grad_a);
    word_step_ = 0.9F * word_step_ - 0.1F * (bag(t).transpose() * loss.grad_b);
    image_ += image_step_;
    word_ += word_step_;
    return loss.value;
  }

  void save(std::ostream& out) const {
    for (const Matrix* m : {&image_, &word_, &image_step_, &word_step_}) {
      out.write(reinterpret_cast<const char*>(m->data()), bytes(*m));
    }
  }
  void load(std::istream& in) {
    for (Matrix* m : {&image_, &word_, &image_step_, &word_step_}) {
      in.read(reinterpret_cast<char*>(m->data()), bytes(*m));
    }
  }

 private:
  static constexpr Eigen::Index width = 32;

  static Matrix centred(const PixelBatch& s) { return s.perturbed().array() - 0.5F; }
  static Matrix bag(const TokenBatch& t) {
    Matrix counts = Matrix::Zero(static_cast<Eigen::Index>(t.size()), Images::words);
    for (std::size_t r = 0; r < t.size(); ++r) {
      for (const Token token : t.sequence(r)) counts(static_cast<Eigen::Index>(r), token) += 1;
    }
    return counts;
  }
  static std::streamsize bytes(const Matrix& m) {
    return static_cast<std::streamsize>(sizeof(float)) * m.size();
  }

  Matrix image_ = Matrix(Images::side * Images::side * 3, width);
  Matrix word_ = Matrix(Images::words, width);
  Matrix image_step_ = Matrix::Zero(image_.rows(), width);
  Matrix word_step_ = Matrix::Zero(word_.rows(), width);
};

/// A directory in the current one, which is removed at the end.
class Directory {
 public:
  Directory() { clear(); }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  void clear() const {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directory(path_);
  }
  [[nodiscard]] std::string operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_ = std::filesystem::current_path() / "checkpoint_bench.tmp";
};

auto mapped_state(const Directory& directory, const Images& images) {
  auto scope = unlearn::Scope::of(images);
  unlearn::TriggerTable triggers(scope.triggers.groups(), std::array<Token, 3>{2, 2, 2});
  return unlearn::RunState<unlearn::MappedNoiseStore<>>{
      .noise = unlearn::MappedNoiseStore<>::create(directory / "noise.npy", scope.noise.groups(),
                                                   images.elements()),
      .triggers = std::move(triggers),
      .scope = std::move(scope)};
}

unlearn::MultiStepMinimizer<> shortened_mem() {
  auto mem = unlearn::mem();
  mem.rounds = 3;
  mem.trigger_rounds = 1;
  mem.surrogate_steps = 50;
  mem.stop_loss = 0;
  return mem;
}

/// The results of a run.
struct Outcome {
  std::string noise;  ///< contents of the file
  unlearn::TriggerTable triggers;
  bool operator==(const Outcome&) const = default;
};

/// Does a whole run, from an empty directory to closed files.
template <class... Observers>
unlearn::TriggerTable run(const Directory& directory, const Images& images,
                          Observers&&... observers) {
  auto state = mapped_state(directory, images);
  Towers model;
  std::mt19937_64 rng(3);
  const auto result = shortened_mem().minimize(model, images, state, rng, observers...);
  unlearn_bench::require_correct(result.stop == unlearn::StopReason::round_limit, "end of the run");
  return state.triggers;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void run_with_checkpoints(benchmark::State& state) {
  const Directory directory;
  const Images images;
  Outcome with;
  Outcome without;
  std::vector<double> ratios;
  std::vector<double> seconds;
  for (auto iteration : state) {
    // The first pair checks the results and warms everything up.
    for (int repeat = 0; repeat <= repeats; ++repeat) {
      directory.clear();
      const double bare =
          unlearn_bench::seconds([&] { without.triggers = run(directory, images); });
      without.noise = bytes_of(directory / "noise.npy");
      directory.clear();
      const double kept = unlearn_bench::seconds([&] {
        with.triggers = run(directory, images, unlearn::checkpoint_to(directory / "run"));
      });
      with.noise = bytes_of(directory / "noise.npy");
      unlearn_bench::require_correct(with == without, "noise and triggers of a run");
      unlearn_bench::require_correct(std::filesystem::exists(directory / "run/state"),
                                     "a checkpoint of the run");
      if (repeat == 0) continue;
      ratios.push_back(kept / bare);
      seconds.push_back(kept);
    }
    state.SetIterationTime(unlearn_bench::median(seconds));
    unlearn_bench::report("checkpoint.overhead", unlearn_bench::median(ratios));
  }
}

/// Writes one checkpoint after every noise has changed.
void one_checkpoint(benchmark::State& state) {
  const Directory directory;
  const Images images;
  auto run = mapped_state(directory, images);
  Towers model;
  std::mt19937_64 rng(3);
  auto checkpoint = unlearn::checkpoint_to(directory / "run");
  const std::vector<std::int8_t> row(images.elements(), 3);
  const View<const std::int8_t, 2> noise(row, {1, row.size()});
  for (auto iteration : state) {
    std::vector<double> times;
    for (int repeat = 0; repeat < repeats; ++repeat) {
      for (Index group = 0; group < run.noise.groups(); ++group) {
        run.noise.store(std::span(&group, 1), noise);
      }
      ++run.progress.training.steps;
      times.push_back(unlearn_bench::seconds([&] {
        checkpoint(unlearn::SafePoint<decltype(run), std::mt19937_64, Towers>{
            .state = run, .rng = rng, .model = model, .last = true});
      }));
    }
    const double seconds = unlearn_bench::median(times);
    state.SetIterationTime(seconds);
    state.SetBytesProcessed(static_cast<std::int64_t>(images.rows() * images.elements()));
    unlearn_bench::report("checkpoint.milliseconds_per_write", 1e3 * seconds);
  }
}

BENCHMARK(run_with_checkpoints)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(one_checkpoint)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
