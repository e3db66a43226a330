// SPDX-License-Identifier: Apache-2.0
//
// Who shares a noise and who shares a trigger: by image, by class, all of them.

#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "album.hpp"
#include "check.hpp"
#include "own_model.hpp"
#include "publish.hpp"
#include "unlearn/unlearn.hpp"

namespace {

/// A short run over `scope`.
auto run(const Album& album, const unlearn::Scope& scope) {
  const unlearn::TokenFilter words = words_only();
  std::mt19937_64 rng(3);
  OwnModel model({.elements = album.elements()}, Scenes::vocabulary, rng);
  auto mem = unlearn::mem();
  mem.filter = words;
  mem.rounds = 2;
  mem.surrogate_steps = 10;
  // [state-of-a-scope]
  const std::vector<unlearn::Token> initial(3, Scenes::first_word);
  auto state = unlearn::fresh_state(album, initial, scope);
  // [/state-of-a-scope]
  const auto result = mem.minimize(model, album, state, rng);
  check(result.stop == unlearn::StopReason::round_limit, "the run came to its end");
  return state;
}

}  // namespace

int main() {
  const Album album = make_album(200, /*seed=*/1);

  // [scopes]
  using unlearn::GroupMap;
  const std::vector<unlearn::Index> classes = classes_of(album);  // [rows], 0 to 7

  const unlearn::Scope by_image = unlearn::Scope::of(album);  // a noise each, a trigger a caption
  const unlearn::Scope by_class{.noise = GroupMap::by_label(classes),
                                .triggers = GroupMap::by_label(classes)};
  const unlearn::Scope one_trigger{.noise = by_image.noise,
                                   .triggers = GroupMap::universal(album.rows())};
  const unlearn::Scope by_row{.noise = GroupMap::per_row(album.rows()),
                              .triggers = GroupMap::per_row(album.rows())};
  // [/scopes]

  const auto images = run(album, by_image);
  const auto shared = run(album, by_class);
  const auto universal = run(album, one_trigger);
  const auto rows = run(album, by_row);
  std::printf("noises: %zu by image, %zu by class, %zu by row\n", images.noise.groups(),
              shared.noise.groups(), rows.noise.groups());
  check(images.noise.groups() == 200 && shared.noise.groups() == 8 && rows.noise.groups() == 400,
        "as many noises as there are groups");
  check(universal.triggers.groups() == 1, "one trigger for all");

  for (unlearn::Index row = 0; row < album.rows(); ++row) {
    const std::size_t first = album.signal_of(row) * album.elements();
    const auto published = protected_image(album, shared, row);
    for (std::size_t i = 0; i < published.size(); ++i) {
      check(std::abs(published[i] - album.pixels[first + i]) <= 8, "within the ball");
    }
  }
}
