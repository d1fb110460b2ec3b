// SPDX-License-Identifier: MIT
// Objects on their way to another process that runs already.
#pragma once

#include "share.h"

namespace kith {

// What share_describe gives is what object_open takes, in another process.

// Makes a handle for an object that came. Takes the handles over, also when it fails. KITH_E_MISMATCH: they are no such object.
// `who` is for processes.
kith_status object_open(object_kind kind, identity who, claimed_share& came, void** out);

// ---- os_handle.cpp -----------------------------------------------------------------------------------------------------------

kith_status os_handle_describe(object& self, const platform::native_handle*& out);
void os_handle_forget_all();  // in a forked child, before other handles are closed there
kith_status os_handle_open(platform::native_handle&& handle,
                           void** out);  // takes it over, also when it fails

// ---- process.cpp -------------------------------------------------------------------------------------------------------------

struct process_label {
  identity who;  // nobody: it has ended
  const platform::native_handle* handle = nullptr;
};
kith_status process_describe(object& self, process_label& out);
kith_status process_open_foreign(identity who, platform::native_handle&& handle, void** out);

}  // namespace kith
