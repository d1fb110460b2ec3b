# SPDX-License-Identifier: MIT
# Tests that look at the source tree, at the built libraries, and at the installed package.

find_package(Python3 COMPONENTS Interpreter)

if(Python3_FOUND)
  add_test(NAME "check: source tree" COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_tree.py)
endif()

# What ./dev api has written is what the header says, and the ABI of a version has only grown.
if(Python3_FOUND)
  add_test(NAME "check: api" COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/api.py --check)
  set_tests_properties("check: api" PROPERTIES SKIP_REGULAR_EXPRESSION "skipped: ")
endif()

# A sanitizer adds symbols of its own.
if(Python3_FOUND AND CMAKE_NM AND NOT KITH_SANITIZED)
  add_test(NAME "check: symbols" COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_symbols.py
    --nm ${CMAKE_NM} --static $<TARGET_FILE:kith> --shared $<TARGET_FILE:kith_shared>
    --api ${PROJECT_SOURCE_DIR}/api/kith.json)
endif()

# A sanitized library wants sanitized programs, which a stranger's project does not build.
if(NOT KITH_INSTALL OR KITH_SANITIZED OR (CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR))
  return()
endif()

set(prefix ${CMAKE_CURRENT_BINARY_DIR}/installed)
set(folder ${CMAKE_CURRENT_BINARY_DIR}/consumer)

add_test(NAME "consumer: install"
  COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${prefix} --config $<CONFIG>)
set_tests_properties("consumer: install" PROPERTIES LABELS consumer FIXTURES_SETUP installed)

add_test(NAME "consumer: find_package"
  COMMAND ${CMAKE_CTEST_COMMAND} --build-and-test ${CMAKE_CURRENT_SOURCE_DIR}/consumer ${folder}/cmake
    --build-generator ${CMAKE_GENERATOR} --build-config $<CONFIG>
    --build-options -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}
      -DCMAKE_BUILD_TYPE=$<CONFIG> -DCMAKE_TOOLCHAIN_FILE=${CMAKE_TOOLCHAIN_FILE}
      -DKITH_WINE_PREFIX=${KITH_WINE_PREFIX}
    --test-command ${CMAKE_CTEST_COMMAND} -C $<CONFIG> --output-on-failure)
set_tests_properties("consumer: find_package" PROPERTIES LABELS consumer FIXTURES_REQUIRED installed TIMEOUT 120)

find_program(KITH_PKG_CONFIG pkg-config)
if(KITH_PKG_CONFIG AND NOT CMAKE_CROSSCOMPILING AND NOT WIN32)
  add_test(NAME "consumer: pkg-config"
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/consumer/pkg_config.sh ${prefix} ${folder}/pkg-config)
  set_tests_properties("consumer: pkg-config" PROPERTIES
    LABELS consumer FIXTURES_REQUIRED installed TIMEOUT 120 ENVIRONMENT CC=${CMAKE_C_COMPILER})
endif()
