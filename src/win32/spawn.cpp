// SPDX-License-Identifier: MIT
// Starts a process with exactly the handles that it is given. It inherits the bootstrap section and its
// standard streams, by PROC_THREAD_ATTRIBUTE_HANDLE_LIST; everything else is duplicated into it while it is
// still suspended. So no handle of ours but these few, for the length of one call, can leak into a process
// that somebody else starts at the same time without such a list.
#include <atomic>

#include "../allocator.h"
#include "command_line.h"
#include "environment_block.h"
#include "job.h"
#include "program.h"
#include "win32_error.h"

namespace kith::platform {
namespace {

// For the bootstrap section: the very handle, because the child is told its number already. There is no lock
// around this: every CreateProcessW of ours has a list, so two threads that spawn at once give nothing of
// each other's away, and each has a bootstrap section of its own.
class inheritable_while_in_scope {
 public:
  explicit inheritable_while_in_scope(HANDLE handle) : handle_(handle) { set(HANDLE_FLAG_INHERIT); }
  inheritable_while_in_scope(const inheritable_while_in_scope&) = delete;
  inheritable_while_in_scope& operator=(const inheritable_while_in_scope&) = delete;
  ~inheritable_while_in_scope() { set(0); }

 private:
  void set(DWORD flag) {
    if (handle_ != nullptr) SetHandleInformation(handle_, HANDLE_FLAG_INHERIT, flag);
  }

  HANDLE handle_;
};

// What CreateProcessW is told, but for the handles.
struct launch_texts {
  wide_text program;
  wide_text command_line;
  wide_text environment;
  wide_text cwd;
};

kith_status write_own_program(launch_texts& out) {
  const kith_status status = file_of_module(nullptr, out.program);
  return status == KITH_OK ? make_command_line(out.program, out.command_line) : status;
}

kith_status write_program(const spawn_plan& plan, launch_texts& out) {
  program_kind kind = program_kind::executable;
  kith_status status = find_program(plan.argv[0], out.program, kind);
  if (status != KITH_OK) return status;
  if (kind == program_kind::executable) return make_command_line(plan.argv, out.command_line);
  if (!plan.batch_files) return KITH_E_UNSUPPORTED;
  status = make_batch_line(out.program, plan.argv, out.command_line);
  return status == KITH_OK ? find_command_interpreter(out.program) : status;
}

kith_status write_texts(const spawn_plan& plan, launch_texts& out) {
  kith_status status = plan.argv == nullptr ? write_own_program(out) : write_program(plan, out);
  if (status == KITH_OK && plan.env != nullptr) status = make_environment_block(plan.env, out.environment);
  if (status == KITH_OK && plan.cwd != nullptr) status = find_directory(plan.cwd, out.cwd);
  return status;
}

// The standard streams as the child gets them: duplicates, because only an inheritable handle may be in a
// list, and because a handle may be in it once, while stdout and stderr are often the same.
struct standard_handles {
  native_handle handles[standard_streams];  // not valid: this process does not have that stream
};

kith_status duplicate_standard_handle(HANDLE ours, native_handle& out) {
  if (ours == nullptr || ours == INVALID_HANDLE_VALUE) return KITH_OK;
  const HANDLE me = GetCurrentProcess();
  HANDLE duplicate = nullptr;
  if (!DuplicateHandle(me, ours, me, &duplicate, 0, TRUE, DUPLICATE_SAME_ACCESS)) {
    // A program without a console may have numbers there that mean nothing.
    return GetLastError() == ERROR_INVALID_HANDLE ? KITH_OK : fail_with_last_error();
  }
  out.reset(duplicate);
  return KITH_OK;
}

kith_status duplicate_standard_handles(const spawn_plan& plan, standard_handles& out) {
  constexpr DWORD which[standard_streams] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  for (size_t i = 0; i < standard_streams; ++i) {
    const HANDLE wanted = plan.standard[i] != nullptr ? plan.standard[i]->get() : GetStdHandle(which[i]);
    if (const kith_status status = duplicate_standard_handle(wanted, out.handles[i]); status != KITH_OK) {
      return status;
    }
  }
  return KITH_OK;
}

// For a child that is to outlive us. Suspended it would stay for ever when we are killed, so until it runs it is in a job that ends it when the last handle to
// the job closes, and only we have one. Later the job means nothing, and what the process starts does not join it; unless it is that of a tree, which ends with us,
// or when we say so, or not at all: see process_forget.
class own_job {
 public:
  kith_status create() {
    job_.reset(CreateJobObjectW(nullptr, nullptr));
    if (!job_.valid()) return fail_with_last_error();
    return job_limit(job_, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE) ? KITH_OK : fail_with_last_error();
  }

