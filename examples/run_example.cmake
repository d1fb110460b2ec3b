# SPDX-License-Identifier: MIT
# cmake -DEXPECTED=file -P run_example.cmake -- program arguments...: runs an example and compares what it printed.

set(command "")
set(is_command FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(is_command)
    list(APPEND command "${CMAKE_ARGV${i}}")
  elseif(CMAKE_ARGV${i} STREQUAL "--")
    set(is_command TRUE)
  endif()
endforeach()

execute_process(COMMAND ${command} OUTPUT_VARIABLE printed ERROR_VARIABLE complaint RESULT_VARIABLE result)
file(READ ${EXPECTED} expected)
string(REPLACE "\r\n" "\n" printed "${printed}") # Windows
string(REPLACE "\r\n" "\n" expected "${expected}")

message("${printed}")
if(NOT result EQUAL 0)
  message(FATAL_ERROR "it ended with ${result}, not 0\n${complaint}")
endif()
if(NOT printed STREQUAL expected)
  message(FATAL_ERROR "it should have printed\n${expected}\n${complaint}")
endif()
