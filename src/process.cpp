// SPDX-License-Identifier: MIT
#include <kith/kith.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "allocator.h"
#include "boot.h"
#include "channel.h"
#include "child.h"
#include "child_stdio.h"
#include "entry.h"
#include "environment.h"
#include "host.h"
#include "mutex.h"
#include "object.h"
#include "object_transfer.h"
#include "options.h"
#include "parent.h"
#include "readiness.h"
#include "segment_object.h"
#include "waiting.h"

namespace kith {

namespace {

constexpr uint64_t longest_slice_ns = 100 * ns_per_ms;
constexpr int64_t code_of_terminate = 15;
constexpr int64_t code_of_kill = 9;

struct process_object : object {
  identity parent;  // who started it; in a forked child, the copy of the object is good for close only
  platform::process process;
  process_streams streams;
  shm::segment
      boot;  // what the child was told, if anything: says how far it came, and carries the request to stop
  platform::bells stop_bells;
  text name;
  bool runs_function = false;
  bool hosted = false;  // of a library, by kith-host
  bool tree = false;
  bool foreign = false;  // started by somebody else: good for waiting

  std::atomic<bool> collected{
      false};  // release, after `exit` is written; acquire by whoever reads it without the mutex

  // Guarded by the library mutex.
  bool asked = false;   // kith_process_terminate
  bool killed = false;  // kith_process_kill
  kith_exit exit{};
};

void destroy(object* object) {
  process_object* self = static_cast<process_object*>(object);
  if (self->parent == platform::self()) {
    platform::process_forget(self->process);
  } else {
    platform::process_disown(self->process);
  }
  shm::segment_close(self->boot);
  unmake(self);
}

constexpr object_class process_class{object_kind::process, nullptr, destroy};

// ---- what to run -------------------------------------------------------------------------------------------------------------

kith_status check(const kith_process_options& wanted) {
  const int things = (wanted.argv != nullptr) + (wanted.entry != nullptr) + (wanted.entry_name != nullptr) +
                     (wanted.library != nullptr);
  if (things != 1 || wanted.reserved != 0 || !host_options_are_sound(wanted)) return KITH_E_INVALID;
  if (wanted.argv != nullptr && (wanted.argv[0] == nullptr || wanted.argv[0][0] == '\0'))
    return KITH_E_INVALID;
  if (wanted.argument == nullptr && wanted.argument_size != 0) return KITH_E_INVALID;
  if (wanted.argv != nullptr && wanted.argument_size != 0) return KITH_E_INVALID;
  if (wanted.entry_name != nullptr && !name_is_valid(wanted.entry_name)) return KITH_E_INVALID;
  if (wanted.name != nullptr && !name_is_valid(wanted.name)) return KITH_E_INVALID;
  if (wanted.start > KITH_START_FORK) return KITH_E_UNSUPPORTED;
  const bool forks = wanted.start == KITH_START_FORK;
  const bool new_program = wanted.argv != nullptr || wanted.library != nullptr;
  if (forks && (new_program || !platform::has(KITH_HAS_FORK))) return KITH_E_UNSUPPORTED;
  if (!forks && (wanted.flags & KITH_PROCESS_KEEP_DESCRIPTORS) != 0) return KITH_E_INVALID;
  // A forked child has its parent's environment and directory, as it has all of its memory.
  const bool changes =
      wanted.env != nullptr || wanted.cwd != nullptr || (wanted.flags & KITH_PROCESS_CLEAN_ENV) != 0;
  return forks && changes ? KITH_E_UNSUPPORTED : KITH_OK;
}

kith_status plan_boot(const kith_process_options& wanted, const process_object& self, boot_plan& out) {
  out.own_name = self.name.data();
  out.ends_with_parent = (wanted.flags & KITH_PROCESS_DETACHED) == 0;
  out.argument = wanted.argument;
  out.argument_size = wanted.argument_size;
  if (wanted.entry_name != nullptr) {
    kith_entry registered = nullptr;
    out.run = shm::run_kind::name;
    out.entry_name = wanted.entry_name;
    return entry_find(wanted.entry_name, registered);
  }
  if (wanted.library != nullptr) return host_plan(wanted, out);
  if (wanted.entry == nullptr) return KITH_OK;
  out.run = shm::run_kind::code;
  return platform::code_locate(wanted.entry, out.place);
}

kith_status give_name(const kith_process_options& wanted, text& out) {
  const char* name = wanted.name != nullptr ? wanted.name : wanted.entry_name;
  if (name == nullptr) name = wanted.symbol;
  if (name == nullptr) name = wanted.argv != nullptr ? file_of(wanted.argv[0]) : file_of(program_path());
  const size_t length = std::strlen(name);
  return assign(out, name, length < longest_name ? length : longest_name) ? KITH_OK : KITH_E_NO_MEMORY;
}

// ---- starting ----------------------------------------------------------------------------------------------------------------

kith_status make_process(void** out_handle, process_object** out) {
  process_object* self = make<process_object>();
  if (self == nullptr) return KITH_E_NO_MEMORY;
  self->type = &process_class;
  self->parent = platform::self();
  void* handle = handle_open(self);
  if (handle == nullptr) {
    unmake(self);
    return KITH_E_NO_MEMORY;
  }
  *out_handle = handle;
  *out = self;
  return KITH_OK;
}

platform::child_life life_of(const kith_process_options& wanted) {
  return {(wanted.flags & KITH_PROCESS_DETACHED) != 0, (wanted.flags & KITH_PROCESS_TREE) != 0};
}

// What the parent keeps of it: the child has the handles. Of what was only written the handle is kept, to look at it at the end; but a program that
// has many descriptors may have no more of them.
void keep_boot(boot_segment& boot, process_object& self) {
  constexpr uint64_t many = 256;
  self.boot = std::move(boot.segment);
  self.stop_bells = std::move(boot.stop_bells);
  if (self.boot.memory.base == nullptr) {
    self.boot.state = self.boot.data = nullptr;  // they were in `boot`
    if (platform::handle_number(self.boot.memory.object) >= many) (void)boot_map(self.boot);
  } else {
    platform::memory_keep_mapping_only(self.boot.memory);
  }
}

kith_status start_program(const kith_process_options& wanted, given_shares& shares, const stdio_plan& streams,
                          process_object& self) {
  boot_plan plan;
  if (kith_status status = plan_boot(wanted, self, plan); status != KITH_OK) return status;
  platform::spawn_plan spawn;
  boot_segment boot;
  self.runs_function = plan.run != shm::run_kind::program;
  const bool needs_boot = self.runs_function || !shares.list().empty() || wanted.name != nullptr;
  if (needs_boot) {
    if (kith_status status = boot_write(plan, shares, boot); status != KITH_OK) return status;
    boot_hand_over(boot, spawn);
  }
  environment variables;
  const bool clean = (wanted.flags & KITH_PROCESS_CLEAN_ENV) != 0;
  kith_status status = KITH_OK;
  if (needs_boot || clean || wanted.env != nullptr) {
    status = environment_build(clean, wanted.env, needs_boot ? boot.variable.data() : nullptr, variables);
    spawn.env = variables.lines.data();
  }
  streams.fill_in(spawn.standard);
  spawn.argv = wanted.argv;
  spawn.cwd = wanted.cwd;
  spawn.life = life_of(wanted);
  spawn.batch_files = (wanted.flags & KITH_PROCESS_BATCH_FILES) != 0;
  if (status == KITH_OK) {
    self.hosted = wanted.library != nullptr;
    status =
        self.hosted ? host_spawn(wanted, spawn, self.process) : platform::process_spawn(spawn, self.process);
  }
  if (needs_boot && status == KITH_OK) keep_boot(boot, self);
  if (needs_boot && status != KITH_OK) shm::segment_close(boot.segment);
  return status;
}

// The function was looked for in this process, which is the same program: the child need not look again.
KITH_IN_FORKED_CHILD kith_status start_fork(const kith_process_options& wanted, given_shares& shares,
                                            const stdio_plan& streams, process_object& self) {
  boot_plan plan;
  plan.run = shm::run_kind::name;
  plan.entry_name = wanted.entry_name != nullptr ? wanted.entry_name : "-";
  plan.argument = wanted.argument;
  plan.argument_size = wanted.argument_size;
  plan.own_name = self.name.data();
  plan.ends_with_parent = (wanted.flags & KITH_PROCESS_DETACHED) == 0;
  plan.can_be_asked = (wanted.flags & KITH_PROCESS_STOP_EVENT) != 0;
  kith_entry entry = wanted.entry;
  if (entry == nullptr) {
    if (kith_status status = entry_find(wanted.entry_name, entry); status != KITH_OK) return status;
  }
  boot_segment boot;
  if (kith_status status = boot_write_for_fork(plan, shares, boot); status != KITH_OK) return status;
  platform::flush_standard_streams();  // or the child would write once more what is still in their buffers
  platform::fork_side side = platform::fork_side::parent;
  kith_status status = platform::process_fork(life_of(wanted), self.process, side);
  if (status == KITH_OK && side == platform::fork_side::child) {
    const platform::native_handle* standard[platform::standard_streams];
    streams.fill_in(standard);
    platform::stdio_install(standard);
    child_run_forked(boot, entry, (wanted.flags & KITH_PROCESS_KEEP_DESCRIPTORS) != 0);
  }
  if (plan.can_be_asked && status == KITH_OK) keep_boot(boot, self);
  if (plan.can_be_asked && status != KITH_OK) shm::segment_close(boot.segment);
  return status;
}

bool is_ours(const process_object& self) { return self.parent == platform::self(); }

// ---- the end -----------------------------------------------------------------------------------------------------------------

// Makes of what the OS says what the user asked to know.
void explain(const process_object& self, kith_exit& end) {
  const bool by_us =
      (self.asked && end.code == code_of_terminate) || (self.killed && end.code == code_of_kill);
  if (end.kind == KITH_EXIT_SIGNAL && by_us) end.kind = KITH_EXIT_KILLED;
  if (end.kind != KITH_EXIT_CODE || !self.runs_function) return;
  const boot_report report = boot_read_report(self.boot);
  if (report.progress == shm::child_started) {
    end.kind = self.hosted ? KITH_EXIT_NO_ENTRY : KITH_EXIT_NO_CHILD_MAIN;
    if (self.hosted)
      end.code = KITH_E_MISMATCH;  // it could not read what we wrote, or it is some other program
  } else if (report.no_entry != KITH_OK) {
    end.kind = KITH_EXIT_NO_ENTRY;
    end.code = report.no_entry;
  }
}

// In slices: what ends the wait early does not wake it.
kith_status await_end(const process_object& self, const shm::patience& limits) {
  shm::waiter waiting(limits);
  while (!self.collected.load(std::memory_order_acquire)) {
    const uint64_t now = platform::clock_now();
    const deadline slice = earlier(limits.until, deadline_after(now, longest_slice_ns));
    const kith_status status = platform::process_await(self.process, slice);
    const bool goes_on = status == KITH_E_TIMEOUT || (status == KITH_E_INTERRUPTED && !limits.interruptible);
    if (!goes_on) return status;
    if (const kith_status stop = waiting.must_stop(platform::clock_now()); stop != KITH_OK) return stop;
  }
  return KITH_OK;
}

// The child has ended; what it started may live.
void end_rest_of_tree(process_object& self) {
  const library_guard guard;
  if (self.tree) (void)platform::process_kill(self.process);
}

kith_exit collect(process_object& self) {
  library_guard guard;
  if (!self.collected.load(std::memory_order_relaxed)) {
    platform::process_collect(self.process, self.exit);
    explain(self, self.exit);
    self.collected.store(true, std::memory_order_release);
  }
  return self.exit;
}

// What the OS is told to do with a process, and where we note that we told it.
struct demand {
  kith_status (*send)(const platform::process&);
  bool process_object::*mark;
};
constexpr demand to_end{platform::process_terminate, &process_object::asked};
constexpr demand to_die{platform::process_kill, &process_object::killed};

// Tells the child to stop. False: it does not look for that.
bool ask_to_stop(process_object& self) {
  if (!boot_map(self.boot)) return false;
  shm::bootstrap_state& boot = *reinterpret_cast<shm::bootstrap_state*>(self.boot.state);
  shm::event_set(boot.stop, self.boot.waiting, &self.stop_bells);
  // With the child's, which says that it looks and then looks: either it sees the event set, or we see that it looks.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return boot.hears.load(std::memory_order_relaxed) != 0;
}

kith_status issue(const demand& wanted, process_object& self) {
  if (self.foreign) return KITH_E_DENIED;
  library_guard guard;  // not while another thread reaps: the pid would be free for somebody else
  const bool has_ended = self.collected.load(std::memory_order_relaxed);
  if (has_ended && !self.tree) return KITH_OK;
  if (wanted.mark == &process_object::asked && !has_ended && ask_to_stop(self)) return KITH_OK;
  const kith_status status = wanted.send(self.process);
  if (status == KITH_OK) self.*wanted.mark = true;
  return status;
}

kith_status issue(const demand& wanted, kith_process* process) {
  pinned<process_object> self(process, object_kind::process);
  if (self.status() != KITH_OK) return self.status();
  return is_ours(*self) ? issue(wanted, *self) : KITH_E_INVALID;
}

kith_status await_end(const process_object& self, int64_t timeout_ms) {
  const call_patience limits(timeout_ms, self);
  return await_end(self, limits);
}

// One rung of the ladder: `before` is how the last one ended.
kith_status demand_and_await(const demand& wanted, process_object& self, int64_t timeout_ms,
                             kith_status before) {
  if (before != KITH_E_TIMEOUT || timeout_ms == 0) return before;
  const kith_status status = issue(wanted, self);
  return status == KITH_OK ? await_end(self, timeout_ms) : status;
}

}  // namespace

bool process_is_ours(const object& self) { return is_ours(static_cast<const process_object&>(self)); }

process_streams& streams_of(object& process) { return static_cast<process_object&>(process).streams; }

kith_exit process_reap(object& process) { return collect(static_cast<process_object&>(process)); }

bool process_has_ended(object& object) {
  const process_object& self = static_cast<process_object&>(object);
  return self.collected.load(std::memory_order_acquire) ||
         platform::process_await(self.process, at_once) == KITH_OK;
}

kith_status process_handle_to_poll(object& self, int64_t& out) {
  return platform::process_poll_handle(static_cast<process_object&>(self).process, out);
}

// With the mutex: who reaps it makes its pid free for somebody else.
kith_status process_describe(object& object, process_label& out) {
  const process_object& self = static_cast<process_object&>(object);
  if (!is_ours(self)) return KITH_E_INVALID;
  const library_guard guard;
  out.handle = platform::process_handle(self.process);
  out.who = {};
  const bool is_known = out.handle != nullptr || !self.collected.load(std::memory_order_relaxed);
  if (is_known) out.who = platform::process_identity(self.process);
  return KITH_OK;
}

kith_status process_open_foreign(identity who, platform::native_handle&& handle, void** out) {
  void* made = nullptr;
  process_object* self = nullptr;
  if (kith_status status = make_process(&made, &self); status != KITH_OK) return status;
  self->foreign = true;
  const kith_status status = platform::process_open(who, std::move(handle), self->process);
  if (status == KITH_OK) {
    *out = made;
  } else {
    handle_close(made, object_kind::process);
  }
  return status;
}

// Without writing to those that have none, which is the rule: the page would be copied.
KITH_IN_FORKED_CHILD void process_keep_mappings() {
  handle_for_each(
      object_kind::process,
      [](void*, object& object, void*) {
        process_object& self = static_cast<process_object&>(object);
        if (platform::bells_handle(self.stop_bells, 0).valid()) self.stop_bells = {};
        if (self.boot.memory.object.valid()) platform::memory_keep_mapping_only(self.boot.memory);
      },
      nullptr);
}

void process_forget_all() {
  handle_for_each(
      object_kind::process,
      [](void* handle, object& object, void*) {
        platform::process_close_handles(static_cast<process_object&>(object).process);
        handle_close(handle, object_kind::process);
      },
      nullptr);
}

}  // namespace kith

