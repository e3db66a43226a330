// SPDX-License-Identifier: Apache-2.0
//
// resume [directory]: kills a run, resumes it, and compares the result with that of a run which was
// not interrupted. The noise is on disk all the time.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "album.hpp"
#include "check.hpp"
#include "own_model.hpp"
#include "unlearn/unlearn.hpp"

namespace {

// [run]
/// Protects the album in `directory`, from the beginning or from where an earlier run was killed.
template <class... Observers>
unlearn::RunResult protect(const Album& album, const std::string& directory,
                           Observers&&... observers) {
  const std::string file = directory + "/noise.npy";
  unlearn::Scope scope = unlearn::Scope::of(album);
  const std::vector<unlearn::Token> initial(3, Scenes::first_word);
  unlearn::RunState<unlearn::MappedNoiseStore<>> state{
      .noise = std::filesystem::exists(file) ? unlearn::MappedNoiseStore<>::open(file)
                                             : unlearn::MappedNoiseStore<>::create(
                                                   file, scope.noise.groups(), album.elements()),
      .triggers = {scope.triggers.groups(), initial},
      .scope = scope};
  std::mt19937_64 rng(3);
  OwnModel model({.elements = album.elements()}, Scenes::vocabulary, rng);

  auto checkpoint =
      unlearn::checkpoint_to(directory + "/checkpoint", {.every = std::chrono::seconds(0)});
  if (checkpoint.restore(state, rng, model)) {
    std::printf("going on in round %u\n", state.progress.round + 1);
  }
  const unlearn::TokenFilter words = words_only();
  auto mem = unlearn::mem();
  mem.filter = words;
  mem.rounds = 2;
  mem.surrogate_steps = 10;
  return mem.minimize(model, album, state, rng, checkpoint, observers...);
}
// [/run]

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Runs until the first noise batch of the second round is done, and dies there as by `kill -9`.
void run_and_die(const Album& album, const std::string& directory) {
  const pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    protect(album, directory, [](const unlearn::BatchEnd& event) {
      if (event.round == 1 && event.stage == unlearn::noise_stage) raise(SIGKILL);
    });
    _exit(EXIT_SUCCESS);
  }
  int status = 0;
  check(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "the first run is killed");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string directory = argc > 1 ? argv[1] : "resumed_runs";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory + "/killed");
  std::filesystem::create_directories(directory + "/left_alone");
  const Album album = make_album(300, /*seed=*/1);

  run_and_die(album, directory + "/killed");
  const auto resumed = protect(album, directory + "/killed");
  const auto whole = protect(album, directory + "/left_alone");

  std::printf("loss %.6f resumed, %.6f left alone\n", *resumed.loss, *whole.loss);
  check(resumed.loss == whole.loss, "the same loss");
  for (const std::string file : {"/noise.npy", "/checkpoint/triggers.npy"}) {
    const std::string left_alone = bytes_of(directory + "/left_alone" + file);
    check(!left_alone.empty() && bytes_of(directory + "/killed" + file) == left_alone,
          "the same bytes");
  }
}
