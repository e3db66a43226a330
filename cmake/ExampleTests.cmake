# SPDX-License-Identifier: Apache-2.0
# add_example_tests(NAME LABEL SOURCES...) adds the GoogleTest program of one folder of examples/.
include_guard()
find_package(GTest 1.12 REQUIRED)
include(GoogleTest)

function(add_example_tests name label)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/examples/pairs/tests
                                             ${PROJECT_SOURCE_DIR}/examples/clip/tests
                                             ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE UNLEARN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE unlearn::warnings nlohmann_json::nlohmann_json GTest::gmock
                                        GTest::gtest_main)
  gtest_discover_tests(
    ${name} TEST_PREFIX ${label}.
    PROPERTIES LABELS ${label} TIMEOUT 300 ENVIRONMENT UNLEARN_PYTHON=${UNLEARN_PYTHON})
endfunction()

# The folder of reference data that is not part of the project. It may be missing.
set(UNLEARN_SHARED "$ENV{UNLEARN_SHARED}" CACHE PATH "Reference data that is not part of the project")
if(UNLEARN_SHARED)
  set(shared ${UNLEARN_SHARED})
else()
  set(shared ${PROJECT_SOURCE_DIR}/../shared)
endif()
