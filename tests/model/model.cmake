# SPDX-License-Identifier: MIT
# The exhaustive small-model test of the lock word and the parking lot: every interleaving of a few processes, on every OS.

add_executable(kith_model model/model_main.cpp model/lock_model.cpp model/parking_model.cpp)
kith_set_common_flags(kith_model)
# It does nothing but compute, so it is optimised in debug builds as well.
target_compile_options(kith_model PRIVATE "$<${KITH_GNU_LIKE}:-O2>")

if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
  add_test(NAME "model: every interleaving is sound" COMMAND kith_model)
  add_test(NAME "model: every known fault is found" COMMAND kith_model --faults)
  set_tests_properties("model: every interleaving is sound" "model: every known fault is found"
    PROPERTIES LABELS model TIMEOUT 400) # under the thread sanitizer it takes ten times as long
endif()
