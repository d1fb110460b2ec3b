# SPDX-License-Identifier: MIT
# What the tests start or load beside themselves; it lies in the folder of the test programs.

add_executable(kith_forgot_child_main programs/forgot_child_main.c)
kith_set_common_flags(kith_forgot_child_main)
target_link_libraries(kith_forgot_child_main PRIVATE kith)
set_target_properties(kith_forgot_child_main PROPERTIES LINKER_LANGUAGE C)

add_library(kith_test_plugin MODULE programs/plugin.c)
kith_set_common_flags(kith_test_plugin)
target_include_directories(kith_test_plugin PRIVATE ${PROJECT_SOURCE_DIR}/include)
set_target_properties(kith_test_plugin PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden)

set_target_properties(kith_forgot_child_main kith_test_plugin PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
