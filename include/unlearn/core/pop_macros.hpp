// SPDX-License-Identifier: Apache-2.0
// No #pragma once: see push_macros.hpp.

#pragma pop_macro("signals")
#pragma pop_macro("slots")
#pragma pop_macro("emit")
#pragma pop_macro("min")
#pragma pop_macro("max")
#pragma pop_macro("interface")
#pragma pop_macro("near")
#pragma pop_macro("far")
#pragma pop_macro("small")
