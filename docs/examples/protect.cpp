// SPDX-License-Identifier: Apache-2.0
//
// protect [directory]: protects an album and writes it to a directory, as images and captions.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "album.hpp"
#include "check.hpp"
#include "measure.hpp"
#include "own_model.hpp"
#include "publish.hpp"
#include "unlearn/unlearn.hpp"

namespace {

// [write-files]
/// A PGM file of one image: 8 bits a pixel, no loss.
void write_image(const std::string& path, const std::vector<std::uint8_t>& pixels) {
  std::ofstream file(path, std::ios::binary);
  file << "P5\n" << Scenes::side << ' ' << Scenes::side << "\n255\n";
  file.write(reinterpret_cast<const char*>(pixels.data()), std::ssize(pixels));
}
// [/write-files]

std::vector<std::uint8_t> read_image(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  text.erase(0, text.size() - Scenes::elements());
  return {text.begin(), text.end()};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string directory = argc > 1 ? argv[1] : "protected_album";
  std::filesystem::create_directories(directory);

  const Album album = make_album(800, /*seed=*/1);
  std::mt19937_64 rng(3);
  OwnModel model({.elements = album.elements()}, Scenes::vocabulary, rng);

  // [filter]
  unlearn::TokenFilter words(Scenes::vocabulary);
  words.deny(std::vector{Scenes::start, Scenes::end});
  // [/filter]

  // [state]
  const std::vector<unlearn::Token> initial(3, Scenes::first_word);  // MEM-3: three tokens
  auto state = unlearn::fresh_state(album, initial);
  // [/state]

  // [settings]
  auto mem = unlearn::mem();
  mem.filter = words;  // not copied: must live as long as the run
  mem.rounds = 8;
  mem.surrogate_steps = 50;
  // [/settings]

  std::stop_source interrupt;
  // [observers]
  unlearn::LossTrace losses;
  const auto report = [](const unlearn::RoundEnd& round) {
    std::printf("round %u: noise loss %.3f\n", round.losses.round + 1,
                round.losses.of(unlearn::noise_stage).value());
  };
  const unlearn::RunResult result =
      mem.minimize(model, album, state, rng, unlearn::progress_bar(), losses, report,
                   unlearn::early_stop({.patience = 3}), unlearn::stop_on(interrupt.get_token()));
  losses.write_csv(directory + "/losses.csv");
  // [/observers]
  std::printf("%s after %u rounds\n", std::string(to_string(result.stop)).c_str(), result.rounds);

  // [publish]
  std::ofstream captions(directory + "/captions.txt");
  for (unlearn::Index row = 0; row < album.rows(); ++row) {
    const std::string name = std::to_string(album.signal_of(row)) + ".pgm";
    write_image(directory + "/" + name, protected_image(album, state, row));
    captions << name << '\t' << Scenes::text(protected_caption(album, state, mem.placement, row))
             << '\n';
  }
  // [/publish]
  captions.close();

  // [distances]
  const auto shape = [](const std::vector<std::uint8_t>& pixels) {
    return unlearn::View<const std::uint8_t, 3>(pixels, {Scenes::side, Scenes::side, 1});
  };
  double worst_psnr = INFINITY, worst_ssim = 1, largest = 0;
  for (unlearn::Index row = 0; row < album.rows(); ++row) {
    const auto image = album.signal_of(row) * album.elements();
    const std::vector<std::uint8_t> clean(&album.pixels[image],
                                          &album.pixels[image] + album.elements());
    const auto published =
        read_image(directory + "/" + std::to_string(album.signal_of(row)) + ".pgm");
    largest = std::max(largest, unlearn::linf(shape(clean), shape(published)));
    worst_psnr = std::min(worst_psnr, unlearn::psnr(shape(clean), shape(published), 255));
    worst_ssim = std::min(worst_ssim, unlearn::ssim(shape(clean), shape(published)));
  }
  // [/distances]
  std::printf("largest change %.0f levels, worst psnr %.1f dB, worst ssim %.2f\n", largest,
              worst_psnr, worst_ssim);

  const Album test = make_album(500, /*seed=*/2);
  OwnModel honest({.elements = album.elements()}, Scenes::vocabulary, rng);
  OwnModel deceived = honest;
  auto clean = unlearn::fresh_state(album);
  auto as_published = state;
  as_published.progress = {};
  const auto training = unlearn::training(/*steps=*/500);
  training.minimize(honest, album, clean, rng);
  training.minimize(deceived, album, as_published, rng);
  const unlearn::Retrieval learned = measure(honest, test), left = measure(deceived, test);
  std::printf("median rank, image to text: %zu after clean pairs, %zu after protected ones\n",
              learned.signal_to_text.median_rank, left.signal_to_text.median_rank);

  check(largest <= 8, "no pixel changes by more than 8 levels");
  check(read_image(directory + "/0.pgm") == protected_image(album, state, 0),
        "what is on disk is what was optimised");
  check(losses.batches().size() >= result.rounds * 50, "a line for every batch");
  check(left.signal_to_text.median_rank > 2 * learned.signal_to_text.median_rank,
        "protected pairs teach less");
}
