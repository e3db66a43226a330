// SPDX-License-Identifier: Apache-2.0
//
// MEM-3, MEM-5, EM and UAP are settings of one algorithm.

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "album.hpp"
#include "check.hpp"
#include "own_model.hpp"
#include "unlearn/unlearn.hpp"

namespace {

void report(const char* name, const unlearn::RunResult& result) {
  std::printf("%-6s %u rounds, %llu surrogate steps, %zu triggers scored, loss %.3f (%s)\n", name,
              result.rounds, static_cast<unsigned long long>(result.train_steps), result.hypotheses,
              *result.loss, std::string(to_string(result.stop)).c_str());
}

}  // namespace

int main() {
  const Album album = make_album(200, /*seed=*/1);
  const unlearn::TokenFilter words = words_only();
  std::mt19937_64 rng(3);
  const OwnModel untrained({.elements = album.elements()}, Scenes::vocabulary, rng);

  // [mem-n]
  const auto mem_n = [&](std::size_t n) {
    auto mem = unlearn::mem();
    mem.filter = words;
    mem.rounds = 3;
    mem.surrogate_steps = 20;
    OwnModel model = untrained;
    auto state = unlearn::fresh_state(album, std::vector(n, Scenes::first_word));
    return mem.minimize(model, album, state, rng);
  };
  const auto mem_3 = mem_n(3), mem_5 = mem_n(5);
  // [/mem-n]
  report("MEM-3", mem_3);
  report("MEM-5", mem_5);
  check(mem_3.hypotheses > 0 && mem_5.hypotheses > mem_3.hypotheses, "MEM searches triggers");

  // [em]
  OwnModel surrogate = untrained;
  auto em_state = unlearn::fresh_state(album);  // no triggers
  const auto em = unlearn::em().minimize(surrogate, album, em_state, rng);
  // [/em]
  report("EM", em);
  check(em.hypotheses == 0 && em.evaluations > 0, "EM searches no triggers");

  // [uap]
  OwnModel trained = untrained;
  auto clean = unlearn::fresh_state(album);
  unlearn::training(/*steps=*/200).minimize(trained, album, clean, rng);
  auto uap_state = unlearn::fresh_state(album);
  const auto uap = unlearn::uap().minimize(trained, album, uap_state, rng);
  // [/uap]
  report("UAP", uap);
  check(uap.train_steps == 0, "UAP leaves the model as it is");
  check(uap.loss > clean.progress.trace.back().last(), "UAP raises the loss");
}
