// SPDX-License-Identifier: Apache-2.0
//
// What a second model learns from a protected album that somebody has tampered with: trigger words
// cut off, images cleaned of noise, images saved as JPEG.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numbers>
#include <random>
#include <vector>

#include "album.hpp"
#include "check.hpp"
#include "measure.hpp"
#include "own_model.hpp"
#include "publish.hpp"
#include "unlearn/unlearn.hpp"

namespace {

/// The album as it is published: noise in the images, triggers in the captions.
Album as_published(const Album& album, const auto& state) {
  Album published = album;
  for (unlearn::Index row = 0; row < album.rows(); ++row) {
    published.sentences[row] = protected_caption(album, state, unlearn::FrontPlacement{}, row);
    std::ranges::copy(protected_image(album, state, row),
                      &published.pixels[album.signal_of(row) * album.elements()]);
  }
  return published;
}

/// The album with `images` instead of its own.
Album with_images_of(Album album, const Album& images) {
  album.pixels = images.pixels;
  return album;
}

/// The album without the first `words` words of each caption.
Album stripped(Album album, std::ptrdiff_t words) {
  for (auto& sentence : album.sentences) {
    sentence.erase(sentence.begin() + 1, sentence.begin() + 1 + words);
  }
  return album;
}

/// What greyscale JPEG does to an 8 x 8 block: cosine transform, and rounding to a grid (the
/// luminance table of ITU-T T.81, Annex K, scaled by quality as libjpeg does it).
class Jpeg {
  using Block = Eigen::Matrix<double, 8, 8, Eigen::RowMajor>;

 public:
  explicit Jpeg(int quality) {
    static constexpr std::array<double, 64> table{
        16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
        14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
        18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
    const int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    for (int i = 0; i < 64; ++i) {
      grid_(i / 8, i % 8) =
          std::clamp(std::floor((table[static_cast<std::size_t>(i)] * scale + 50) / 100), 1., 255.);
      cosine_(i / 8, i % 8) = std::cos(i / 8 * (2 * (i % 8) + 1) * std::numbers::pi / 16) *
                              std::sqrt(i / 8 == 0 ? 1 / 8. : 1 / 4.);
    }
  }

  Album operator()(Album album) const {
    constexpr std::size_t side = Scenes::side;
    for (std::size_t corner = 0; corner < album.pixels.size(); corner += 8) {
      if (corner / side % 8 != 0) continue;
      Block block;
      for (int i = 0; i < 64; ++i) block(i / 8, i % 8) = album.pixels[at(corner, i)] - 128.0;
      block = cosine_ * block * cosine_.transpose();
      block = (block.array() / grid_.array()).round() * grid_.array();
      block = cosine_.transpose() * block * cosine_;
      for (int i = 0; i < 64; ++i) {
        album.pixels[at(corner, i)] =
            static_cast<std::uint8_t>(std::clamp(std::round(block(i / 8, i % 8) + 128), 0., 255.));
      }
    }
    return album;
  }

 private:
  static std::size_t at(std::size_t corner, int i) {
    return corner + static_cast<std::size_t>(i / 8) * Scenes::side +
           static_cast<std::size_t>(i % 8);
  }

  Block grid_, cosine_;
};

/// Trains a model on an album and prints how well it does on clean pairs.
std::size_t attack(const char* name, const Album& crawled) {
  std::mt19937_64 rng(4);
  OwnModel model({.elements = crawled.elements()}, Scenes::vocabulary, rng);
  auto state = unlearn::fresh_state(crawled);
  unlearn::training(/*steps=*/600).minimize(model, crawled, state, rng);
  const unlearn::Retrieval found = measure(model, make_album(500, /*seed=*/2));
  std::printf("%-44s %6zu %6zu\n", name, found.signal_to_text.median_rank,
              found.text_to_signal.median_rank);
  return found.signal_to_text.median_rank;
}

}  // namespace

int main() {
  const Album album = make_album(1500, /*seed=*/1);
  const unlearn::TokenFilter words = words_only();
  std::mt19937_64 rng(3);
  OwnModel surrogate({.elements = album.elements()}, Scenes::vocabulary, rng);
  auto mem = unlearn::mem();
  mem.filter = words;
  mem.surrogate_steps = 50;
  auto state = unlearn::fresh_state(album, std::vector(5, Scenes::first_word));
  mem.minimize(surrogate, album, state, rng);
  const Album published = as_published(album, state);

  std::puts("median rank on clean pairs                  image->text  text->image");
  const auto clean = attack("clean", album);
  const auto whole = attack("protected", published);
  const auto no_words = attack("protected, trigger words cut off", stripped(published, 5));
  attack("clean images, trigger words", with_images_of(published, album));
  const Jpeg jpeg(75);
  attack("clean, JPEG 75", jpeg(album));
  attack("protected, JPEG 75", jpeg(published));
  check(whole > 5 * clean, "protected pairs teach less than clean ones");
  check(no_words < whole, "cutting the trigger words off takes protection away");
}
