// SPDX-License-Identifier: Apache-2.0
// No #pragma once: every header of the library begins with this file and ends with pop_macros.hpp.
//
// Other people's headers define some of the library's words as macros: Qt does signals, slots and
// emit, and <windows.h> does min, max, interface, near, far and small. Inside the library's headers
// they are no macros; behind them they are what they were.

#pragma push_macro("signals")
#undef signals
#pragma push_macro("slots")
#undef slots
#pragma push_macro("emit")
#undef emit
#pragma push_macro("min")
#undef min
#pragma push_macro("max")
#undef max
#pragma push_macro("interface")
#undef interface
#pragma push_macro("near")
#undef near
#pragma push_macro("far")
#undef far
#pragma push_macro("small")
#undef small
