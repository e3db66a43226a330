// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unlearn/core/push_macros.hpp"

/// @file
/// The version, for `#if` and for messages. The tests check it against the CMake project's.

/// Raised when an interface breaks; while it is 0, the minor version says so.
#define UNLEARN_VERSION_MAJOR 0
/// Raised when an interface is added.
#define UNLEARN_VERSION_MINOR 1
/// Raised when behaviour is mended and no interface changes.
#define UNLEARN_VERSION_PATCH 0

namespace unlearn {

/// "major.minor.patch".
inline constexpr const char* version = "0.1.0";

}  // namespace unlearn

#include "unlearn/core/pop_macros.hpp"
