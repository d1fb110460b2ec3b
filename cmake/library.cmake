# SPDX-License-Identifier: MIT
# The library's targets: kith (static) and kith_shared.

include(cmake/flags.cmake)

# The OS's own libraries that kith calls, by name.
if(WIN32)
  set(KITH_SYSTEM_LIBRARIES advapi32 bcrypt ws2_32)
elseif(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(KITH_SYSTEM_LIBRARIES pthread dl rt)
elseif(APPLE)
  set(KITH_SYSTEM_LIBRARIES "")
else()
  set(KITH_SYSTEM_LIBRARIES pthread)
endif()

function(kith_set_usage target)
  target_include_directories(${target} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PRIVATE kith::libuv ${KITH_SYSTEM_LIBRARIES})
endfunction()

# Two thirds of the time that a file takes are <atomic>'s. Only in our own builds, and not for zig, which has no use for it.
function(kith_precompile target)
  if(PROJECT_IS_TOP_LEVEL AND (CMAKE_SYSTEM_NAME STREQUAL "Linux" OR MINGW))
    target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/platform.h)
  endif()
endfunction()

add_library(kith_objects OBJECT ${KITH_SOURCES})
kith_precompile(kith_objects)
kith_set_library_flags(kith_objects)
target_link_libraries(kith_objects PRIVATE kith::libuv)

# The static library with a wait file of one's choice.
function(kith_add_static_library name wait_source)
  add_library(${name} STATIC ${wait_source} $<TARGET_OBJECTS:kith_objects>)
  kith_set_library_flags(${name})
  kith_set_usage(${name})
endfunction()

kith_add_static_library(kith "${KITH_WAIT_SOURCE}")
add_library(kith::kith ALIAS kith)
set_target_properties(kith PROPERTIES OUTPUT_NAME $<IF:$<BOOL:${MSVC}>,kith_static,kith>)

# A DLL marks what it exports when it is compiled; elsewhere the objects of the static library serve both.
if(WIN32)
  add_library(kith_shared SHARED ${KITH_SOURCES} ${KITH_WAIT_SOURCE})
  target_compile_definitions(kith_shared PRIVATE KITH_BUILDING)
  kith_precompile(kith_shared)
else()
  add_library(kith_shared SHARED $<TARGET_OBJECTS:kith_objects> ${KITH_WAIT_SOURCE})
endif()
add_library(kith::kith_shared ALIAS kith_shared)
kith_set_library_flags(kith_shared)
kith_set_usage(kith_shared)
target_compile_definitions(kith_shared PUBLIC KITH_SHARED)
file(STRINGS ${PROJECT_SOURCE_DIR}/include/kith/kith.h abi REGEX "KITH_ABI_VERSION = ")
string(REGEX MATCH "[0-9]+" abi ${abi})
set_target_properties(kith_shared PROPERTIES
  OUTPUT_NAME kith
  VERSION ${abi}.${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  SOVERSION ${abi}
  LINKER_LANGUAGE C) # so that the C++ runtime is not linked
if(WIN32)
  set_target_properties(kith_shared PROPERTIES PREFIX "")
elseif(APPLE)
  include(CheckLinkerFlag) # zig's linker does not have it
  check_linker_flag(C "-Wl,-exported_symbol,_kith_*" KITH_HAS_EXPORTED_SYMBOL)
  if(KITH_HAS_EXPORTED_SYMBOL)
    target_link_options(kith_shared PRIVATE "-Wl,-exported_symbol,_kith_*")
  endif()
else()
  # This also keeps a static libuv inside.
  target_link_options(kith_shared PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map)
  set_target_properties(kith_shared PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
endif()

# The program that runs functions of libraries. With a kith of its own, by the C compiler, and exporting nothing: what the library that
# it loads is linked with must not be found in here.
add_executable(kith_host ${PROJECT_SOURCE_DIR}/src/host/kith_host.c)
add_executable(kith::kith_host ALIAS kith_host)
kith_set_common_flags(kith_host)
target_link_libraries(kith_host PRIVATE kith)
set_target_properties(kith_host PROPERTIES OUTPUT_NAME kith-host LINKER_LANGUAGE C)

# Beside either of the two. With the libuv of the program: a loop belongs to the libuv that made it.
add_library(kith_uv STATIC ${KITH_UV_SOURCES})
add_library(kith::kith_uv ALIAS kith_uv)
kith_set_library_flags(kith_uv)
target_link_libraries(kith_uv PUBLIC kith::libuv)
target_include_directories(kith_uv INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# For the tests: the same library upon the other ways to wait (tests/CMakeLists.txt).
if(KITH_BUILD_TESTS AND CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT KITH_PORTABLE)
  kith_add_static_library(kith_parking ${PROJECT_SOURCE_DIR}/src/posix/wait_parking.cpp)
  kith_add_static_library(kith_darwin_wait ${PROJECT_SOURCE_DIR}/src/posix/wait_darwin.cpp)
endif()
