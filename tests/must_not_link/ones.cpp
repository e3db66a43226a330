// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/matrix.hpp"

unlearn::Matrix ones() { return unlearn::Matrix::Ones(3, 3); }
