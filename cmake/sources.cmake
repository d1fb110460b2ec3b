# SPDX-License-Identifier: MIT
# Every source file of the library, by name. KITH_SOURCES is all but the wait file, because the tests link the
# library with other wait files too (cmake/library.cmake); KITH_WAIT_SOURCE is the wait file of this target.

set(shared
  array barrier boot_reader boot_writer broadcast channel channel_flags channel_large channel_many channel_object channel_poll channel_reception channel_send channel_turn channel_wait
  channel_zero_copy child child_stdio communicate condition connect endpoint entry environment event handshake handshake_out host lock lock_wait memory mutex named names object
  object_transfer options os_handle parent peer pipe_wait poll pool pool_answers pool_calls pool_give pool_map pool_order pool_tasks pool_workers process queue reader readiness segment_object semaphore sha256 share status stream_object value version wait_any waiting
  worker worker_loop)
set(shm barrier broadcast broadcast_reader condition element event lock_word name_card patience poll_flag pool_lane queue ring segment semaphore shared_bias)
set(posix caller error foreign fork handle library listener name_place parcel pipe process runtime_folder stdio stream supervisor system tree wait_many)
set(win32
  access_rules bell caller command_line environment_block error exit fence foreign fork handle identity library listener memory module name_place parcel pipe process program
  parent spawn stdio stream system utf16 wait_many)

# Of a kernel's own calls there are several versions of a file; here the choice is made, once.
if(WIN32)
  set(wait wait)
elseif(APPLE)
  list(APPEND posix bell_portable exit_darwin fence_portable gather_darwin identity_darwin memory_portable module_macho parent_darwin spawn_darwin)
  set(wait wait_darwin)
elseif(KITH_PORTABLE)
  # wait_darwin looks the Darwin calls up when it runs; where there are none it sleeps in short slices.
  list(APPEND posix bell_portable exit_portable fence_portable gather_linux identity_linux memory_portable module_elf parent_portable spawn_portable)
  set(wait wait_darwin)
else()
  list(APPEND posix bell_linux exit_linux fence_linux gather_linux identity_linux io_ring_linux memory_linux module_elf parent_linux spawn_linux)
  set(wait wait_linux)
endif()

set(port ${${KITH_PLATFORM}})
list(TRANSFORM shared PREPEND src/)
list(TRANSFORM shm PREPEND src/shm/)
list(TRANSFORM port PREPEND src/${KITH_PLATFORM}/)
set(KITH_SOURCES ${shared} ${shm} ${port})
list(TRANSFORM KITH_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/)
list(TRANSFORM KITH_SOURCES APPEND .cpp)
set(KITH_WAIT_SOURCE ${PROJECT_SOURCE_DIR}/src/${KITH_PLATFORM}/${wait}.cpp)

# kith_uv, the libuv integration: a library of its own, made of kith.h and libuv alone.
if(WIN32)
  set(readiness readiness_win32)
else()
  set(readiness readiness_posix)
endif()
set(KITH_UV_SOURCES send take watch ${readiness})
list(TRANSFORM KITH_UV_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/src/uv/)
list(TRANSFORM KITH_UV_SOURCES APPEND .cpp)
