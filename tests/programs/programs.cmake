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

# Libraries that use kith, for kith-host. Beside kith.dll, which a library is looked for by its own folder.
foreach(kind IN ITEMS static shared)
  set(name kith_test_hosted_${kind})
  add_library(${name} MODULE programs/hosted.c)
  kith_set_common_flags(${name})
  set_target_properties(${name} PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden LINKER_LANGUAGE C
    LIBRARY_OUTPUT_DIRECTORY $<TARGET_FILE_DIR:kith_shared>)
  if(MINGW) # its runtime goes in
    target_link_options(${name} PRIVATE -static)
  endif()
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux") # or the kith inside would stand open to whoever loads it
    target_link_options(${name} PRIVATE -Wl,--exclude-libs,ALL)
  endif()
endforeach()
target_link_libraries(kith_test_hosted_static PRIVATE kith)
target_link_libraries(kith_test_hosted_shared PRIVATE kith_shared)

set_target_properties(kith_forgot_child_main kith_test_plugin PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
