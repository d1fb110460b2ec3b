# SPDX-License-Identifier: MIT
# The fuzz targets (libFuzzer, so clang only), for the preset fuzz: ./dev fuzz runs them. All of the library is compiled with the flags
# of the preset.

function(kith_add_fuzzer name)
  add_executable(${name} EXCLUDE_FROM_ALL fuzz/${name}.cpp fuzz/fuzz_support.cpp)
  kith_set_common_flags(${name})
  kith_use_internals(${name})
  target_link_libraries(${name} PRIVATE kith kith::libuv)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer -Wl,--wrap=mmap,--wrap=munmap)
endfunction()

kith_add_fuzzer(fuzz_channel)
kith_add_fuzzer(fuzz_segment)
kith_add_fuzzer(fuzz_handshake)
kith_add_fuzzer(fuzz_broadcast)
