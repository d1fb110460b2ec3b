# SPDX-License-Identifier: MIT
# Read by CMake after its own rules for macOS. zig knows no -bundle, with which they link a plug-in.
set(CMAKE_SHARED_MODULE_CREATE_C_FLAGS -dynamiclib)
set(CMAKE_SHARED_MODULE_CREATE_CXX_FLAGS -dynamiclib)
