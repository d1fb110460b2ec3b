# SPDX-License-Identifier: MIT
# Compiler flags, given to targets and never to a whole directory: a project that contains kith is left alone.

set(KITH_GNU_LIKE "$<CXX_COMPILER_ID:GNU,Clang,AppleClang>")
set(KITH_MSVC "$<CXX_COMPILER_ID:MSVC>")

# Warnings and language level, for the library, its tests, examples and benchmarks alike.
function(kith_set_common_flags target)
  target_compile_features(${target} PRIVATE cxx_std_20 c_std_99)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF C_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang,AppleClang>:-Wall;-Wextra;-Wpedantic;-Wconversion;-Wsign-conversion;-Wnon-virtual-dtor;-Wundef>"
    "$<$<COMPILE_LANG_AND_ID:C,GNU,Clang,AppleClang>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wstrict-prototypes;-Wundef>"
    "$<${KITH_MSVC}:/W4;/permissive-;/utf-8>")
  if(KITH_WERROR)
    target_compile_options(${target} PRIVATE "$<IF:${KITH_MSVC},/WX,-Werror>")
  endif()
  if(WIN32)
    target_compile_definitions(${target} PRIVATE
      _WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN NOMINMAX _CRT_SECURE_NO_WARNINGS)
  endif()
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE) # g++ defines it unasked, the C compiler does not
  endif()
endfunction()

# What keeps the library free of the C++ runtime. tools/check_symbols.py looks whether it did.
function(kith_set_library_flags target)
  kith_set_common_flags(${target})
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE
    "$<${KITH_GNU_LIKE}:-Wshadow;-fno-exceptions;-fno-rtti;-fno-threadsafe-statics>"
    "$<${KITH_MSVC}:/EHs-c-;/GR-;/Zc:threadSafeInit->")
  target_compile_definitions(${target} PRIVATE
    $<$<BOOL:${KITH_PORTABLE}>:KITH_PORTABLE=1> "$<${KITH_MSVC}:_HAS_EXCEPTIONS=0>")
  kith_use_internals(${target})
endfunction()

# The library's own headers, and those of the port; for the library and for tests of its parts.
function(kith_use_internals target)
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/src/${KITH_PLATFORM})
endfunction()
