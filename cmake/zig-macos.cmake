# SPDX-License-Identifier: MIT
# macOS programs from another system, compiled and linked by zig, which carries Apple's headers and link stubs.
# Nothing can be run. KITH_ZIG is the zig program, KITH_ZIG_TARGET the processor.

set(CMAKE_SYSTEM_NAME Darwin)
set(KITH_ZIG_TARGET aarch64-macos CACHE STRING "zig's name of the target")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES KITH_ZIG KITH_ZIG_TARGET)
string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR ${KITH_ZIG_TARGET})

find_program(KITH_ZIG zig REQUIRED HINTS ${CMAKE_CURRENT_LIST_DIR}/../build/tools/node_modules/.bin)
set(CMAKE_C_COMPILER ${KITH_ZIG} cc -target ${KITH_ZIG_TARGET})
set(CMAKE_CXX_COMPILER ${KITH_ZIG} c++ -target ${KITH_ZIG_TARGET})
foreach(language IN ITEMS C CXX)
  set(CMAKE_${language}_ARCHIVE_CREATE "\"${KITH_ZIG}\" ar qc <TARGET> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_FINISH "\"${KITH_ZIG}\" ranlib <TARGET>")
endforeach()
set(CMAKE_USER_MAKE_RULES_OVERRIDE ${CMAKE_CURRENT_LIST_DIR}/zig-rules.cmake)

# CMake wants these programs of Apple's for installing and for frameworks, which this build does not do.
set(CMAKE_INSTALL_NAME_TOOL ${CMAKE_COMMAND})
set(CMAKE_OSX_SYSROOT "")
set(CMAKE_OSX_DEPLOYMENT_TARGET "")
set(CMAKE_SKIP_RPATH ON)
set(CMAKE_INSTALL_LIBDIR lib) # CMake cannot find it out without running a program

set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
