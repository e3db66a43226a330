// SPDX-License-Identifier: Apache-2.0
// What Qt and <windows.h> define, with values that are checked behind the library's headers by
// hostile_macros_kept.hpp. No code compiles with them.
#pragma once

// NOLINTBEGIN(cppcoreguidelines-macro-usage)
#define signals 1001
#define slots 1002
#define emit 1003
#define min(a, b) (1004 + (a) - (b))
#define max(a, b) (1005 + (a) - (b))
#define interface 1006
#define near 1007
#define far 1008
#define small 1009
// NOLINTEND(cppcoreguidelines-macro-usage)