  // After the process was resumed: killed between the two calls, we take it with us, which is what was in force until then.
  void begin(const child_life& life, process& out) {
    constexpr DWORD nobody_joins = JOB_OBJECT_LIMIT_BREAKAWAY_OK | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    if (life.detached) job_limit(job_, life.tree ? 0 : nobody_joins);
    if (life.tree) out.job = std::move(job_);
  }

  HANDLE get() const { return job_.get(); }

 private:
  native_handle job_;
};

// The job of all children that end with us: when the last handle to it closes, and only we have one. It stays open until this
// process has ended, however that came. What such a child starts does not join it, as on other systems.
constinit std::atomic<HANDLE> job_for_life{nullptr};

kith_status find_job_for_life(HANDLE& out) {
  // Acquire and release: the limit is set before anybody else uses the job.
  out = job_for_life.load(std::memory_order_acquire);
  if (out != nullptr) return KITH_OK;
  native_handle made(CreateJobObjectW(nullptr, nullptr));
  if (!made.valid()) return fail_with_last_error();
  constexpr DWORD limits = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_BREAKAWAY_OK |
                           JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
  if (!job_limit(made, limits)) return fail_with_last_error();
  if (job_for_life.compare_exchange_strong(out, made.get(), std::memory_order_acq_rel)) out = made.release();
  return KITH_OK;
}

// The jobs that a child begins in, the outer first.
struct job_list {
  HANDLE jobs[2] = {};
  size_t count = 0;
  void add(HANDLE job) { jobs[count++] = job; }
};

// STARTUPINFOEXW with the list of handles and the job, which it points into.
class startup {
 public:
  startup() = default;
  startup(const startup&) = delete;
  startup& operator=(const startup&) = delete;
  ~startup() {
    if (initialised_) DeleteProcThreadAttributeList(info_.lpAttributeList);
    deallocate(info_.lpAttributeList);
  }

  void set_standard_handles(const standard_handles& standard) {
    for (const native_handle& handle : standard.handles) add(handle.get());
    // A process that has none of them gives none, and a console program then gets those of its new console.
    if (count_ == 0) return;
    info_.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    info_.StartupInfo.hStdInput = standard.handles[0].get();
    info_.StartupInfo.hStdOutput = standard.handles[1].get();
    info_.StartupInfo.hStdError = standard.handles[2].get();
  }

  void add(HANDLE handle) {
    if (handle != nullptr) handles_[count_++] = handle;
  }

  // To be called when all handles are in.
  kith_status finish(const job_list& jobs) {
    info_.StartupInfo.cb = sizeof(info_);
    jobs_ = jobs;
    const DWORD attributes = count_ == 0 ? 1 : 2;
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(nullptr, attributes, 0, &size);  // fails, and tells the size
    info_.lpAttributeList = static_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(allocate(size));
    if (info_.lpAttributeList == nullptr) return KITH_E_NO_MEMORY;
    if (!InitializeProcThreadAttributeList(info_.lpAttributeList, attributes, 0, &size)) {
      return fail_with_last_error();
    }
    initialised_ = true;
    if (!set(PROC_THREAD_ATTRIBUTE_JOB_LIST, jobs_.jobs, jobs_.count * sizeof(HANDLE)))
      return fail_with_last_error();
    if (count_ == 0) return KITH_OK;  // an empty list is refused; without any, nothing is inherited either
    if (!set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles_, count_ * sizeof(HANDLE)))
      return fail_with_last_error();
    return all_inheritable() ? KITH_OK : fail(ERROR_INVALID_PARAMETER);
  }

  bool inherits() const { return count_ != 0; }
  STARTUPINFOW* info() { return &info_.StartupInfo; }

 private:
  // Windows refuses a list with a handle that is not inheritable; Wine 8 takes it.
  bool all_inheritable() const {
    for (size_t i = 0; i < count_; ++i) {
      DWORD flags = 0;
      if (!GetHandleInformation(handles_[i], &flags) || (flags & HANDLE_FLAG_INHERIT) == 0) return false;
    }
    return true;
  }

  bool set(DWORD_PTR attribute, void* value, SIZE_T size) {
    return UpdateProcThreadAttribute(info_.lpAttributeList, 0, attribute, value, size, nullptr, nullptr) != 0;
  }

