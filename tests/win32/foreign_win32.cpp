// SPDX-License-Identifier: MIT
#include "../foreign.h"

// winsock2.h must come before windows.h.
// clang-format off
#include <winsock2.h>
#include <windows.h>
// clang-format on

namespace test {

namespace {

HANDLE native(int64_t handle) { return reinterpret_cast<HANDLE>(static_cast<intptr_t>(handle)); }

// For the life of the process, as programs do that use sockets.
void start_winsock() {
  static const int started = [] {
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data);
  }();
  REQUIRE(started == 0);
}

}  // namespace

bool os_says_ready(int64_t handle, int64_t timeout_ms) {
  return WaitForSingleObject(native(handle), static_cast<DWORD>(timeout_ms)) == WAIT_OBJECT_0;
}

void close_os_handle(int64_t handle) { CHECK(CloseHandle(native(handle))); }

foreign_handle::foreign_handle() {
  handle_ = reinterpret_cast<intptr_t>(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  REQUIRE(handle_ != 0);
}

foreign_handle::~foreign_handle() { CloseHandle(native(handle_)); }

void foreign_handle::make_ready() { CHECK(SetEvent(native(handle_))); }

socket_pair::socket_pair() {
  start_winsock();
  const SOCKET listener = ::socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(listener != INVALID_SOCKET);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int size = sizeof address;
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  REQUIRE(listen(listener, 1) == 0);
  const SOCKET client = ::socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(connect(client, reinterpret_cast<sockaddr*>(&address), size) == 0);
  const SOCKET server = accept(listener, nullptr, nullptr);
  REQUIRE(server != INVALID_SOCKET);
  closesocket(listener);
  ends_[0] = static_cast<int64_t>(client);
  ends_[1] = static_cast<int64_t>(server);
}

socket_pair::~socket_pair() {
  other_closes();
  closesocket(static_cast<SOCKET>(ends_[0]));
}

void socket_pair::other_writes() { CHECK(send(static_cast<SOCKET>(ends_[1]), "x", 1, 0) == 1); }

void socket_pair::other_closes() {
  if (ends_[1] >= 0) closesocket(static_cast<SOCKET>(std::exchange(ends_[1], -1)));
}

}  // namespace test
