# SPDX-License-Identifier: Apache-2.0
# Compiles main.cpp and ones.cpp for the same and for different instruction sets. The first program
# must link and run; the linker must refuse the second one, and name what is wrong.
# -D compiler=..., -D includes=... (a list), -D work_dir=...
set(source_dir ${CMAKE_CURRENT_LIST_DIR})
file(MAKE_DIRECTORY ${work_dir})
list(TRANSFORM includes PREPEND -I)

function(compile source object)
  execute_process(COMMAND ${compiler} -std=c++20 ${includes} ${ARGN} -c ${source_dir}/${source}
                          -o ${work_dir}/${object} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
compile(main.cpp main.o)
compile(ones.cpp ones.o)
compile(ones.cpp ones_avx.o -mavx)

execute_process(COMMAND ${compiler} main.o ones.o -o same WORKING_DIRECTORY ${work_dir}
                COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${work_dir}/same COMMAND_ERROR_IS_FATAL ANY)

execute_process(COMMAND ${compiler} main.o ones_avx.o -o mixed WORKING_DIRECTORY ${work_dir}
                RESULT_VARIABLE result ERROR_VARIABLE message)
if(result EQUAL 0)
  message(FATAL_ERROR "a program of mixed instruction sets was linked")
endif()
if(NOT message MATCHES "unlearn_needs_the_same_march_in_all_sources")
  message(FATAL_ERROR "the linker does not name what is wrong:\n${message}")
endif()
