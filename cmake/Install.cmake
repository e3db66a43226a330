# SPDX-License-Identifier: Apache-2.0
# Installs the headers, and the package that find_package(unlearn) reads.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/unlearn)

configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/unlearnConfig.cmake.in ${PROJECT_BINARY_DIR}/unlearnConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/unlearnConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)

install(TARGETS unlearn EXPORT unlearnTargets)
install(EXPORT unlearnTargets NAMESPACE unlearn:: DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/unlearnConfig.cmake
              ${PROJECT_BINARY_DIR}/unlearnConfigVersion.cmake DESTINATION ${package_dir})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
