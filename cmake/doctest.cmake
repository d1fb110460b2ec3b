# SPDX-License-Identifier: MIT
# Defines doctest_headers, and kith_add_doctest_cases().

find_path(KITH_DOCTEST_INCLUDE doctest/doctest.h NO_CMAKE_FIND_ROOT_PATH)
if(NOT KITH_DOCTEST_INCLUDE)
  include(FetchContent)
  FetchContent_Declare(doctest
    URL https://github.com/doctest/doctest/archive/refs/tags/v2.4.9.tar.gz
    URL_HASH SHA256=19b2df757f2f3703a5e63cee553d85596875f06d91a3333acd80a969ef210856
    SOURCE_SUBDIR not-added-by-fetchcontent) # the header is all that is used
  FetchContent_MakeAvailable(doctest)
  set(KITH_DOCTEST_INCLUDE ${doctest_SOURCE_DIR})
endif()

# A copy in a folder of its own, because its neighbours in /usr/include are no headers for a cross compiler.
configure_file(${KITH_DOCTEST_INCLUDE}/doctest/doctest.h ${PROJECT_BINARY_DIR}/doctest/doctest/doctest.h COPYONLY)
add_library(doctest_headers INTERFACE)
target_include_directories(doctest_headers SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/doctest)
target_compile_definitions(doctest_headers INTERFACE DOCTEST_CONFIG_SUPER_FAST_ASSERTS) # a third less to compile

# Makes every doctest case of a program (or those that a doctest filter lets pass) a CTest of its own, named "program: case". The cases are asked for when
# ctest starts, so that a new case needs no new configuration. (doctest's own script for this stumbles over the
# line ends of a Windows program under Wine.)
function(kith_add_doctest_cases target)
  if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
    return()
  endif()
  set(script ${CMAKE_CURRENT_BINARY_DIR}/${target}_cases.cmake)
  set(KITH_CASES_TARGET ${target})
  set(KITH_CASES_FILTER ${ARGN})
  set(KITH_CASES_LAUNCHER "${CMAKE_CROSSCOMPILING_EMULATOR}")
  configure_file(${PROJECT_SOURCE_DIR}/cmake/doctest_cases.cmake.in ${script}.in @ONLY)
  file(GENERATE OUTPUT ${script} INPUT ${script}.in)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${script})
endfunction()
