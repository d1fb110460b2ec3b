# SPDX-License-Identifier: MIT
# Windows programs from a Unix machine: mingw-w64 with POSIX threads, run by Wine.

set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)

# Debian has the variant in the name; other systems have one compiler only, which is the POSIX one.
find_program(KITH_MINGW_CC NAMES x86_64-w64-mingw32-gcc-posix x86_64-w64-mingw32-gcc REQUIRED)
find_program(KITH_MINGW_CXX NAMES x86_64-w64-mingw32-g++-posix x86_64-w64-mingw32-g++ REQUIRED)
set(CMAKE_C_COMPILER ${KITH_MINGW_CC})
set(CMAKE_CXX_COMPILER ${KITH_MINGW_CXX})
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

# Programs must start on a machine that has no MinGW: its runtime libraries go in.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-static")

set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)

if(NOT KITH_WINE_PREFIX)
  set(KITH_WINE_PREFIX ${CMAKE_BINARY_DIR}/wine)
endif()
set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_CURRENT_LIST_DIR}/wine-run;${KITH_WINE_PREFIX})
