# SPDX-License-Identifier: MIT
# What a user may choose, and what follows from the target system.

option(KITH_PORTABLE "Linux only: use none of its special calls, as the macOS and BSD builds do" OFF)
option(KITH_WERROR "Treat warnings as errors" OFF)
option(KITH_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(KITH_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(KITH_BUILD_BENCH "Build the benchmark program" ${PROJECT_IS_TOP_LEVEL})
option(KITH_BUILD_COMMAND "Build the kith command" ${PROJECT_IS_TOP_LEVEL})
option(KITH_INSTALL "Make install rules" ${PROJECT_IS_TOP_LEVEL})

# The port: the name of a folder under src/ and under tests/.
if(WIN32)
  set(KITH_PLATFORM win32)
else()
  set(KITH_PLATFORM posix)
endif()

include(GNUInstallDirs)
