// SPDX-License-Identifier: Apache-2.0
// An observer that observes no event is a mistake, and must not be ignored.
// expect-error: constraints not satisfied|no matching function
#include "unlearn/core/observer.hpp"

struct Step {};
struct Stop {};

template <unlearn::Observer<Step> O>
void run(O& observer);

struct Watcher {
#ifdef UNLEARN_BAD
  void operator()(const Stop&) {}
#else
  void operator()(const Step&) {}
#endif
};

void call(Watcher& watcher) { run(watcher); }