using namespace kith;

kith_status kith_process_spawn(const kith_process_options* options, kith_process** out) {
  if (options == nullptr || out == nullptr) return KITH_E_INVALID;
  kith_process_options wanted;
  constexpr uint32_t known = KITH_PROCESS_CLEAN_ENV | KITH_PROCESS_KEEP_DESCRIPTORS |
                             KITH_PROCESS_BATCH_FILES | KITH_PROCESS_DETACHED | KITH_PROCESS_TREE |
                             KITH_PROCESS_STOP_EVENT;
  if (kith_status status = read_options(options, wanted, known); status != KITH_OK) return status;
  if (boot_run() != shm::run_kind::program && !boot_taken_over()) return KITH_E_NO_CHILD_MAIN;
  if (kith_status status = check(wanted); status != KITH_OK) return status;
  given_shares shares;
  if (kith_status status = shares.add_all(wanted.shares, wanted.share_count); status != KITH_OK)
    return status;
  stdio_plan streams;
  if (kith_status status = streams.prepare(wanted); status != KITH_OK) return status;
  void* handle = nullptr;
  process_object* self = nullptr;
  kith_status status = make_process(&handle, &self);
  if (status != KITH_OK) return status;
  self->tree = (wanted.flags & KITH_PROCESS_TREE) != 0;
  const bool forks = wanted.start == KITH_START_FORK;
  status = give_name(wanted, self->name);
  if (status == KITH_OK) {
    status =
        forks ? start_fork(wanted, shares, streams, *self) : start_program(wanted, shares, streams, *self);
  }
  if (status != KITH_OK) {
    handle_close(handle, object_kind::process);
    return status;
  }
  shares.moved();
  streams.move_to(self->streams);
  *out = static_cast<kith_process*>(handle);
  return KITH_OK;
}

