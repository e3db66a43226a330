// SPDX-License-Identifier: Apache-2.0
// Fails to compile unless the macros are what hostile_macros.hpp made them.
#pragma once

#if !defined(min) || !defined(max)
#error "a header of the library took min or max away"
#elif signals != 1001 || slots != 1002 || emit != 1003 || interface != 1006
#error "a header of the library changed signals, slots, emit or interface"
#elif near != 1007 || far != 1008 || small != 1009
#error "a header of the library changed near, far or small"
#elif min(7, 2) != 1009 || max(7, 2) != 1010
#error "a header of the library changed min or max"
#endif
