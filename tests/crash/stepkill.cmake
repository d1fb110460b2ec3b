# SPDX-License-Identifier: MIT
# The kill test (tests/crash/stepkill.cpp), once for each way to wait. Single-stepping is Linux's, and a sanitizer would make
# of each instruction many.

if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR CMAKE_CROSSCOMPILING OR KITH_SANITIZED)
  return()
endif()

add_library(kith_stepkill_objects OBJECT crash/stepkill.cpp crash/stepkill_drive.cpp
  crash/stepkill_world.cpp crash/stepkill_lock.cpp crash/stepkill_semaphore.cpp
  crash/stepkill_condition.cpp crash/stepkill_event.cpp crash/stepkill_barrier.cpp crash/stepkill_queue.cpp crash/stepkill_broadcast.cpp
  crash/stepkill_channel.cpp crash/stepkill_pool.cpp)
kith_set_common_flags(kith_stepkill_objects)
kith_use_internals(kith_stepkill_objects)
target_precompile_headers(kith_stepkill_objects PRIVATE crash/stepkill.h)

# coarse: see stepkill.cpp. Debug builds, without optimisation, have several times the instructions.
function(kith_add_stepkill name library coarse)
  add_executable(${name} $<TARGET_OBJECTS:kith_stepkill_objects>)
  kith_set_common_flags(${name})
  target_link_libraries(${name} PRIVATE ${library} kith::libuv)
  target_link_options(${name} PRIVATE -Wl,-z,now) # finding a symbol at its first call takes a thousand instructions
  math(EXPR coarse_debug "7 * ${coarse}")
  add_test(NAME "kill test: ${name}" COMMAND ${name} --coarse $<IF:$<CONFIG:Debug>,${coarse_debug},${coarse}>)
  # By itself: 100 ms for a recovery are plenty on a machine that has no better things to do.
  set_tests_properties("kill test: ${name}" PROPERTIES
    LABELS crash TIMEOUT 900 SKIP_RETURN_CODE 77 RUN_SERIAL ON)
endfunction()

# Every instruction takes four minutes: `stepkill_futex` without arguments, by hand. Here the channels are killed at each, and the rest at some.
if(KITH_PORTABLE)
  kith_add_stepkill(stepkill_portable kith 4)
else()
  kith_add_stepkill(stepkill_futex kith 4)
  kith_add_stepkill(stepkill_parking kith_parking 6)
  add_test(NAME "kill test: channels" COMMAND stepkill_futex --coarse $<IF:$<CONFIG:Debug>,7,1> channel)
  set_tests_properties("kill test: channels" PROPERTIES LABELS crash TIMEOUT 900 SKIP_RETURN_CODE 77 RUN_SERIAL ON)
endif()
