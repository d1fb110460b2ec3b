// SPDX-License-Identifier: MIT
#include <kith/kith.h>

#include "platform.h"

namespace kith {

namespace {

struct status_entry {
  kith_status status;
  const char* name;
  const char* text;
};

constexpr status_entry statuses[] = {
    {KITH_OK, "KITH_OK", "the call succeeded"},
    {KITH_OWNER_DIED, "KITH_OWNER_DIED",
     "you hold the lock (or permit), but a process died while it held it: check or repair what it protects, "
     "then, for a lock, call kith_lock_mark_consistent"},
    {KITH_NOT_EQUAL, "KITH_NOT_EQUAL", "the element had another value than expected; nothing was exchanged"},
    {KITH_LAST, "KITH_LAST", "you were the last to arrive at the barrier, and all have been let go"},
    {KITH_MISSED, "KITH_MISSED",
     "the reader was too slow and has missed messages; read oftener, use a larger ring, or let readers hold "
     "the "
     "writers back"},
    {KITH_E_INVALID, "KITH_E_INVALID",
     "an argument is wrong: NULL, zero, out of range, contradictory, or a handle that has been closed"},
    {KITH_E_NO_MEMORY, "KITH_E_NO_MEMORY",
     "not enough memory or address space; ask for less, or raise the memory limit of the process or its "
     "container"},
    {KITH_E_TIMEOUT, "KITH_E_TIMEOUT", "the deadline passed before it could be done; nothing was done"},
    {KITH_E_CLOSED, "KITH_E_CLOSED", "it was closed in good order, by the other side or by another thread"},
    {KITH_E_PEER_DIED, "KITH_E_PEER_DIED", "the process at the other end ended without closing it"},
    {KITH_E_TOO_LARGE, "KITH_E_TOO_LARGE",
     "it is larger than the buffer (the message is kept: receive it again with the size you were told) or "
     "than "
     "can be addressed"},
    {KITH_E_NOT_FOUND, "KITH_E_NOT_FOUND",
     "there is no program, library, registered function or share of that name; check its spelling, PATH, and "
     "what the "
     "parent gave"},
    {KITH_E_DENIED, "KITH_E_DENIED", "the OS does not allow it to this user; check the file's permissions"},
    {KITH_E_LIMIT, "KITH_E_LIMIT",
     "out of descriptors, handles or processes (close what is not needed, or raise the limit: ulimit -n, "
     "ulimit -u), or past the bound of a semaphore or condition"},
    {KITH_E_UNSUPPORTED, "KITH_E_UNSUPPORTED",
     "this OS or this version of kith cannot do it: a flag or field it does not know, or a feature that "
     "kith_has denies"},
    {KITH_E_OS, "KITH_E_OS", "the OS failed in an unexpected way; kith_os_error tells its number"},
    {KITH_E_EXISTS, "KITH_E_EXISTS", "the name is already in use"},
    {KITH_E_NOT_OWNER, "KITH_E_NOT_OWNER",
     "the lock is not held by the calling thread, or no permit of the semaphore by this process"},
    {KITH_E_MISMATCH, "KITH_E_MISMATCH",
     "it is of another kind, type, size or build than expected; if both sides agree on that, they use "
     "different versions"},
    {KITH_E_PROTOCOL, "KITH_E_PROTOCOL", "the other end wrote what kith does not write; close the channel"},
    {KITH_E_MOVED, "KITH_E_MOVED",
     "this channel end was given to a child, or the share of this name was taken before; close the handle"},
    {KITH_E_DEADLOCK, "KITH_E_DEADLOCK",
     "the calling thread holds this lock already and would wait for itself"},
    {KITH_E_NO_CHILD_MAIN, "KITH_E_NO_CHILD_MAIN",
     "this process was started to run one function, but its main did not call kith_child_main; add as the "
     "first lines of main: "
     "int32_t code; if (kith_child_main(&code)) return code;"},
    {KITH_E_NO_FUNCTION, "KITH_E_NO_FUNCTION",
     "entry does not point to a function of this program or of a library it has loaded (give a plain "
     "function, not data, a closure or generated code), or the library exports no such symbol"},
    {KITH_E_NOT_A_PROGRAM, "KITH_E_NOT_A_PROGRAM",
     "the file is not a program that the OS can run, or a library that it can load: a directory, of an "
     "unknown format, for another kind of processor, or a library that needs one which is missing"},
    {KITH_E_BAD_CWD, "KITH_E_BAD_CWD",
     "the working directory for the child does not exist or cannot be entered"},
    {KITH_E_BUSY, "KITH_E_BUSY",
     "the channel end cannot be given now: another thread uses it, or a message is half received; receive it "
     "first"},
    {KITH_E_INTERRUPTED, "KITH_E_INTERRUPTED",
     "a signal handler ran while the thread waited; do what the handler asked for, then call again"},
    {KITH_E_CANCELLED, "KITH_E_CANCELLED",
     "the kith_cancel that this thread uses was fired; kith_cancel_reset makes it as new"},
    {KITH_E_BROKEN, "KITH_E_BROKEN",
     "a party of the barrier died, timed out or aborted it; put things in order, then call "
     "kith_barrier_reset"},
    {KITH_E_WORKER_DIED, "KITH_E_WORKER_DIED",
     "the worker of the pool ended over this task (kith_answer.end tells how; see what the task does), or "
     "all "
     "workers were given up because they kept ending before their first task (see what their start function "
     "does)"},
    {KITH_E_NO_HOST, "KITH_E_NO_HOST",
     "kith-host, the program that runs functions of libraries, was not found; install it beside the library "
     "of kith, or name its file by kith_process_options.host or the environment variable KITH_HOST"},
    {KITH_E_WRONG_KEY, "KITH_E_WRONG_KEY",
     "the two sides of the connection do not have the same key; give both the same one, or none"},
};

const status_entry* find(kith_status status) {
  for (const status_entry& each : statuses) {
    if (each.status == status) return &each;
  }
  return nullptr;
}

}  // namespace

}  // namespace kith

const char* kith_status_name(kith_status status) {
  const kith::status_entry* entry = kith::find(status);
  return entry == nullptr ? "KITH_E_?" : entry->name;
}

const char* kith_status_text(kith_status status) {
  const kith::status_entry* entry = kith::find(status);
  return entry == nullptr ? "not a status of this version of kith" : entry->text;
}

int32_t kith_os_error(void) { return kith::platform::last_os_error(); }
