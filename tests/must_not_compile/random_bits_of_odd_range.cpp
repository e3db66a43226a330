// SPDX-License-Identifier: Apache-2.0
// std::minstd_rand gives 2^31 - 2 different numbers: they cannot give fair bits.
// expect-error: a generator whose range is a whole number of bits
#include <random>

#include "unlearn/core/random.hpp"

#ifdef UNLEARN_BAD
std::size_t call(std::minstd_rand& rng) { return unlearn::uniform_below(6, rng); }
#else
std::size_t call(std::mt19937& rng) { return unlearn::uniform_below(6, rng); }
#endif
