// SPDX-License-Identifier: Apache-2.0
// expect-error: this policy is no unlearn::Backend: see its requirements in
// unlearn/core/backend.hpp expect-error: sum_rows
#include "minimizer_parts.hpp"

struct MyBackend : unlearn::HostBackend {
  void project(const auto& set, auto noise) const;
  void sign_step(const auto& set, auto noise, auto grad, auto step) const;
#ifdef UNLEARN_BAD
  static void sum_rows();
#endif
};

void run(Model& model, Pairs<std::uint8_t>& pairs, State<std::int8_t>& state, Rng& rng) {
  unlearn::mem().minimize(MyBackend{}, model, pairs, state, rng);
}