kith_status kith_process_wait(kith_process* process, int64_t timeout_ms, kith_exit* out) {
  pinned<process_object> self(process, object_kind::process);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms) || out == nullptr || !is_ours(*self)) return KITH_E_INVALID;
  if (kith_status status = await_end(*self, timeout_ms); status != KITH_OK) return status;
  *out = collect(*self);
  return KITH_OK;
}

kith_status kith_process_stop(kith_process* process, int64_t wait_ms, int64_t terminate_ms, int64_t kill_ms,
                              kith_exit* out) {
  pinned<process_object> self(process, object_kind::process);
  if (self.status() != KITH_OK) return self.status();
  const bool sound = timeout_is_valid(wait_ms) && timeout_is_valid(terminate_ms) && timeout_is_valid(kill_ms);
  if (!sound || out == nullptr || !is_ours(*self)) return KITH_E_INVALID;
  kith_status status = await_end(*self, wait_ms);
  status = demand_and_await(to_end, *self, terminate_ms, status);
  status = demand_and_await(to_die, *self, kill_ms, status);
  if (status != KITH_OK) return status;
  end_rest_of_tree(*self);
  *out = collect(*self);
  return KITH_OK;
}

kith_status kith_process_terminate(kith_process* process) { return issue(to_end, process); }

kith_status kith_process_kill(kith_process* process) { return issue(to_die, process); }

int64_t kith_process_id(const kith_process* process) {
  object* found = nullptr;
  if (handle_find(process, object_kind::process, found) != KITH_OK) return -1;
  return platform::process_id(static_cast<process_object*>(found)->process);
}

const char* kith_process_name(const kith_process* process) {
  object* found = nullptr;
  if (handle_find(process, object_kind::process, found) != KITH_OK) return nullptr;
  const text& name = static_cast<process_object*>(found)->name;
  return name.empty() ? "" : name.data();
}

void kith_process_close(kith_process* process) { handle_close(process, object_kind::process); }
