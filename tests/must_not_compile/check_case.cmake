# SPDX-License-Identifier: Apache-2.0
# cmake -D CASE=<file.cpp> -D COMPILER=<c++> -D INCLUDE_DIRS=<dirs> -D FIRST=<header>
#       -P check_case.cmake
#
# FIRST is included before the case. If its precompiled form is beside it, that is used.
# A case has a wrong call and the most similar right call, and says which errors are expected:
#
#     // expect-error: <regular expression>     (one or more; each must match)
#     #ifdef UNLEARN_BAD
#     ... wrong ...
#     #else
#     ... right ...
#     #endif
#
# The right call must compile. This shows that the wrong call fails for the expected reason.
list(TRANSFORM INCLUDE_DIRS PREPEND -I)

function(compile result output)
  execute_process(
    COMMAND ${COMPILER} -std=c++20 -fsyntax-only ${INCLUDE_DIRS} ${ARGN} -include ${FIRST} ${CASE}
    RESULT_VARIABLE exit_status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  set(${result} ${exit_status} PARENT_SCOPE)
  set(${output} "${said}" PARENT_SCOPE)
endfunction()

set(marker "^// expect-error: ")
file(STRINGS ${CASE} expectations REGEX "${marker}")
if(NOT expectations)
  message(FATAL_ERROR "${CASE}: expected a line '// expect-error: <regular expression>'")
endif()

compile(exit_status output)
if(NOT exit_status EQUAL 0)
  message(FATAL_ERROR "${CASE}: the right call does not compile:\n${output}")
endif()

compile(exit_status output -DUNLEARN_BAD)
if(exit_status EQUAL 0)
  message(FATAL_ERROR "${CASE}: the wrong call compiles")
endif()
foreach(expectation IN LISTS expectations)
  string(REGEX REPLACE "${marker}" "" expectation "${expectation}")
  if(NOT output MATCHES "${expectation}")
    message(FATAL_ERROR "${CASE}: expected an error matching '${expectation}', got:\n${output}")
  endif()
endforeach()
