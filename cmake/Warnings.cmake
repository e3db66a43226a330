# SPDX-License-Identifier: Apache-2.0
# unlearn::warnings: the warnings for our own tests, examples and benchmarks. It is not exported.
add_library(unlearn_warnings INTERFACE)
add_library(unlearn::warnings ALIAS unlearn_warnings)
target_compile_options(
  unlearn_warnings
  INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wsign-conversion>"
)
