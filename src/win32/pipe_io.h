// SPDX-License-Identifier: MIT
// What listener.cpp and caller.cpp have in common: pipes that strangers use, before they are the streams of channels.
#pragma once

#include "../platform.h"
#include "hex.h"
#include "windows_api.h"

namespace kith::platform {

// Every write of a handshake fits, so none waits.
inline constexpr DWORD meeting_buffer_size = 8192;
static_assert(meeting_buffer_size >= most_of_greeting);

// What a stranger may do with a pipe. Making another instance of it is not among that.
inline constexpr DWORD rights_of_stranger = FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_ATTRIBUTES |
                                            FILE_WRITE_ATTRIBUTES | READ_CONTROL | SYNCHRONIZE;

// <begin><32 hex digits>. Of a name among those of a user.
struct meeting_path {
  wchar_t text[64];
};
meeting_path path_of_meeting(const wchar_t* begin, const char* user, const meeting_name& name);

// What the claim to the name of an endpoint says; the size is written last.
struct claimed_name {
  uint32_t pid;
  uint32_t size;
  char text[longest_meeting_name];
};

// One side of a fresh connection. Stays where it is: Windows writes to it until a read has ended.
struct calling {
  native_handle pipe;
  native_handle own_event;  // of who connects; who listens has one for all
  HANDLE event = nullptr;
  bool* disturbed = nullptr;  // the listener's: beginning a call resets the event that others have set
  OVERLAPPED state = {};
  unsigned char bytes[512];
  bool reads = false;     // a read is pending, or has ended and was not looked at
  size_t have = 0;        // bytes that were read
  size_t taken = 0;       // so many of them were given to the caller
  native_handle process;  // of the listener, with the right to duplicate its handles
  bool listens = false;
};

// Ends what is pending on a handle, and waits until Windows is done with it.
void end_call(HANDLE handle, OVERLAPPED& state);

inline native_handle owned_file(HANDLE handle) {
  return native_handle(handle == INVALID_HANDLE_VALUE ? nullptr : handle);
}

}  // namespace kith::platform
