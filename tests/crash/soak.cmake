# SPDX-License-Identifier: MIT
# The soak (tests/crash/soak.h), once for each way to wait. Together a minute; `kith_soak --minutes N` goes on for longer.

add_library(kith_soak_objects OBJECT crash/soak.cpp crash/soak_objects.cpp crash/soak_parent.cpp crash/soak_report.cpp
  crash/soak_worker.cpp crash/soak_messages.cpp crash/soak_broadcasts.cpp crash/soak_${KITH_PLATFORM}.cpp)
kith_set_common_flags(kith_soak_objects)
target_include_directories(kith_soak_objects PRIVATE ${PROJECT_SOURCE_DIR}/include)

function(kith_add_soak name library seconds)
  add_executable(${name} $<TARGET_OBJECTS:kith_soak_objects>)
  kith_set_common_flags(${name})
  target_link_libraries(${name} PRIVATE ${library})
  if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
    return()
  endif()
  math(EXPR timeout "${seconds} + 120")
  add_test(NAME "soak: ${name}" COMMAND ${name} --seconds ${seconds})
  # By itself: it keeps all cores busy, and other tests look at the clock.
  set_tests_properties("soak: ${name}" PROPERTIES LABELS crash TIMEOUT ${timeout} RUN_SERIAL ON)
endfunction()

if(KITH_SANITIZED)
  set(soak_seconds 10)
elseif(TARGET kith_parking)
  set(soak_seconds 30)
elseif(KITH_PORTABLE) # it waits as kith_soak_parking does
  set(soak_seconds 20)
else()
  set(soak_seconds 30)
endif()

kith_add_soak(kith_soak kith ${soak_seconds})
if(TARGET kith_parking)
  kith_add_soak(kith_soak_parking kith_parking ${soak_seconds})
endif()