  STARTUPINFOEXW info_ = {};
  job_list jobs_;
  HANDLE handles_[standard_streams + 1] = {};
  size_t count_ = 0;
  bool initialised_ = false;
};

// A process that has not run yet. It is ended unless it is released.
class suspended_process {
 public:
  suspended_process() = default;
  suspended_process(const suspended_process&) = delete;
  suspended_process& operator=(const suspended_process&) = delete;
  ~suspended_process() {
    if (!process_.valid()) return;
    TerminateProcess(process_.get(), 1);
    // So that nothing of it is left when the error is told. It ran no code of its own, so this is a matter of
    // milliseconds.
    WaitForSingleObject(process_.get(), 1000);
  }

  kith_status create(launch_texts& texts, startup& start) {
    const auto pointer = [](wide_text& text) { return text.empty() ? nullptr : text.data(); };
    constexpr DWORD flags = CREATE_SUSPENDED | EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT;
    PROCESS_INFORMATION made = {};
    if (!CreateProcessW(texts.program.data(), texts.command_line.data(), nullptr, nullptr, start.inherits(),
                        flags, pointer(texts.environment), pointer(texts.cwd), start.info(), &made)) {
      return fail_with_last_error();
    }
    process_.reset(made.hProcess);
    thread_.reset(made.hThread);
    pid_ = made.dwProcessId;
    return KITH_OK;
  }

  kith_status push(const passed_handle& passed) {
    HANDLE theirs = nullptr;
    if (!DuplicateHandle(GetCurrentProcess(), passed.handle->get(), process_.get(), &theirs, 0, FALSE,
                         DUPLICATE_SAME_ACCESS)) {
      return fail_with_last_error();
    }
    *passed.number = reinterpret_cast<uintptr_t>(theirs);
    return KITH_OK;
  }

  kith_status resume() {
    return ResumeThread(thread_.get()) == static_cast<DWORD>(-1) ? fail_with_last_error() : KITH_OK;
  }

  void release(process& out) {
    out.pid = pid_;
    out.handle = std::move(process_);
  }

  uint32_t pid() const { return pid_; }

 private:
  native_handle process_;
  native_handle thread_;
  uint32_t pid_ = 0;
};

kith_status create_suspended(const spawn_plan& plan, launch_texts& texts, const job_list& jobs,
                             suspended_process& child) {
  standard_handles standard;
  kith_status status = duplicate_standard_handles(plan, standard);
  if (status != KITH_OK) return status;
  const HANDLE bootstrap = plan.bootstrap == nullptr ? nullptr : plan.bootstrap->get();
  const inheritable_while_in_scope inheritable(bootstrap);
  startup start;
  start.set_standard_handles(standard);
  start.add(bootstrap);
  status = start.finish(jobs);
  return status == KITH_OK ? child.create(texts, start) : status;
}

kith_status choose_jobs(const child_life& life, own_job& own, job_list& out) {
  if (!life.detached) {
    HANDLE for_life = nullptr;
    if (const kith_status status = find_job_for_life(for_life); status != KITH_OK) return status;
    out.add(for_life);
  }
  if (!life.detached && !life.tree) return KITH_OK;
  const kith_status status = own.create();
  out.add(own.get());
  return status;
}

kith_status push_handles(const spawn_plan& plan, suspended_process& child) {
  for (size_t i = 0; i < plan.passed_count; ++i) {
    if (const kith_status status = child.push(plan.passed[i]); status != KITH_OK) return status;
  }
  return KITH_OK;
}

}  // namespace

kith_status process_spawn(const spawn_plan& plan, process& out) {
  launch_texts texts;
  suspended_process child;
  kith_status status = write_texts(plan, texts);
  own_job own;
  job_list jobs;
  if (status == KITH_OK) status = choose_jobs(plan.life, own, jobs);
  if (status == KITH_OK) status = create_suspended(plan, texts, jobs, child);
  if (status == KITH_OK) status = push_handles(plan, child);
  if (status != KITH_OK) return status;
  // Release: a child that sees its pid sees the numbers of its handles. Pairs with the acquire in boot.
  if (plan.child_pid != nullptr) plan.child_pid->store(child.pid(), std::memory_order_release);
  status = child.resume();
  if (status != KITH_OK) return status;
  own.begin(plan.life, out);
  child.release(out);
  return KITH_OK;
}

}  // namespace kith::platform
