// SPDX-License-Identifier: MIT
// Where names lie: a folder for each user, in the machine's memory where there is such a file system.
#pragma once

#include <sys/types.h>

#include "posix_internal.h"

namespace kith::platform {

// `own` is for its user alone (0700). Through `open` others may go, to what they know the name of; they may neither list nor write (0711).
enum class folder_kind { own, open };

// Fills in the path. KITH_E_NOT_FOUND: it is not there. KITH_E_DENIED: it is not that user's, or others may write to it.
kith_status folder_find(folder_kind kind, uid_t owner, runtime_folder& out);
// Our own, and its handle. `make`: it is made if it is not there.
kith_status folder_open(folder_kind kind, bool make, runtime_folder& out);

// A file that lies in our folder, for reading and writing; `flags` may be O_CREAT and O_EXCL. KITH_E_DENIED: it is a link, no plain file, or
// not ours.
kith_status folder_open_file(const runtime_folder& folder, const char* name, int flags, mode_t mode,
                             native_handle& out);

// <letter><32 hex digits>
struct file_name {
  char text[40] = {};
};
file_name file_name_of(char letter, const digest& hash);

}  // namespace kith::platform
