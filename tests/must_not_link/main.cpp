// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/matrix.hpp"

unlearn::Matrix ones();

int main() { return ones().sum() == 9 ? 0 : 1; }
