// SPDX-License-Identifier: MIT
// What a port must provide. src/posix and src/win32 implement it, file for file; nothing else in the library calls the OS, but for
// what libuv does well (docs/internals.md lists it).
//
// Arguments are already checked. Calls restart after EINTR, but for wait and process_await; they never throw, print or abort. A call that fails because the OS
// failed returns fail(number), which keeps the number for kith_os_error. Out parameters are written on success only.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "buffer.h"
#include "deadline.h"
#include "identity.h"
#include "name_key.h"
#include "platform_types.h"  // the port's own: native_handle, memory, stream, pipe, process
#include "sha256.h"
#include "shm/parcel_slot.h"
#include "shm/wait_area.h"

namespace kith::platform {

// ---- error.cpp -----------------------------------------------------------------------------------------------------------

kith_status status_from_os(int32_t os_error);  // the only table
kith_status fail(int32_t os_error);            // keeps the number for this thread, and translates it
int32_t last_os_error();                       // of this thread; 0: none

// ---- handle.cpp: native_handle, the move-only owner of a descriptor or HANDLE, is in platform_types.h ----------------------

uint64_t handle_number(const native_handle& handle);  // how the handle is written down for a child
kith_status handle_adopt(uint64_t number,
                         native_handle& out);  // the child's side: owns it, and no child of ours inherits it
// A copy of a handle that is not ours, by its number as the OS writes it.
kith_status handle_copy_in(int64_t number, native_handle& out);
// KITH_START_FORK: closes every descriptor above the standard streams but those in `keep`.
void close_all_handles_but(const uint64_t* keep, size_t count);
kith_status handle_duplicate(const native_handle& handle, native_handle& out);  // fork.cpp

// ---- system.cpp ------------------------------------------------------------------------------------------------------------

uint64_t clock_now();    // nanoseconds, monotonic, the same clock in every process of the machine
uint64_t clock_rough();  // the same, some milliseconds behind where that costs less
kith_status random_bytes(void* out, size_t size);
void pause_cpu();           // a hint to the core that this thread spins
void yield_cpu();           // lets another thread that is ready have this core
bool has(int32_t feature);  // KITH_HAS_...
// Whether two names of environment variables, given by their lengths, name the same variable.
bool same_variable(const char* a, size_t a_length, const char* b, size_t b_length);
// The variables of this process as they stand: "NAME=value", ends with nullptr. As always, nobody may change them meanwhile. nullptr: this OS has
// them in another form.
const char* const* own_variables();
// Takes a variable out of this process. false: there is none, or its value does not fit, and stays.
bool variable_take(const char* name, char* out, size_t size);
void flush_standard_streams();         // stdout and stderr of this process
[[noreturn]] void exit_now(int code);  // ends the process, running no handlers

// ---- fence.cpp: an asymmetric pair of full fences, between processes --------------------------------------------------------

// The light one is for the common path, the heavy one for the rare path; a light and a heavy fence order against each other as two
// seq_cst fences do. Where the OS can make all cores of all kith processes run a fence on demand (Linux: membarrier), the light
// one is no instruction at all; elsewhere both are seq_cst fences.
// Set by join_fences, before this process can hold a lock. Inline, as is self_bits: for a variable of another file compilers load its
// address first, and the lock is made of a dozen instructions.
inline constinit std::atomic<bool> light_fence_is_free{false};
void join_fences();  // called by find_self
void heavy_fence();

inline void light_fence() {
  // Keeps the compiler from moving the accesses; in the other case the core, too.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (!light_fence_is_free.load(std::memory_order_relaxed))
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

// ---- identity.cpp ------------------------------------------------------------------------------------------------------------

inline constinit std::atomic<uint64_t> self_bits{0};  // 0: not known yet, or forked since
identity find_self();                                 // asks the OS, and keeps the answer in self_bits

// Relaxed: the word is the same whoever wrote it; it refers to no other memory.
inline identity self() {
  const uint64_t bits = self_bits.load(std::memory_order_relaxed);
  return bits != 0 ? identity{bits} : find_self();
}

uint32_t own_pid();  // alone: costs next to nothing, where self() may have to look into files
liveness alive(identity who);
// current_thread() is in platform_types.h, inline: differs between the living threads of this process, and costs next to nothing.
uint64_t pid_namespace();  // pids mean the same processes where this is equal; 0: cannot be told

// ---- memory.cpp --------------------------------------------------------------------------------------------------------------

// Zeroed memory without a name, mapped for reading and writing. `commit`: fail now rather than at the first touch.
// `may_restrict`: memory_restrict will be called, for which some systems need another handle.
kith_status memory_create(size_t size, bool commit, bool may_restrict, memory& out);
// Maps all of a handed-over object: for writing if the handle allows it, else for reading. Moves from `object` on success only.
kith_status memory_attach(native_handle&& object, memory& out);
// Memory for a bootstrap segment that the child itself writes on its way (spawn_plan.unwritten); not mapped. Where bootstraps_are_staged only
// (platform_types.h).
kith_status memory_create_unwritten(size_t size, memory& out);
// Small memory can be read, and a word of it be written, at less cost than to map it. memory_peek copies what is at its beginning, and tells how much
// that is; 0, or false: not on this OS, or not with this object.
size_t memory_peek(const native_handle& object, void* out, size_t size);
bool memory_poke(const native_handle& object, size_t offset, uint32_t value);
// From now on memory_handle gives others the right to read only. Our own mapping stays writable.
kith_status memory_restrict(memory& self);
const native_handle& memory_handle(const memory& self);  // what to hand to a child
void memory_close(memory& self);

// ---- wait.cpp: sleeping on a 64-bit word in shared memory --------------------------------------------------------------------

// How many parking slots a segment needs in which somebody may wait; 0 where the OS waits on addresses across processes.
uint32_t parking_slots_wanted();
kith_status wait_area_open(wait_area& area);  // area.slots, slot_count and id are filled in
void wait_area_close(wait_area& area);

enum class wait_result {
  look_again,
  timed_out,
  watched_died,
  interrupted  // a signal handler ran in this thread
};

// What a call that waits keeps from one sleep to the next. Begins empty.
struct long_sleep {
  void* state = nullptr;  // the port's
  bool watches =
      false;  // the end of `watch` ends the sleep at once; otherwise callers ask alive() after short slices
  // Of the caller, or nullptr: the end of this stream matters, too. watches_peer: it is told at once, as a death that was watched
  // for.
  const stream* peer = nullptr;
  bool watches_peer = false;
};
void long_sleep_end(long_sleep& self);

// Sleeps until a wake for this word that is issued after we began, the deadline, or (where the OS can) the end of `watch`.
// Comes back at once when the word is not `expected`: at least the low 32 bits are compared, so every change that matters must
// change these. May come back for no reason: the caller looks at the word again. Callers never pass no_deadline but sleep in
// slices, so that a wake that went to a process which was killed costs a slice, not for ever. One call sleeps on one word only.
wait_result wait(wait_area& area, const std::atomic<uint64_t>& word, uint64_t expected, deadline until,
                 identity watch, long_sleep& memory);

// Wakes at least min(count, sleepers). The caller has changed the word before (seq_cst, or followed by a full fence), and knows
// by a flag of its own that somebody may sleep: a wake costs a system call.
void wake(wait_area& area, const std::atomic<uint64_t>& word, uint32_t count);

// ---- stream.cpp: a connected pair of control streams; the end of a process is seen as the end of its streams -----------------

kith_status stream_create(stream& a, stream& b);
enum class stream_state { open, ended };
// Never blocks. The end is told also where rings or parcels are unread.
stream_state stream_look(const stream& self);
const native_handle* stream_handle(const stream& self);  // what to hand to a child
kith_status stream_adopt(native_handle&& object,
                         stream& out);  // the child's side; moves from `object` on success only
void stream_close(stream& self);

// Bells, for loops that wait on handles. Who polls arms and waits until the handle is ready; the other side rings.
void stream_ring(stream& self);  // never blocks; nothing when nobody is there
// Takes back the rings that came until now: the handle becomes ready at the next ring, or at the end of the other side.
// KITH_E_PROTOCOL: there is something that kith does not write.
kith_status stream_arm(stream& self);
void stream_disarm(stream& self);  // this process takes no rings any more, which another one is about to want
// stream_handle_tells_end, of the port: whether it is ready after the end of the stream though nobody has armed.
kith_status stream_poll_handle(stream& self, int64_t& out);  // POSIX: the socket; Windows: an event

// ---- parcel.cpp: handles for the other side of a stream, which go beside a message in a ring ---------------------------------

inline constexpr size_t most_handles_of_parcel = 3;

struct parcel {
  uint64_t ticket = 0;  // of the message; each is larger than those before, and none is 0
  size_t count = 0;
  const native_handle* handles[most_handles_of_parcel] = {};
};

// What the message tells of its parcel. It comes from the other side: nothing of it is true before parcel_take has seen to it.
struct parcel_label {
  uint64_t ticket = 0;
  size_t count = 0;
  uint64_t numbers[most_handles_of_parcel] = {};  // Windows: of the handles, in the receiver
};

// Sends it on its way; the message that has the label must follow at once. KITH_E_TIMEOUT: not just now; KITH_E_PEER_DIED: the receiver's
// process is no more; KITH_E_DENIED: it does not let us. When it fails, the receiver has nothing.
kith_status parcel_send(stream& self, identity receiver, const parcel& sent, shm::parcel_slot& slot,
                        parcel_label& out);
// The receiver's side, with the message before its eyes. KITH_E_LIMIT: no descriptor free, and the parcel stays; KITH_E_PROTOCOL: there is
// none that fits the label. `took_bells`: set when rings were in the way, which somebody who polls may have needed.
kith_status parcel_take(stream& self, const parcel_label& label, native_handle (&out)[most_handles_of_parcel],
                        bool& took_bells);
// Lets go of what came in a parcel but is not what it should be.
void parcel_refuse(native_handle&& handle);

// ---- listener.cpp: a place where strangers come, found by a name ---------------------------------------------------------------------

// Of any length; the port looks for it by the hash, among the names of a user.
struct meeting_name {
  const char* text;
  size_t size;
  digest hash;  // of the text
};

// A user as kith.h writes it.
struct user_name {
  char text[KITH_USER_SIZE] = {};
};
kith_status own_user(user_name& out);
bool user_is_valid(const char* user);

struct stranger {
  int64_t pid = 0;  // 0: not told
  user_name user;
};

// `users`: ends with nullptr; nullptr: nobody but this user. KITH_E_EXISTS: somebody listens there; what is left of one that has ended is
// taken over. KITH_E_DENIED: something that is not ours lies there.
kith_status listener_open(const meeting_name& name, const char* const* users, listener& out);
// The next one who has connected. KITH_E_TIMEOUT: nobody.
kith_status listener_take(listener& self, caller& out);
// From now on the caller makes the listener ready when it says something.
kith_status listener_watch(listener& self, caller& whom);
// Ready when somebody comes, or a caller that was taken says something. A round of looking at all of them begins with listener_quiet; another one
// must follow when listener_must_look_again says so, as beginning to wait for one may have silenced another. listener_ring: there was no
// time to look at all.
int64_t listener_poll_handle(const listener& self);
bool listener_is_ready(const listener& self);
void listener_quiet(listener& self);
bool listener_must_look_again(listener& self);
void listener_ring(listener& self);
void listener_withdraw(listener& self);  // the name is free, and who waits wakes; listener_close follows
void listener_close(listener& self);
void listener_forget(listener& self);  // in a forked child: it is the parent's

// ---- caller.cpp: a fresh connection, on either side, until it is the control stream of a channel ---------------------------------------

inline constexpr size_t longest_meeting_name = 4096;
// No call blocks. Messages are short: in one direction so much fits into the connection.
inline constexpr size_t most_of_greeting = 256 + longest_meeting_name;

// KITH_E_NOT_FOUND: nobody listens; KITH_E_TIMEOUT: not just now; KITH_E_DENIED. `user`: whose place it is; nullptr: this user's.
kith_status caller_connect(const meeting_name& name, const char* user, caller& out);
// After something was read from it. As the OS says, not the other side.
kith_status caller_peer(const caller& self, stranger& out);
// At most `size` bytes, which is at most most_of_greeting. KITH_E_TIMEOUT: nothing there; KITH_E_PEER_DIED: and nothing will come.
kith_status caller_read(caller& self, void* out, size_t size, size_t& got);
kith_status caller_write(caller& self, const void* bytes, size_t size);
int64_t caller_poll_handle(
    const caller& self);  // of a caller that we made: ready when a read would give something
// Hands a handle over with a message, of which the label is a part. Windows: it is put into the other process if this one may do that; otherwise the
// other one fetches it, if it may and is quick: it must still be open here.
struct handle_label {
  uint64_t number;
  uint32_t fetch;
  uint32_t reserved;
};
bool caller_may_fetch(const caller& self);
kith_status caller_write_with(caller& self, void* bytes, size_t size, handle_label& label,
                              bool other_may_fetch, const native_handle& handle);
kith_status caller_fetch(caller& self, const handle_label& label, native_handle& out);
void caller_to_stream(caller& self, stream& out);
void caller_close(caller& self);
void caller_forget(caller& self);  // in a forked child

// ---- bell.cpp: what wakes those who wait on handles, for an object that any number of processes share --------------------------------

// Whoever has the object has its bells, can ring them, and can poll them: bell 0 or 1. A bell that was rung stays so, for all who
// wait, until one of them quiets it. Bells that are not there, as in a forked child that was not given them, are silent.
inline constexpr uint32_t most_bells = 2;
kith_status bells_create(uint32_t count, bells& out);
// What another process gave. Those that would not do as a bell are let go, and silent.
void bells_adopt(native_handle&& first, native_handle&& second, bells& out);
inline const native_handle& bells_handle(const bells& self, uint32_t index) {
  return self.handles[index];
}  // for a child
void bell_ring(const bells& self, uint32_t which);   // never blocks; also in a signal handler
bool bell_quiet(const bells& self, uint32_t which);  // whether it was rung
// An ear is a handle of this process by which one listener hears every ring of a bell that nobody quiets, and may forget those that came:
// for listeners of whom each has looked at something else. KITH_E_UNSUPPORTED: this system has none.
kith_status ear_create(const bells& self, uint32_t which, native_handle& out);
bool ear_quiet(const native_handle& ear);  // whether it had heard any

// ---- name_place.cpp: where the named objects of a user lie -------------------------------------------------------------------------------

// A name_place (platform_types.h) is opened, locked for as short as can be against all who make, take or end one of its objects, and let go.
// name_key is in name_key.h. Where no comment says otherwise, the place is locked.

kith_status place_open(
    bool make, name_place& out);  // this user's. KITH_E_NOT_FOUND: nothing was ever named; KITH_E_DENIED
// Another user's: it is never locked, and what he lets us take can be taken. KITH_E_UNSUPPORTED: this system has no such thing.
kith_status place_open_of(const char* user, name_place& out);
kith_status place_lock(name_place& self, deadline until);  // KITH_E_TIMEOUT
void place_unlock(name_place& self);

enum class place_state {
  none,
  unused,  // somebody has left it; whether it is to be kept is not the port's to say
  used
};
// Unless there is none, `out` is the object, which is used from now on, for as long as `out` or a copy of it is open in any process.
// KITH_E_TIMEOUT: it cannot be told; KITH_E_DENIED: what lies there is not that user's, or no object of ours; KITH_E_BUSY: it is just going away.
kith_status place_take(name_place& self, const name_key& key, deadline until, place_state& state,
                       native_handle& out);
// Without the lock. Reads of what was taken, whatever that is. KITH_E_MISMATCH: it has not so many bytes.
kith_status place_read(const native_handle& taken, uint64_t offset, void* out, size_t size);
uint64_t place_size(const native_handle& taken);
// Without the lock. Moves from `taken` on success only.
kith_status place_attach(native_handle&& taken, memory& out);
// The bells of an object that was taken. Without the lock.
kith_status place_bells(name_place& self, const name_key& key, uint32_t count, bells& out);
// Ends one that nobody uses. KITH_E_BUSY: not just now, as a process that had it is ending.
kith_status place_remove(name_place& self, const name_key& key);

// Zeroed memory for an object that is to be published next; `flags`: KITH_NAME_... Where names_are_made_aside (platform_types.h) it need not
// be locked.
kith_status place_make(name_place& self, const name_key& key, uint32_t flags, size_t size, bool commit,
                       memory& out);
// There is none of that name. From the end of the call on others can take it.
kith_status place_publish(name_place& self, const name_key& key, uint32_t flags, const memory& made,
                          uint32_t bell_count, bells& out);
void place_give_up(name_place& self);  // what was made and not published. Without the lock

kith_status place_list(name_place& self,
                       buffer<name_key>& out);  // of objects and endpoints. Without the lock
void place_sweep(name_place& self);             // what creators left that died before they published

struct endpoint_claim {
  bool lives = false;
  int64_t pid = 0;  // who listens; 0: not told
  size_t name_size = 0;
  char name[longest_meeting_name];
};
kith_status place_look_at_endpoint(name_place& self, const name_key& key,
                                   endpoint_claim& out);            // KITH_E_NOT_FOUND
bool place_remove_endpoint(name_place& self, const name_key& key);  // whether it was left over

// ---- wait_many.cpp: waiting for any number of handles --------------------------------------------------------------------------------

enum class wait_for : uint32_t { handle, socket };

// A wait_slot is one handle, and what is waited for. KITH_E_MISMATCH: it cannot be waited for in that way.
kith_status wait_slot_set(wait_slot& slot, wait_for what, int64_t handle, uint32_t events);
void wait_slot_leave_out(wait_slot& slot);  // as is one that was never set
// KITH_OK: at least one of them is ready. KITH_E_TIMEOUT; KITH_E_INTERRUPTED: a signal handler ran; KITH_E_MISMATCH: one of the handles
// cannot be waited for. Callers pass no_deadline only where a handle is sure to end the wait.
kith_status wait_many(wait_slot* slots, size_t count, deadline until);
uint32_t wait_slot_ready(const wait_slot& slot);  // after wait_many: KITH_WAIT_...

// ---- module.cpp: functions as places in files --------------------------------------------------------------------------------

inline constexpr size_t build_identity_size = 32;

// Where a function stands: equal in every process that has the same build of the module, wherever it was loaded.
struct code_place {
  uint64_t offset = 0;  // from the start of the module
  unsigned char identity[build_identity_size] =
      {};     // which build: GNU build id, LC_UUID, or PE stamps; zero-filled
  text path;  // of the module; empty for the program itself
};

kith_status code_locate(kith_entry entry,
                        code_place& out);  // KITH_E_NO_FUNCTION: not in the code of a loaded module
// Loads the module if need be. KITH_E_MISMATCH: there is no module of that build; KITH_E_NO_FUNCTION: no code at that offset.
kith_status code_resolve(const code_place& place, kith_entry& out);

// ---- library.cpp -------------------------------------------------------------------------------------------------------------

// The name by which a process in another working directory loads the library: a path becomes a full one, a bare name stays.
kith_status library_path(const char* library, text& out);
// Loads it, for good, and finds a function that it exports. KITH_E_NOT_FOUND: there is no such library; KITH_E_NOT_A_PROGRAM: it cannot be
// loaded; KITH_E_NO_FUNCTION: it exports no such name.
kith_status symbol_resolve(const char* library, const char* symbol, kith_entry& out);

// ---- stdio.cpp: what the standard streams of a child can be --------------------------------------------------------------------

// Where one stands, as KITH_STDIN, KITH_STDOUT and KITH_STDERR count.
inline constexpr size_t standard_streams = 3;
kith_status stdio_open_null(size_t which, native_handle& out);
// For reading where it is stdin. The file is made where there is none, else emptied unless `append`.
kith_status stdio_open_file(size_t which, const char* path, bool append, native_handle& out);
kith_status stdio_copy(int64_t handle, native_handle& out);    // KITH_E_MISMATCH: it can be no stream
kith_status stdio_copy_own(size_t which, native_handle& out);  // KITH_E_NOT_FOUND: this process has none
// In a forked child: those that are there become its standard streams.
void stdio_install(const native_handle* const (&standard)[standard_streams]);

// ---- pipe.cpp: our ends of the pipes that are standard streams of children ---------------------------------------------------

enum class pipe_use { read, write };  // what we do with our end
// A program expects what is usual: theirs waits in each read and write.
kith_status pipe_create(pipe_use ours, pipe& out, native_handle& theirs);
// Never wait. On KITH_OK it was at least a byte. KITH_E_TIMEOUT: nothing is there, or no room; KITH_E_CLOSED: the other side has ended. No
// SIGPIPE comes of it.
kith_status pipe_read(pipe& self, void* out, size_t capacity, size_t& got);
kith_status pipe_write(pipe& self, const void* data, size_t size, size_t& put);
// Whether a read or write would not be KITH_E_TIMEOUT, as far as the OS tells. From a look that says no on, the handle becomes ready.
bool pipe_is_ready(pipe& self);
size_t pipe_available(pipe& self);  // bytes to be read
// For reading, or for writing as `self` is used. KITH_E_UNSUPPORTED: there is none, and one has to try again and again.
kith_status pipe_poll_handle(pipe& self, int64_t& out);
void pipe_close(pipe& self);
// Neither end is ours: both wait in each call, as programs expect.
kith_status pipe_create_for_children(native_handle& read_end, native_handle& write_end);

// ---- process.cpp, spawn.cpp, exit.cpp ----------------------------------------------------------------------------------------

struct passed_handle {
  const native_handle* handle;
  uint64_t*
      number;  // in the bootstrap segment: the port writes here what the child will know the handle by, before it runs
};

struct child_life {
  bool detached =
      false;  // it lives on when we end; otherwise the OS ends it then, or it does itself: watch_parent
  bool tree = false;  // what it starts is ended with it by process_terminate and process_kill
};

struct spawn_plan {
  const char* const* argv =
      nullptr;  // nullptr: this program again (its argv[0] is then the path of the program)
  const char* const* env =
      nullptr;  // the whole environment, "NAME=value", ends with nullptr; nullptr: this process's own
  const char* cwd = nullptr;                             // nullptr: this process's own
  const native_handle* standard[standard_streams] = {};  // of the child; nullptr: as this process has it
  bool batch_files = false;                              // Windows: argv[0] may be one
  child_life life;
  const native_handle* bootstrap =
      nullptr;  // reaches the child under handle_number(*bootstrap); nullptr: none
  passed_handle* passed = nullptr;
  size_t passed_count = 0;
  // In the bootstrap segment (or nullptr): the port stores the child's pid, at the latest right after the child began; release,
  // pairs with the child's acquire load in boot.
  std::atomic<uint32_t>* child_pid = nullptr;
  // What the bootstrap segment is to hold, with the pid, if it was made by memory_create_unwritten.
  const unsigned char* unwritten = nullptr;
  size_t unwritten_size = 0;
};

// Returns when the program runs, or with the reason why it does not: KITH_E_NOT_FOUND, _NOT_A_PROGRAM, _DENIED, _BAD_CWD.
kith_status process_spawn(const spawn_plan& plan, process& out);

enum class fork_side { parent, child };
kith_status process_fork(const child_life& life, process& out,
                         fork_side& side);  // out is filled in the parent only
// parent.cpp. In a child that is to end with that parent: sees to it, where the OS does not.
void watch_parent(identity parent);
// fork.cpp. In a forked child: the parent's children are not ours, and of its memory we keep the mapping, not the handles.
void process_close_handles(process& self);
void process_disown(process& self);  // its handles are closed, and their numbers may belong to others
void memory_keep_mapping_only(memory& self);

int64_t process_id(const process& self);
// KITH_OK: it has ended (nothing is reaped yet); KITH_E_TIMEOUT; KITH_E_INTERRUPTED: a signal handler ran. Several threads may wait at once.
kith_status process_await(const process& self, deadline until);
// By which its end can be waited for; KITH_E_UNSUPPORTED: this system has none.
kith_status process_poll_handle(const process& self, int64_t& out);
// Reaps a process that has ended. Called once, and not while another call on the process runs. A signal we sent, or its
// stand-in on Windows, is KITH_EXIT_SIGNAL with 15 or 9; the caller knows whether it was us.
void process_collect(process& self, kith_exit& out);
// KITH_OK when it has ended already; after process_collect only for a tree, which these are for as a whole.
kith_status process_terminate(const process& self);
kith_status process_kill(const process& self);
// foreign.cpp: what another process needs to see the end of one of ours. nullptr: who it is is enough.
const native_handle* process_handle(const process& self);
identity process_identity(const process& self);  // not after process_collect; nobody: it cannot be told
// A process that is not our child, to be waited for; nobody has ended. How it ended is told where the OS tells that to others. KITH_E_MISMATCH: the
// handle is none of that process. Moves from it on success only.
kith_status process_open(identity who, native_handle&& handle, process& out);
void process_forget(process& self);  // lets go; a process not collected yet is reaped later, without us

}  // namespace kith::platform
