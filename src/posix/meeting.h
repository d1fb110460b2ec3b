// SPDX-License-Identifier: MIT
// What listener.cpp and caller.cpp have in common.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "runtime_folder.h"

namespace kith::platform {

// Letters of file names: the claim to the name of an endpoint, and its socket.
inline constexpr char letter_of_claim = 'e', letter_of_socket = 's';

kith_status socket_open(native_handle& out);  // does not block, is not inherited, and raises no SIGPIPE
kith_status socket_set_up(int socket);        // the same, for one that came from accept without that
sockaddr_un socket_address(const runtime_folder& folder, const file_name& file);

}  // namespace kith::platform
