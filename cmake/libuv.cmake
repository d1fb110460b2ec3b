# SPDX-License-Identifier: MIT
# Defines the target kith::libuv, and how an installed kith finds the same libuv again (KITH_LIBUV_ORIGIN):
#   pkg-config   the system's, by its .pc file
#   package      the system's, by its CMake package
#   bundled      built here from source, and installed beside kith
# A cross build never takes the system's: that one is for another system.

add_library(kith::libuv INTERFACE IMPORTED GLOBAL)
set(KITH_LIBUV_ORIGIN bundled)
option(KITH_BUNDLED_LIBUV "Build libuv from source even if the system has it" ${CMAKE_CROSSCOMPILING})

if(NOT KITH_BUNDLED_LIBUV)
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(KITH_LIBUV QUIET IMPORTED_TARGET GLOBAL libuv>=1.44)
  endif()
  if(TARGET PkgConfig::KITH_LIBUV)
    set(KITH_LIBUV_ORIGIN pkg-config)
    target_link_libraries(kith::libuv INTERFACE PkgConfig::KITH_LIBUV)
  else()
    find_package(libuv CONFIG QUIET)
    foreach(name IN ITEMS libuv::uv_a libuv::libuv uv_a libuv::uv uv)
      if(TARGET ${name} AND KITH_LIBUV_ORIGIN STREQUAL "bundled")
        set(KITH_LIBUV_ORIGIN package)
        target_link_libraries(kith::libuv INTERFACE ${name})
      endif()
    endforeach()
  endif()
endif()

# FETCHCONTENT_SOURCE_DIR_LIBUV names a source folder for machines without a network.
function(kith_build_libuv)
  include(FetchContent)
  FetchContent_Declare(libuv
    URL https://github.com/libuv/libuv/archive/refs/tags/v1.44.2.tar.gz
    URL_HASH SHA256=e6e2ba8b4c349a4182a33370bb9be5e23c51b32efb9b9e209d0e8556b73a48da
    SOURCE_SUBDIR not-added-by-fetchcontent) # it would install all of libuv; it is added below instead
  FetchContent_MakeAvailable(libuv)
  set(CMAKE_POLICY_VERSION_MINIMUM 3.5) # libuv asks for CMake 3.4, which CMake 4 refuses
  set(CMAKE_WARN_DEPRECATED OFF)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
  set(BUILD_TESTING OFF)
  set(CMAKE_C_FLAGS "${CMAKE_C_FLAGS} -w") # its warnings are not ours to mend
  add_subdirectory(${libuv_SOURCE_DIR} ${libuv_BINARY_DIR} EXCLUDE_FROM_ALL)
endfunction()

if(KITH_LIBUV_ORIGIN STREQUAL "bundled")
  kith_build_libuv()
  target_link_libraries(kith::libuv INTERFACE uv_a)
endif()
message(STATUS "libuv: ${KITH_LIBUV_ORIGIN}")
