# SPDX-License-Identifier: MIT
# The tests of the command: Python, which starts it beside programs that use names.

add_test(NAME "kith: doctor" COMMAND kith_command doctor)
set_tests_properties("kith: doctor" PROPERTIES TIMEOUT 60)

find_package(Python3 COMPONENTS Interpreter)
if(NOT Python3_FOUND)
  return()
endif()

add_test(NAME "kith: doctor --json"
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/check_json.py ${CMAKE_CROSSCOMPILING_EMULATOR} $<TARGET_FILE:kith_command>)
set_tests_properties("kith: doctor --json" PROPERTIES TIMEOUT 60)

add_executable(kith_name_user ${CMAKE_CURRENT_LIST_DIR}/name_user.c)
kith_set_common_flags(kith_name_user)
target_link_libraries(kith_name_user PRIVATE kith::kith)
set_target_properties(kith_name_user PROPERTIES LINKER_LANGUAGE C)

set(cases nothing kinds lock fill unicode rm usage)
if(NOT WIN32)
  # Windows leaves nothing after a crash; signals, terminals and modes of folders are POSIX.
  list(APPEND cases shown gc top terminal denied names_in_doctor)
endif()
foreach(case IN LISTS cases)
  add_test(NAME "kith: ${case}"
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/test_command.py ${case} $<TARGET_FILE:kith_command>
      $<TARGET_FILE:kith_name_user> ${CMAKE_CROSSCOMPILING_EMULATOR})
  set_tests_properties("kith: ${case}" PROPERTIES TIMEOUT 180 SKIP_REGULAR_EXPRESSION "skipped: ")
endforeach()

if(NOT WIN32)
  add_executable(kith_crowd ${CMAKE_CURRENT_LIST_DIR}/crowd.cpp)
  kith_set_common_flags(kith_crowd)
  target_link_libraries(kith_crowd PRIVATE kith::kith)
  function(kith_add_crowd_test name)
    add_test(NAME "kith: ${name}"
      COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/test_crowd.py $<TARGET_FILE:kith_command> $<TARGET_FILE:kith_crowd>
        ${ARGN})
    set_tests_properties("kith: ${name}" PROPERTIES TIMEOUT 300 PROCESSORS 2 SKIP_REGULAR_EXPRESSION "skipped: ")
  endfunction()
  kith_add_crowd_test("fifty processes come and go" 8)
  kith_add_crowd_test("fifty processes of an unprivileged user" 4 nobody)
endif()
