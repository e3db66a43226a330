// SPDX-License-Identifier: Apache-2.0
//
// MEM with a CLIP model, from image files and a captions file to protected images and captions. It
// shows how the adapter's parts work together, on a few drawn images.

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/encoder/freed_memory.hpp"
#include "clip/model/config.hpp"
#include "clip/model/model.hpp"
#include "pairs/captions/caption_file.hpp"
#include "pairs/images/image.hpp"
#include "pairs/images/image_pairs.hpp"
#include "pairs/text/tokenizer.hpp"
#include "pairs/text/word_tokenizer.hpp"
#include "unlearn/unlearn.hpp"

namespace {

namespace clip = unlearn::clip;

/// Writes sixteen images of two colours and a captions file to `folder`.
void draw_images(const std::string& folder) {
  struct Colour {
    const char* name;
    unsigned char r, g, b;
  };
  constexpr Colour colours[] = {{"red", 200, 40, 40},
                                {"green", 40, 180, 60},
                                {"blue", 40, 60, 200},
                                {"white", 220, 220, 220}};
  std::filesystem::create_directories(folder);
  std::vector<unlearn::pairs::CaptionRow> rows;
  for (const Colour& top : colours) {
    for (const Colour& bottom : colours) {
      unlearn::pairs::Image image{.height = 48, .width = 40};
      for (std::size_t y = 0; y < image.height; ++y) {
        for (std::size_t x = 0; x < image.width; ++x) {
          const Colour& c = y < image.height / 2 ? top : bottom;
          image.rgb.insert(image.rgb.end(), {c.r, c.g, c.b});
        }
      }
      const std::string name = std::string(top.name) + "_" + bottom.name + ".png";
      unlearn::pairs::write_png(folder + "/" + name, image);
      rows.push_back({name, std::string(top.name) + " above " + bottom.name + " .", "train"});
    }
  }
  unlearn::pairs::write_captions_csv(folder + "/captions.csv", rows);
}

int run(const std::string& folder) {
  draw_images(folder);
  clip::use_threads();
  clip::keep_freed_memory();

  // [pairs]
  const auto rows = unlearn::pairs::read_captions(folder + "/captions.csv");
  std::vector<std::string> captions, images;
  std::vector<unlearn::Index> image_of_row;
  for (const unlearn::pairs::CaptionRow& row : rows) {  // here each image has one caption
    captions.push_back(row.caption);
    image_of_row.push_back(static_cast<unlearn::Index>(images.size()));
    images.push_back(folder + "/" + row.image);
  }
  const auto tokenizer = unlearn::pairs::WordTokenizer::learn(captions, /*max_words=*/1000);
  std::vector<std::vector<unlearn::Token>> tokens;
  for (const std::string& caption : captions) {
    tokens.push_back(unlearn::pairs::caption_tokens(tokenizer, caption, /*context=*/16));
  }
  unlearn::pairs::ImagePairs pairs(images, image_of_row, tokens, {.size = 32});
  // [/pairs]

  // [run]
  clip::ClipConfig config = clip::at_resolution(clip::named_config("vit-small"), 32);
  config.vocab_size = static_cast<std::int64_t>(tokenizer.vocabulary());
  config.context_length = 24;  // room for the trigger
  clip::ClipEncoder surrogate(clip::Clip(config, /*seed=*/1),
                              {.optimizer = {.learning_rate = {.rate = 1e-3}}});

  unlearn::TokenFilter words(tokenizer.vocabulary());
  words.deny(unlearn::pairs::unpublishable(tokenizer));
  auto mem = unlearn::mem();
  mem.filter = words;
  mem.rounds = 3;
  mem.surrogate_steps = 20;
  mem.batch_size = 16;
  mem.search.candidates = 4;  // of nine tokens
  const std::vector<unlearn::Token> initial(3, tokenizer.encode("above").front());
  auto state = unlearn::fresh_state(pairs, initial);
  std::mt19937_64 rng(1);
  const auto result = mem.minimize(surrogate, pairs, state, rng, unlearn::progress_bar());
  // [/run]

  // [publish]
  std::vector<unlearn::pairs::CaptionRow> published;
  for (unlearn::Index row = 0; row < pairs.rows(); ++row) {
    std::vector<std::uint8_t> pixels(pairs.elements());
    pairs.load_signals(std::vector{row},
                       unlearn::View<std::uint8_t, 2>(pixels.data(), {1, pairs.elements()}));
    const auto noise = state.noise.view().row(row);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<std::uint8_t>(pixels[i] + noise[i]);
    }
    const std::string name = "protected_" + rows[row].image;
    unlearn::pairs::write_png(folder + "/" + name, {.height = 32, .width = 32, .rgb = pixels});
    published.push_back(
        {name,
         unlearn::pairs::with_trigger(tokenizer, std::as_const(state.triggers)[row], captions[row]),
         "train"});
  }
  unlearn::pairs::write_captions_csv(folder + "/protected.csv", published);
  // [/publish]

  for (const unlearn::RoundLosses& round : result.trace) {
    std::printf("round %u: loss of the surrogate %.3f, after triggers %.3f, after noise %.3f\n",
                round.round, round.of(unlearn::surrogate_stage).value(),
                round.of(unlearn::trigger_stage).value(), round.of(unlearn::noise_stage).value());
  }
  std::printf("%s -> %s\n", captions[1].c_str(), published[1].caption.c_str());
  const bool better = *result.trace.back().of(unlearn::trigger_stage) <
                      *result.trace.front().of(unlearn::surrogate_stage);
  const bool survives_as_text =
      unlearn::pairs::round_trips(tokenizer, std::as_const(state.triggers)[1], captions[1]);
  return better && survives_as_text ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "clip_mem_images");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "clip_mem: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
