# SPDX-License-Identifier: MIT
# The installed package: for find_package(kith) and for pkg-config (kith, kith-static).

if(NOT KITH_INSTALL)
  return()
endif()
include(CMakePackageConfigHelpers)

set(KITH_PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/kith)
set(KITH_BUNDLED_FOLDER ${CMAKE_INSTALL_LIBDIR}/kith) # not beside a libuv of the system's

# What a program that links the static library needs besides, for kith-static.pc and kithConfig.cmake.
set(KITH_LIBUV_REQUIRES "")
set(KITH_LIBUV_LIBRARIES "")
set(bundled "")
if(KITH_LIBUV_ORIGIN STREQUAL "pkg-config")
  set(KITH_LIBUV_REQUIRES "libuv >= 1.44")
elseif(KITH_LIBUV_ORIGIN STREQUAL "package")
  set(KITH_LIBUV_LIBRARIES uv)
else()
  get_target_property(KITH_LIBUV_LIBRARIES uv_a INTERFACE_LINK_LIBRARIES)
  set(bundled "\${libdir}/kith/libuv_a.a")
  install(FILES $<TARGET_FILE:uv_a> DESTINATION ${KITH_BUNDLED_FOLDER})
endif()
set(options ${KITH_LIBUV_LIBRARIES} ${KITH_SYSTEM_LIBRARIES})
list(REMOVE_DUPLICATES options)
list(TRANSFORM options PREPEND -l)
list(JOIN options " " options)
set(KITH_STATIC_LIBRARIES "${bundled} ${options}")

install(DIRECTORY include/kith DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(TARGETS kith kith_shared kith_uv kith_host EXPORT kithTargets)
install(EXPORT kithTargets NAMESPACE kith:: DESTINATION ${KITH_PACKAGE_FOLDER})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(cmake/kithConfig.cmake.in ${PROJECT_BINARY_DIR}/kithConfig.cmake
  INSTALL_DESTINATION ${KITH_PACKAGE_FOLDER} PATH_VARS KITH_BUNDLED_FOLDER)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kithConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kithConfig.cmake ${PROJECT_BINARY_DIR}/kithConfigVersion.cmake
  DESTINATION ${KITH_PACKAGE_FOLDER})

foreach(name IN ITEMS kith kith-static kith-uv)
  configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
