/* SPDX-License-Identifier: MIT
 *
 * kith: co-operating processes. The whole public API, C99, to be read from top to bottom.
 *
 * CONVENTIONS
 *
 * Ownership  What `create`, `spawn` and `inherit` give you is yours: end it with the matching `close`, which takes NULL.
 *            Every other pointer is borrowed. Handles are opaque values; never look behind one.
 *            `close` may be called twice, from any thread, from a finaliser; it never blocks (but see "names"). A call with a handle that has
 *            been closed answers KITH_E_INVALID, with a handle of another kind KITH_E_MISMATCH. Threads that wait in a call on
 *            the object meanwhile come back with KITH_E_CLOSED. Only one thing is forbidden: to begin a call in one thread at the
 *            very moment when another thread closes the same handle.
 * Status     0 succeeded; negative failed: out parameters are untouched, there is nothing to clean up and nothing is lost;
 *            positive succeeded with news. The numbers are the same on every OS and never change.
 * Options    By pointer; NULL means all defaults, and so does zero in any field. `struct_size` comes first: set it to
 *            sizeof the struct. A larger struct (from a newer header) is accepted when the part that this library does not know
 *            is zero (else KITH_E_UNSUPPORTED); a smaller one than the first release had is KITH_E_INVALID. A flag that
 *            this library does not know is KITH_E_UNSUPPORTED.
 * Time       Timeouts are milliseconds: KITH_FOREVER waits without end, 0 polls; any other negative number is KITH_E_INVALID.
 *            They are measured on a monotonic clock: setting the wall clock changes none of them.
 * Text       UTF-8 on every OS, ends with NUL. Sizes are bytes.
 * Threads    Every function may be called from any thread at any time, except where its comment says otherwise.
 * Quietness  The library prints nothing, never aborts, installs no signal handler, runs no callback except where a call says so, in
 *            the thread that made the call. It has no threads but these: on POSIX one while a child runs on after kith_process_close,
 *            to reap it; on macOS and BSD one in a child, to end it when its parent ends. No signal is handled in them, and a fork
 *            does not mind them.
 */
#ifndef KITH_KITH_H
#define KITH_KITH_H

#include <stddef.h>
#include <stdint.h>

/* Define KITH_SHARED when you link the shared library on Windows. (KITH_BUILDING is for kith's own build.) */
#if defined(_WIN32) && defined(KITH_SHARED)
#if defined(KITH_BUILDING)
#define KITH_API __declspec(dllexport)
#else
#define KITH_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define KITH_API __attribute__((visibility("default")))
#else
#define KITH_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ==== status ======================================================================================================== */

typedef int32_t kith_status;

enum {
  KITH_OK = 0,

  /* News: the call succeeded. */
  KITH_OWNER_DIED = 1, /* you hold the lock or permit, but a process died while it held it: check or repair what it protects */
  KITH_NOT_EQUAL = 2,  /* compare_exchange: the element had another value, which was written to *expected */
  KITH_LAST = 3,       /* you were the last to arrive at the barrier: all have been let go */
  KITH_MISSED = 4,     /* the reader of a broadcast was too slow, and has missed messages */

  /* Failures. */
  KITH_E_INVALID = -1,       /* an argument is wrong: NULL, zero, out of range, contradictory, or a closed handle */
  KITH_E_NO_MEMORY = -2,     /* no memory, or no address space, for what was asked */
  KITH_E_TIMEOUT = -3,       /* the deadline passed; nothing was done */
  KITH_E_CLOSED = -4,        /* the other side (or another thread of yours) has closed it in good order */
  KITH_E_PEER_DIED = -5,     /* the process at the other end ended without closing it */
  KITH_E_TOO_LARGE = -6,     /* larger than the buffer (the message is kept) or than this machine can address */
  KITH_E_NOT_FOUND = -7,     /* there is no program, function or share of that name */
  KITH_E_DENIED = -8,        /* the OS does not allow it to this user */
  KITH_E_LIMIT = -9,         /* out of descriptors, handles or processes (a limit of the OS); or the bound of a semaphore is reached */
  KITH_E_UNSUPPORTED = -10,  /* this OS, or this version of the library, cannot do it */
  KITH_E_OS = -11,           /* the OS failed in a way that has no status of its own: see kith_os_error */
  KITH_E_EXISTS = -12,       /* the name is already in use */
  KITH_E_NOT_OWNER = -13,    /* the lock is not held by the calling thread, or no permit by this process */
  KITH_E_MISMATCH = -14,     /* another kind, type, size or build than was expected */
  KITH_E_PROTOCOL = -15,     /* the peer wrote what kith does not write; the channel is good only for close */
  KITH_E_MOVED = -16,        /* the channel end, or the share of that name, was already handed on */
  KITH_E_DEADLOCK = -17,     /* the calling thread holds this lock already: it would wait for itself */
  KITH_E_NO_CHILD_MAIN = -18, /* this process was started to run one function, but main never called kith_child_main */
  KITH_E_NO_FUNCTION = -19,  /* `entry` does not point into the code of the program or of a library that is loaded */
  KITH_E_NOT_A_PROGRAM = -20, /* the file is there but the OS cannot run it: a directory, or of an unknown format */
  KITH_E_BAD_CWD = -21,      /* the working directory for the child does not exist or cannot be entered */
  KITH_E_BUSY = -22,         /* it cannot be handed on now: a message is half received; or another thread is using it */
  KITH_E_INTERRUPTED = -23,  /* a signal handler ran while the thread waited, which had asked to be told: see kith_wait_interruptible */
  KITH_E_CANCELLED = -24,    /* the kith_cancel that the thread uses has been fired */
  KITH_E_BROKEN = -25,       /* a party of the barrier died, timed out or aborted it: see kith_barrier_reset */
  KITH_E_WORKER_DIED = -26,  /* the worker of the pool ended over this task, or no worker can be started */
  KITH_E_NO_HOST = -29,      /* kith-host, which runs functions of libraries, is not where it is looked for: see kith_process_options.host */
  KITH_E_WRONG_KEY = -30     /* the other side of a connection does not know the key, or one side has none */
};

/* Names a status, as in "KITH_E_TIMEOUT".
 * Returns: a static string, never NULL; "KITH_E_?" for a number that is no status.
 * Threads: any. Since: 0.1 */
KITH_API const char *kith_status_name(kith_status status);

/* Explains a status in a sentence, and says what to do where that can be said.
 * Returns: a static string, never NULL.
 * Threads: any. Since: 0.1 */
KITH_API const char *kith_status_text(kith_status status);

/* Gives the OS's own number (errno, GetLastError) behind the latest failure of a kith call in this thread, for logs.
 * A call that succeeds, or that fails without the OS having failed, leaves the number as it was.
 * Returns: the number; 0 when no call of this thread has failed in the OS.
 * Threads: each thread has its own. Platforms: the numbers differ; compare statuses, never these. Since: 0.1 */
KITH_API int32_t kith_os_error(void);

/* ==== version ======================================================================================================= */

#define KITH_VERSION_MAJOR 0
#define KITH_VERSION_MINOR 1
#define KITH_VERSION_PATCH 0

enum {
  KITH_VERSION = KITH_VERSION_MAJOR * 10000 + KITH_VERSION_MINOR * 100 + KITH_VERSION_PATCH,
  KITH_ABI_VERSION = 0 /* grows when a program must be compiled again */
};

/* Gives the version of the library in use, to be compared with KITH_VERSION of the header.
 * Returns: major * 10000 + minor * 100 + patch. Threads: any. Since: 0.1 */
KITH_API int32_t kith_version(void);

/* Gives the binary interface of the library in use. A program that was compiled with another KITH_ABI_VERSION must not use it.
 * Returns: KITH_ABI_VERSION as the library was built. Threads: any. Since: 0.1 */
KITH_API int32_t kith_abi_version(void);

enum {
  KITH_HAS_FORK = 1,            /* KITH_START_FORK works */
  KITH_HAS_SEALED_MEMORY = 2,   /* no peer can shrink shared memory under us */
  KITH_HAS_READ_ONLY_SHARE = 3, /* KITH_MEMORY_READ_ONLY_SHARE is enforced by the OS */
  KITH_HAS_PROCESS_HANDLE = 4   /* processes are watched through a handle that no pid reuse can fool */
};

/* Asks whether this library, on this OS as it runs now, has a feature (KITH_HAS_...).
 * Returns: 1 yes, 0 no or not a feature. Threads: any. Since: 0.1 */
KITH_API int32_t kith_has(int32_t feature);

/* ==== common ======================================================================================================== */

enum { KITH_FOREVER = -1 };

typedef struct kith_process kith_process;
typedef struct kith_memory kith_memory;
typedef struct kith_array kith_array;
typedef struct kith_value kith_value;
typedef struct kith_lock kith_lock;
typedef struct kith_semaphore kith_semaphore;
typedef struct kith_condition kith_condition;
typedef struct kith_event kith_event;
typedef struct kith_barrier kith_barrier;
typedef struct kith_cancel kith_cancel;
typedef struct kith_channel kith_channel;
typedef struct kith_queue kith_queue;
typedef struct kith_os_handle kith_os_handle;
typedef struct kith_broadcast kith_broadcast;
typedef struct kith_reader kith_reader;
typedef struct kith_endpoint kith_endpoint;
typedef struct kith_stream kith_stream;

/* What an element of an array, or a value, is. */
typedef int32_t kith_type;

enum {
  KITH_I8 = 1,
  KITH_U8 = 2,
  KITH_I16 = 3,
  KITH_U16 = 4,
  KITH_I32 = 5,
  KITH_U32 = 6,
  KITH_I64 = 7,
  KITH_U64 = 8,
  KITH_F32 = 9,
  KITH_F64 = 10,
  KITH_STRUCT = 11 /* bytes of your own meaning; the size is given in the options */
};

/* ==== sharing ======================================================================================================= */

/* An object, and the name by which the child asks for it.
 *
 * Memory, arrays, values, locks, semaphores, conditions, events, barriers, queues and broadcasts are shared by giving: parent and child then
 * hold them alike. A channel end is moved: the child is its holder from then on, and the parent's handle is only good for close. If the spawn fails,
 * nothing has moved.
 * An object may be given under several names, a channel end under one. Names are 1 to 255 bytes of UTF-8. */
typedef struct kith_share {
  const char *name;
  const void *object; /* a handle of any of these kinds */
} kith_share;

/* What an object is, where that is told at run time: see kith_channel_recv_object. */
enum {
  KITH_OBJECT_NONE = 0,
  KITH_OBJECT_PROCESS = 1,
  KITH_OBJECT_MEMORY = 2,
  KITH_OBJECT_ARRAY = 3,
  KITH_OBJECT_VALUE = 4,
  KITH_OBJECT_LOCK = 5,
  KITH_OBJECT_CHANNEL = 6,
  KITH_OBJECT_SEMAPHORE = 7,
  KITH_OBJECT_CONDITION = 8,
  KITH_OBJECT_EVENT = 9,
  KITH_OBJECT_BARRIER = 10,
  KITH_OBJECT_QUEUE = 12,
  KITH_OBJECT_ENDPOINT = 15, /* never sent */
  KITH_OBJECT_BROADCAST = 16,
  KITH_OBJECT_OS_HANDLE = 18
};

/* ==== process ======================================================================================================= */

/* A function that a child runs. The argument is the child's own copy (aligned for any type; NULL when the size is 0), good
 * until the function returns. What it returns is the exit code of the child (POSIX keeps the low 8 bits). */
typedef int32_t (*kith_entry)(const void *argument, size_t argument_size);

/* How the child comes to be. */
enum {
  KITH_START_SPAWN = 0, /* a new program, or this program again: safe with threads, the same on every OS */
  KITH_START_FORK = 1   /* a copy of this process, with all of its memory and only the calling thread. POSIX. For an `entry` */
};

/* kith_process_options.flags */
enum {
  KITH_PROCESS_CLEAN_ENV = 1,        /* start from an empty environment, not from this process's */
  KITH_PROCESS_KEEP_DESCRIPTORS = 2, /* KITH_START_FORK only: the child keeps descriptors that kith did not open */
  KITH_PROCESS_DETACHED = 8,         /* the child lives on when this process ends */
  KITH_PROCESS_TREE = 64,            /* terminate, kill and stop are for the child and all of its descendants: see kith_process_kill */
  KITH_PROCESS_STOP_EVENT = 128,     /* KITH_START_FORK: the child can look for stop requests (kith_stop_event), as others always can. It costs
                                        shared memory, some 10 us */
  KITH_PROCESS_BATCH_FILES = 4       /* argv[0] may be a batch file (.bat, .cmd), named with its extension. Windows runs it by cmd.exe, with
                                        arguments written so that none of them can become a command; one with a line break or another control
                                        character is KITH_E_INVALID, as it would end the command. Elsewhere the flag means nothing */
};

/* The standard streams of a process. */
enum { KITH_STDIN = 0, KITH_STDOUT = 1, KITH_STDERR = 2 };

/* What a standard stream of a child is. */
enum {
  KITH_STDIO_INHERIT = 0, /* that of this process */
  KITH_STDIO_NULL = 1,    /* nothing: to read is to find the end, what is written is thrown away */
  KITH_STDIO_FILE = 2,    /* the file `path`: stdin reads it; stdout and stderr write it anew, what it had before is gone */
  KITH_STDIO_APPEND = 3,  /* the file `path`: stdout and stderr write behind what it has */
  KITH_STDIO_PIPE = 4,    /* a pipe; the other end is ours: kith_process_communicate, kith_process_take_stream */
  KITH_STDIO_STDOUT = 5,  /* stderr only: where stdout goes */
  KITH_STDIO_HANDLE = 6   /* `handle`: a descriptor, or a HANDLE of a file, pipe or console, as an end of kith_pipe_create. The child gets a
                             copy; yours stays yours */
};

typedef struct kith_stdio {
  uint32_t what;     /* KITH_STDIO_... */
  uint32_t reserved; /* 0 */
  const char *path;  /* KITH_STDIO_FILE, _APPEND: from the working directory of this process; else NULL */
  int64_t handle;    /* KITH_STDIO_HANDLE; else 0 */
} kith_stdio;

typedef struct kith_process_options {
  uint32_t struct_size; /* sizeof(kith_process_options) */
  uint32_t flags;       /* KITH_PROCESS_... */

  /* What to run: exactly one of these three, or `library` below. */
  const char *const *argv; /* a program and its arguments, ends with NULL. They reach it as they are, whatever is in them, line breaks
                              too (but see KITH_PROCESS_BATCH_FILES). argv[0] with a slash (Windows: also a backslash) is a
                              path from this process's working directory; without, it is looked for in the folders of this
                              process's PATH, in their order, and nowhere else (an empty entry is no folder; without a PATH, POSIX
                              looks in /usr/bin and /bin). Windows appends .exe where there is no extension */
  kith_entry entry;        /* a function of this program or of a library that it has loaded. It need not be exported. A child by
                              KITH_START_SPAWN runs it from kith_child_main */
  const char *entry_name;  /* a function that was registered with kith_entry_register, here and in the child */

  const void *argument; /* for a function: bytes to hand to it, copied */
  size_t argument_size;

  uint32_t start; /* KITH_START_... */
  uint32_t reserved;

  const kith_share *shares;
  size_t share_count;

  const char *const *env; /* changes to the environment, ends with NULL: "NAME=value" sets, "NAME" removes */
  const char *cwd;        /* working directory of the child; NULL: that of this process */

  /* The fourth thing to run: a function that a library exports, for programs that have no kith_child_main, as python, node and java. The
   * child is kith-host, a small program that comes with kith: it loads the library and calls the function. (Any other program that calls
   * kith_child_main can be the host as well.) */
  const char *library; /* with a slash (Windows: also a backslash) a path from this process's working directory; without, it is
                          looked for in the child as the OS looks for libraries. With its extension */
  const char *symbol;  /* the name of the function, which is a kith_entry */
  const char *host;    /* which kith-host, found as argv[0] is; NULL: what the environment variable KITH_HOST says; without that,
                          kith-host in the folder of the file that contains kith, in bin/ beside that folder or its parent, or in PATH */

  kith_stdio std_in; /* its standard streams; all zero: those of this process */
  kith_stdio std_out;
  kith_stdio std_err;

  const char *name; /* of the process, for both sides, as in logs: 1 to 255 bytes of UTF-8. NULL: entry_name, or the name of the program's file */
} kith_process_options;

/* How a process ended. */
enum {
  KITH_EXIT_CODE = 1,          /* it ended by itself; code: its exit code */
  KITH_EXIT_SIGNAL = 2,        /* a signal ended it; code: the number of the signal. POSIX; on Windows 9 or 15, when kith in another process (or by
                                  another handle) ended it as by that signal */
  KITH_EXIT_EXCEPTION = 3,     /* an unhandled exception ended it; code: the NTSTATUS, as in 0xC0000005. Windows */
  KITH_EXIT_KILLED = 4,        /* kith_process_kill (code 9) or kith_process_terminate (code 15) of this handle ended it */
  KITH_EXIT_UNKNOWN = 5,       /* it has ended, but somebody else in this process took its exit code from the OS. POSIX */
  KITH_EXIT_NO_CHILD_MAIN = 6, /* the function never ran, as the child's main did not call kith_child_main; code: its exit code */
  KITH_EXIT_NO_ENTRY = 7       /* the function was not found in the child; code: the kith_status that says why. For a library: KITH_E_NOT_FOUND
                                  (there is none), KITH_E_NOT_A_PROGRAM (it cannot be loaded), KITH_E_NO_FUNCTION (it exports no such
                                  name), KITH_E_MISMATCH (the host has another version of kith, or is none) */
};

typedef struct kith_exit {
  int32_t kind; /* KITH_EXIT_... */
  int32_t reserved;
  int64_t code;
} kith_exit;

/* Starts a process that runs a program or a function.
 *
 * A child ends when this process ends, in whatever way, unless it is KITH_PROCESS_DETACHED. Which thread starts it does not matter. On
 * Linux and Windows the OS kills it; on Linux the first thread of the process must live as long as the process does, and a program that
 * changes its user, as sudo does, lives on. Elsewhere a thread in the child sees to it: in a function from kith_child_main on, in a program
 * that was given shares from its first call of kith on; other programs live on. What the child starts by itself is its own matter.
 *
 * Exactly the shares and the three standard streams reach the child, no other descriptor or handle. A child that has a pipe must not wait for
 * us while we wait for its end: use kith_process_communicate, or read and write the streams. Signals have their default
 * actions and none is blocked in a program or function started by KITH_START_SPAWN. KITH_START_FORK flushes stdout and stderr before,
 * runs the function, flushes them again and ends the child with _exit; every channel end of the parent that was not given is
 * closed in the child; its other handles stay good for their memory, but those of processes only for close. Use it only
 * where this process has one thread.
 *
 * A function of a `library` finds the shares by kith_..._inherit as any child does, whether the library is linked with the shared kith or has a
 * kith of its own inside. A library that is not there is told by kith_process_wait: KITH_EXIT_NO_ENTRY.
 *
 * Returns: KITH_OK; KITH_E_INVALID (not exactly one thing to run, a library without a symbol or the reverse, a host without a library, an empty argv, an entry or share that is NULL, a name that is
 * empty or too long, an env entry without a name, an argument for a program, a standard stream that cannot be so, as KITH_STDIO_APPEND for
 * stdin); KITH_E_EXISTS (a share name, or a channel end, twice);
 * KITH_E_MISMATCH (a share that is no shareable object); KITH_E_MOVED, KITH_E_BUSY (a channel end that cannot be given); KITH_E_NOT_FOUND
 * (no such program, no function registered under entry_name, no such file for a standard stream); KITH_E_NO_HOST; KITH_E_NOT_A_PROGRAM;
 * KITH_E_DENIED (not executable, or a file that may not be opened);
 * KITH_E_BAD_CWD; KITH_E_NO_FUNCTION; KITH_E_NO_CHILD_MAIN (we are a child that did not take over: call kith_child_main at the top of
 * main); KITH_E_TOO_LARGE (more arguments or environment than the OS takes: Windows 32,767 characters of command line, 8,191 for a batch
 * file); KITH_E_UNSUPPORTED (an unknown flag, fork where there is none, fork with argv, library, env or cwd, a batch file without
 * KITH_PROCESS_BATCH_FILES); KITH_E_INVALID also for text that is not UTF-8 (Windows) and for a control character in an argument of a batch
 * file; KITH_E_NO_MEMORY, KITH_E_LIMIT, KITH_E_OS.
 * Lifetime: *out is yours; see kith_process_close.
 * Threads: any, but none may change the environment meanwhile (setenv); with KITH_START_FORK the usual rules for fork hold.
 * Platforms: fork is POSIX. Since: 0.1 */
KITH_API kith_status kith_process_spawn(const kith_process_options *options, kith_process **out);

/* Waits until the process has ended and tells how. Asking again, from this or another thread, gives the same answer.
 * Returns: KITH_OK; KITH_E_TIMEOUT (it runs on); KITH_E_CLOSED (another thread closed the handle meanwhile); KITH_E_CANCELLED,
 * KITH_E_INTERRUPTED (it runs on; ask again); KITH_E_INVALID; KITH_E_OS.
 * Threads: any number may wait for one process. Since: 0.1 */
KITH_API kith_status kith_process_wait(kith_process *process, int64_t timeout_ms, kith_exit *out);

/* Asks the process to end. It may take its time, or refuse; wait for it, then kill it.
 *
 * A child that looks for stop requests (it has called kith_stop_event or kith_stop_requested) gets one, and nothing else happens: how it ends is
 * its own choice. Any other gets SIGTERM, with KITH_PROCESS_TREE its whole tree does; Windows has nothing to ask it with, and ends it at once,
 * as kill does.
 * Returns: KITH_OK, also when it has ended already; KITH_E_INVALID; KITH_E_DENIED; KITH_E_OS.
 * Threads: any. Platforms: see above. Since: 0.1 */
KITH_API kith_status kith_process_terminate(kith_process *process);

/* Ends the process, without a chance to clean up. The call does not wait for the end.
 *
 * With KITH_PROCESS_TREE it ends all descendants, too, also those that are being started at this moment, and also when the child itself has
 * ended before. POSIX: the child has a process group of its own (so Ctrl-C in a terminal does not reach it), and who leaves the group, as by
 * setsid, is not of the tree; until kith_process_close the child that has ended stays a zombie, which keeps the number of the group. Windows:
 * the child is in a job of its own, which nobody can leave, and which ends with this process.
 * Returns: KITH_OK, also when it has ended already; KITH_E_INVALID; KITH_E_DENIED; KITH_E_OS.
 * Threads: any. Platforms: SIGKILL, TerminateProcess, TerminateJobObject. Since: 0.1 */
KITH_API kith_status kith_process_kill(kith_process *process);

/* Ends the process step by step: waits wait_ms for it to end by itself; asks it, as kith_process_terminate, and waits terminate_ms; ends
 * it, as kith_process_kill, and waits kill_ms. The first step that sees the end is the last. A step of 0 ms is left out, one of KITH_FOREVER
 * never gives way to the next. A good choice for many programs is (0, 5000, 5000). With KITH_PROCESS_TREE what is left of the tree when the
 * child itself has ended is killed.
 * Returns: KITH_OK, and *out as by kith_process_wait; KITH_E_TIMEOUT (it runs on after the last step: also a killed process can take long in
 * the kernel); KITH_E_CLOSED, KITH_E_CANCELLED, KITH_E_INTERRUPTED (as by kith_process_wait; further steps are not taken); KITH_E_INVALID;
 * KITH_E_DENIED; KITH_E_OS.
 * Threads: any, several at once: each takes its own steps. Platforms: as kith_process_terminate. Since: 0.1 */
KITH_API kith_status kith_process_stop(kith_process *process, int64_t wait_ms, int64_t terminate_ms, int64_t kill_ms, kith_exit *out);

/* Gives the OS's process id.
 * Returns: the id; -1 when the handle is NULL or closed. Threads: any. Since: 0.1 */
KITH_API int64_t kith_process_id(const kith_process *process);

/* Gives the name of the process: see kith_process_options.
 * Returns: the name; "" for a process that another one sent; NULL when the handle is NULL or closed.
 * Lifetime: until the handle is closed. Threads: any. Since: 0.1 */
KITH_API const char *kith_process_name(const kith_process *process);

/* Lets go of a process. A running child runs on and leaves no zombie: it is reaped when it ends, by a thread of the library's that is there
 * as long as there are such children (one for all).
 * Threads: any; never blocks. Platforms: the OS reaps on Windows, where there is no such thread. Where no thread can be had, a later process
 * call of this library reaps. Since: 0.1 */
KITH_API void kith_process_close(kith_process *process);

/* ==== the standard streams of a child ================================================================================ */

/* Takes our end of a pipe of the child (KITH_STDIO_PIPE): of its stdin to write, of its stdout or stderr to read.
 * Returns: KITH_OK; KITH_E_NOT_FOUND (that stream is no pipe); KITH_E_MOVED (it was taken before, or kith_process_communicate has come to its end);
 * KITH_E_BUSY (another thread is in kith_process_communicate); KITH_E_INVALID.
 * Lifetime: *out is yours, also when the process has been closed. Ends that nobody took are closed by kith_process_close. Threads: any. Since: 0.1 */
KITH_API kith_status kith_process_take_stream(kith_process *process, int32_t which, kith_stream **out);

enum {
  KITH_COMMUNICATE_TO_THE_END = 1 /* also wait until nobody has stdout and stderr open any more: what the child started may outlive it */
};

typedef struct kith_communicate_options {
  uint32_t struct_size; /* sizeof(kith_communicate_options) */
  uint32_t flags;       /* KITH_COMMUNICATE_... */
  const void *input;    /* for its stdin, if that is a pipe: these bytes, then the end */
  size_t input_size;
  uint64_t most_output; /* bytes that are kept of stdout, and as many of stderr; 0: as many as there is memory for */
} kith_communicate_options;

/* Gives the child its input, collects what it writes to its pipes, and waits for its end, all at the same time, so that nobody waits for the
 * other. Then kith_process_output shows what it has written.
 *
 * A call that ends early loses nothing: call again with the same options, and it goes on. A child that does not read all of its input is no failure.
 * It is done when the child has ended and all that had been written until then is read: what a process that the child left behind
 * writes to the same pipes later is not waited for, and their ends stay open until the process is closed, unless you ask for
 * KITH_COMMUNICATE_TO_THE_END. Streams that were taken (kith_process_take_stream) are left to you.
 * Returns: KITH_OK, and *out as by kith_process_wait; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED; KITH_E_TOO_LARGE (more than most_output:
 * that much has been kept, the rest waits in the pipe: go on with a larger most_output, or kill the child); KITH_E_BUSY (another thread is in this
 * call for this process); KITH_E_CLOSED (another thread closed the handle); KITH_E_INVALID (also: another input_size than before);
 * KITH_E_UNSUPPORTED (an unknown flag); KITH_E_NO_MEMORY; KITH_E_OS.
 * Lifetime: the input is not needed after the call. Threads: one at a time for a process. Since: 0.1 */
KITH_API kith_status kith_process_communicate(kith_process *process, const kith_communicate_options *options, int64_t timeout_ms, kith_exit *out);

/* Shows what kith_process_communicate has collected until now of KITH_STDOUT or KITH_STDERR. *out_data is NULL when *out_size is 0.
 * Returns: KITH_OK; KITH_E_NOT_FOUND (that stream is no pipe of ours); KITH_E_BUSY (another thread is in kith_process_communicate); KITH_E_INVALID.
 * Lifetime: *out_data until the next kith_process_communicate for this process, or its close. Threads: any. Since: 0.1 */
KITH_API kith_status kith_process_output(kith_process *process, int32_t which, const void **out_data, size_t *out_size);

/* Reads what is there, up to `capacity` bytes, and waits until there is at least one. *out_size is how many.
 * Returns: KITH_OK; KITH_E_CLOSED (nothing more will come: everybody who could write has closed the other end or died; or another thread closed this
 * one); KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED (nothing was read); KITH_E_BUSY (another thread is reading); KITH_E_MISMATCH (a stream to
 * write); KITH_E_INVALID (also: capacity 0); KITH_E_OS. Threads: one at a time. Since: 0.1 */
KITH_API kith_status kith_stream_read(kith_stream *stream, void *buffer, size_t capacity, size_t *out_size, int64_t timeout_ms);

/* Writes all of the bytes, waiting while there is no room. What was written has not been read yet.
 * *out_written is how many were written, also when the call fails, but for KITH_E_INVALID, _MISMATCH and _BUSY (may be NULL).
 * Returns: KITH_OK; KITH_E_CLOSED (nobody will read any more; or another thread closed this end); KITH_E_TIMEOUT, KITH_E_CANCELLED,
 * KITH_E_INTERRUPTED (go on behind what was written); KITH_E_BUSY (another thread is writing); KITH_E_MISMATCH (a stream to read); KITH_E_INVALID;
 * KITH_E_OS. No SIGPIPE reaches the program. Threads: one at a time. Since: 0.1 */
KITH_API kith_status kith_stream_write(kith_stream *stream, const void *data, size_t size, size_t *out_written, int64_t timeout_ms);

/* Closes our end. Who reads the other one finds its end behind what was written; who writes to it is told that nobody reads (POSIX: SIGPIPE).
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_stream_close(kith_stream *stream);

/* ==== taking over =================================================================================================== */

/* Lets this process be a child that runs one function: make it the first call in main.
 *
 *     int main(int argc, char **argv) {
 *       int32_t code;
 *       if (kith_child_main(&code)) return code;
 *       ...
 *
 * In a process that was started for a function (`entry` or `entry_name`, KITH_START_SPAWN) it runs that function; then it
 * closes the channel ends that are still open, and returns 1 with the exit code. In any other process it returns 0 at once.
 * A library or a program whose functions are found by name registers them first (kith_entry_register).
 * Returns: 1: return *out_code from main; 0: go on.
 * Threads: call it once, before there are others. Since: 0.1 */
KITH_API int32_t kith_child_main(int32_t *out_code);

/* Registers a function under a name, for `entry_name`. Needed only where parent and child are different programs, or different
 * builds of one program; otherwise `entry` finds any function.
 * Returns: KITH_OK, also when the same function has the name already; KITH_E_INVALID (NULL, or a name that is empty or longer than 255
 * bytes); KITH_E_EXISTS (another function has the name); KITH_E_NO_MEMORY.
 * Lifetime: the name is copied. Threads: any. Since: 0.1 */
KITH_API kith_status kith_entry_register(const char *name, kith_entry entry);

/* Writes down where a function stands, so that another process of the same build of the program or library finds it wherever that was loaded:
 * for layers above this one, such as kith.hpp, that send functions of their own along with an argument or message. The function may have
 * any type: cast its pointer to kith_entry, and back before it is called.
 * *out_size is the size of what was written, also when the buffer is too small. buffer may be NULL when capacity is 0.
 * Returns: KITH_OK; KITH_E_TOO_LARGE (than the buffer; *out_size says what is needed, the buffer is untouched); KITH_E_NO_FUNCTION (it is not in
 * the code of the program or of a library that is loaded); KITH_E_INVALID; KITH_E_NO_MEMORY; KITH_E_OS.
 * Threads: any. Since: 0.1 */
KITH_API kith_status kith_entry_pack(kith_entry entry, void *buffer, size_t capacity, size_t *out_size);

/* Finds the function that kith_entry_pack wrote down, loading its library if need be. Only for bytes from whom you trust as you trust your
 * own code: they choose what is loaded and called.
 * Returns: KITH_OK; KITH_E_MISMATCH (not made by kith_entry_pack, or by a process of another build); KITH_E_NO_FUNCTION (no code stands
 * there); KITH_E_INVALID; KITH_E_NO_MEMORY.
 * Lifetime: *out as long as its library is loaded. Threads: any. Since: 0.1 */
KITH_API kith_status kith_entry_unpack(const void *packed, size_t size, kith_entry *out);

/* ==== the child's view of itself ==================================================================================== */

/* These are for a child that runs a function, and for a program that was given shares or a name: others have not been told by whom they were
 * started, nor can they be asked to stop. A child by KITH_START_FORK can be asked if it was given KITH_PROCESS_STOP_EVENT. */

/* An event that is set when the parent asks this process to end (kith_process_terminate, kith_process_stop). Wait for it by kith_event_wait, or
 * together with other things by kith_wait_any and kith_event_poll_handle. It stays set.
 * The first call of this or of kith_stop_requested says that this process looks for requests: from then on the parent's asking
 * does nothing but set the event. Before that it is SIGTERM, and on Windows the end.
 * Returns: the event, always the same; NULL when nobody can ask: see above; also when there is no memory for it.
 * Lifetime: of the process; kith_event_close leaves it alone, and it cannot be given to others. Threads: any. Since: 0.1 */
KITH_API kith_event *kith_stop_event(void);

/* Waits until the parent asks this process to end. With timeout 0 it looks once, as a loop does between two pieces of work.
 * Returns: KITH_OK (it is to end); KITH_E_TIMEOUT (it is not); KITH_E_NOT_FOUND (kith_stop_event is NULL: nobody can ask);
 * KITH_E_CANCELLED, KITH_E_INTERRUPTED; KITH_E_INVALID.
 * Threads: any. Since: 0.1 */
KITH_API kith_status kith_stop_requested(int64_t timeout_ms);

/* Tells whether the parent is alive. For a detached child: any other ends with its parent.
 * Returns: 1 it lives; 0 it has ended; -1 it is not known: see above. Threads: any. Since: 0.1 */
KITH_API int32_t kith_parent_alive(void);

/* Gives the OS's process id of the parent, also when that has ended.
 * Returns: the id; -1 when it is not known: see above. Threads: any. Since: 0.1 */
KITH_API int64_t kith_parent_id(void);

/* Gives the name of this process.
 * Returns: what its parent named it: see kith_process_options; where it was not told, the name of the program's file. Never NULL.
 * Lifetime: of the process. Threads: any. Since: 0.1 */
KITH_API const char *kith_self_name(void);

/* ==== memory ======================================================================================================== */

enum {
  KITH_MEMORY_READ_ONLY_SHARE = 1, /* whoever it is given to can read it and not write it; whatever they try where the OS enforces it
                                      (kith_has(KITH_HAS_READ_ONLY_SHARE)), elsewhere unless they go out of their way */
  KITH_MEMORY_COMMIT = 2,          /* take all of the memory now, so that there is none to be missed later */
  KITH_MEMORY_LAZY = 4,            /* take memory at the first touch of each page; when there is none left, the OS ends the process
                                      that touches it (POSIX: SIGBUS) */

  /* For the options of a lock, array or value: the thread that holds the lock may acquire it again, and releases it as often. */
  KITH_LOCK_RECURSIVE = 8
};

typedef struct kith_memory_options {
  uint32_t struct_size; /* sizeof(kith_memory_options) */
  uint32_t flags;       /* KITH_MEMORY_...; with neither COMMIT nor LAZY: commit up to 16 MiB, lazy above */
} kith_memory_options;

/* Creates shared memory: zeroed bytes without a name, gone with their last holder, however that ends.
 * Returns: KITH_OK; KITH_E_INVALID (size 0, out NULL, COMMIT together with LAZY); KITH_E_TOO_LARGE (more than can be addressed);
 * KITH_E_NO_MEMORY; KITH_E_LIMIT (no descriptor free); KITH_E_UNSUPPORTED (an unknown flag); KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_memory_create(size_t size, const kith_memory_options *options, kith_memory **out);

/* Takes the memory that the parent gave to this process under that name.
 * Returns: KITH_OK; KITH_E_NOT_FOUND (nothing of that name was given); KITH_E_MOVED (it was taken before); KITH_E_MISMATCH (that name is
 * another kind of object, or was made by another version of kith); KITH_E_INVALID; KITH_E_NO_MEMORY; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_memory_inherit(const char *name, kith_memory **out);

/* Gives the address of the bytes, aligned to 64. It differs between processes: store offsets, not pointers.
 * Returns: the address; NULL when the handle is NULL or closed. Lifetime: good until close. Threads: any. Since: 0.1 */
KITH_API void *kith_memory_data(const kith_memory *memory);

/* Gives the size in bytes, as it was created.
 * Returns: the size; 0 when the handle is NULL or closed. Threads: any. Since: 0.1 */
KITH_API size_t kith_memory_size(const kith_memory *memory);

/* Lets go of the memory; the address is no longer good in this process.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_memory_close(kith_memory *memory);

/* ==== array ========================================================================================================= */

typedef struct kith_array_options {
  uint32_t struct_size;  /* sizeof(kith_array_options) */
  uint32_t flags;        /* KITH_MEMORY_COMMIT or KITH_MEMORY_LAZY; KITH_LOCK_RECURSIVE */
  uint64_t element_size; /* KITH_STRUCT: bytes of an element; other types: 0 or their size */
} kith_array_options;

/* Creates a shared array of zeroes, with a lock of its own (kith_array_lock). Whether to use the lock is yours to decide.
 * Returns: KITH_OK; KITH_E_INVALID (count 0, no such type, KITH_STRUCT without element_size, out NULL); KITH_E_MISMATCH (element_size is
 * not the size of the type); KITH_E_TOO_LARGE; KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_UNSUPPORTED; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_array_create(kith_type type, size_t count, const kith_array_options *options, kith_array **out);

/* Takes the array that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_array_inherit(const char *name, kith_array **out);

/* Gives the address of element 0, aligned to 64. Plain shared memory: who writes while others read needs the lock, or atomics.
 * Returns: the address; NULL when the handle is NULL or closed. Lifetime: good until close. Threads: any. Since: 0.1 */
KITH_API void *kith_array_data(const kith_array *array);

/* Gives the number of elements.
 * Returns: the number; 0 when the handle is NULL or closed. Threads: any. Since: 0.1 */
KITH_API size_t kith_array_count(const kith_array *array);

/* Gives the type of the elements.
 * Returns: KITH_I8 ... KITH_STRUCT; 0 when the handle is NULL or closed. Threads: any. Since: 0.1 */
KITH_API kith_type kith_array_type(const kith_array *array);

/* Gives the size of an element in bytes.
 * Returns: the size; 0 when the handle is NULL or closed. Threads: any. Since: 0.1 */
KITH_API size_t kith_array_element_size(const kith_array *array);

/* Gives the lock that belongs to the array.
 * Returns: the lock; NULL when the handle is NULL or closed. Lifetime: borrowed, good until the array is closed; kith_lock_close leaves
 * it alone, and it cannot be given to a child: give the array. Threads: any. Since: 0.1 */
KITH_API kith_lock *kith_array_lock(const kith_array *array);

/* Adds to one element, atomically and without the lock, and gives the value from before (out_old may be NULL). It wraps around.
 * For KITH_I32, KITH_U32, KITH_I64 and KITH_U64; unsigned 64-bit values travel as their two's complement. Sequentially consistent.
 * Returns: KITH_OK; KITH_E_INVALID (no such element); KITH_E_MISMATCH (another type). Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_array_add(kith_array *array, size_t index, int64_t operand, int64_t *out_old);

/* Puts a value into one element, atomically and without the lock, and gives the one from before (out_old may be NULL).
 * Returns: as kith_array_add; KITH_E_INVALID also when the value does not fit the type. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_array_exchange(kith_array *array, size_t index, int64_t desired, int64_t *out_old);

/* Puts a value into one element if it has the expected one, atomically and without the lock.
 * Returns: KITH_OK (done); KITH_NOT_EQUAL (nothing done, *expected is now what the element has); otherwise as kith_array_exchange.
 * Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_array_compare_exchange(kith_array *array, size_t index, int64_t *expected, int64_t desired);

/* Lets go of the array; its address and its lock are no longer good in this process. A lock of it that this process holds stays held
 * until the process ends: release it first.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_array_close(kith_array *array);

/* ==== value ========================================================================================================= */

typedef struct kith_value_options {
  uint32_t struct_size;  /* sizeof(kith_value_options) */
  uint32_t flags;        /* KITH_LOCK_RECURSIVE */
  uint64_t element_size; /* KITH_STRUCT: bytes of the value; other types: 0 or their size */
} kith_value_options;

/* Creates one shared value with a lock of its own. It starts as a copy of *initial, or as zero when initial is NULL.
 * Returns: as kith_array_create. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_value_create(kith_type type, const void *initial, const kith_value_options *options, kith_value **out);

/* Takes the value that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_value_inherit(const char *name, kith_value **out);

/* Gives the address of the value, aligned to 64.
 * Returns: the address; NULL when the handle is NULL or closed. Lifetime: good until close. Threads: any. Since: 0.1 */
KITH_API void *kith_value_data(const kith_value *value);

/* Gives the type of the value.
 * Returns: KITH_I8 ... KITH_STRUCT; 0 when the handle is NULL or closed. Threads: any. Since: 0.1 */
KITH_API kith_type kith_value_type(const kith_value *value);

/* Gives the size of the value in bytes.
 * Returns: the size; 0 when the handle is NULL or closed. Threads: any. Since: 0.1 */
KITH_API size_t kith_value_size(const kith_value *value);

/* Gives the lock that belongs to the value.
 * Returns: as kith_array_lock. Lifetime: as kith_array_lock. Threads: any. Since: 0.1 */
KITH_API kith_lock *kith_value_lock(const kith_value *value);

/* Copies the whole value out, never half of one store and half of another. Numbers are read atomically, without the lock; a
 * KITH_STRUCT under the lock, which is waited for as long as it takes, except by a thread that holds it already.
 * Returns: KITH_OK; KITH_OWNER_DIED (a process died while it held the lock, so the struct may be half written; it was copied
 * as it is, and the next holder is told too); KITH_E_MISMATCH (size is not the size of the value); KITH_E_INVALID; KITH_E_CLOSED.
 * Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_value_load(kith_value *value, void *out, size_t size);

/* Copies a whole new value in. Numbers are written atomically, without the lock; a KITH_STRUCT under the lock, as by kith_value_load.
 * Returns: KITH_OK, also when an owner of the lock had died: the value is whole again, and the lock marked consistent;
 * KITH_E_MISMATCH; KITH_E_INVALID; KITH_E_CLOSED.
 * Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_value_store(kith_value *value, const void *source, size_t size);

/* Adds to the value, atomically and without the lock, and gives the one from before (out_old may be NULL).
 * Returns: as kith_array_add. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_value_add(kith_value *value, int64_t operand, int64_t *out_old);

/* Puts in another value, atomically and without the lock, and gives the one from before (out_old may be NULL).
 * Returns: as kith_array_exchange. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_value_exchange(kith_value *value, int64_t desired, int64_t *out_old);

/* Puts in another value if it is the expected one, atomically and without the lock.
 * Returns: as kith_array_compare_exchange. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_value_compare_exchange(kith_value *value, int64_t *expected, int64_t desired);

/* Lets go of the value; its address and its lock are no longer good in this process.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_value_close(kith_value *value);

/* ==== lock ========================================================================================================== */

typedef struct kith_lock_options {
  uint32_t struct_size; /* sizeof(kith_lock_options) */
  uint32_t flags;       /* KITH_LOCK_RECURSIVE */
} kith_lock_options;

/* Creates a lock for threads of any number of processes. It belongs to the thread that acquired it, until that thread releases it
 * or its process ends.
 * Returns: KITH_OK; KITH_E_INVALID; KITH_E_UNSUPPORTED (an unknown flag); KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_lock_create(const kith_lock_options *options, kith_lock **out);

/* Takes the lock that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_lock_inherit(const char *name, kith_lock **out);

/* Acquires the lock, waiting until it is free, its owner has died, or the time is up. With timeout 0 it tries once.
 *
 * A process that dies, or is killed, while it holds the lock sets it free: whoever acquires it next gets KITH_OWNER_DIED, holds the
 * lock, and should repair what it protects, then call kith_lock_mark_consistent. A process that is a zombie is dead; one that is
 * suspended, or whose first thread has ended while others run, is not; one that was given the pid of a dead one is another process. A thread that ends while it holds the lock, and a process
 * that calls exec while it holds the lock, keep it held.
 * The owner of a recursive lock (KITH_LOCK_RECURSIVE) acquires it again at once, and releases it as many times.
 * Returns: KITH_OK; KITH_OWNER_DIED (held, too); KITH_E_TIMEOUT; KITH_E_DEADLOCK (this thread holds it, and it is not recursive);
 * KITH_E_CLOSED (another thread closed the handle meanwhile); KITH_E_CANCELLED, KITH_E_INTERRUPTED (it is not held; ask again);
 * KITH_E_LIMIT (held 2^32 times); KITH_E_INVALID.
 * Threads: any, in any process. Platforms: a death is noticed at once on Windows and, where a process may use io_uring, on Linux (6.7 and later), but in
 * the first 28 ms of a wait; elsewhere after some 13 ms in the middle, 25 at most. Since: 0.1 */
KITH_API kith_status kith_lock_acquire(kith_lock *lock, int64_t timeout_ms);

/* Releases the lock. After KITH_OWNER_DIED without kith_lock_mark_consistent, the next owner is told KITH_OWNER_DIED as well.
 * Returns: KITH_OK; KITH_E_NOT_OWNER (it is not held by the calling thread: nothing done); KITH_E_INVALID.
 * Threads: only the thread that acquired it; a child made by fork does not hold its parent's locks. Since: 0.1 */
KITH_API kith_status kith_lock_release(kith_lock *lock);

/* Says that what the lock protects is in order again, after KITH_OWNER_DIED.
 * Returns: KITH_OK, also when nobody had died; KITH_E_NOT_OWNER; KITH_E_INVALID.
 * Threads: only the thread that holds it. Since: 0.1 */
KITH_API kith_status kith_lock_mark_consistent(kith_lock *lock);

/* Who holds a lock. */
typedef struct kith_owner {
  int64_t pid;     /* of the process; 0: nobody holds the lock */
  int64_t held_ms; /* how long it has held the lock. Of one without a name as far as anybody has watched: since somebody began to wait for it,
                      or since this function was first called meanwhile; an owner nobody waits for is not watched, because a clock costs
                      more than a lock */
  int32_t alive;   /* 0: it has ended; the lock goes to whoever acquires it next */
  int32_t reserved;
} kith_owner;

/* Tells who holds the lock, for a message such as "gave up: process 123 has held the lock for 41 s". The answer may be out of date
 * when it arrives: decide nothing by it.
 * Returns: KITH_OK; KITH_E_INVALID. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_lock_owner(kith_lock *lock, kith_owner *out);

/* Lets go of the lock. If this process holds it, it stays held until the process ends: release it first.
 * Threads: any; never blocks. A lock borrowed from an array or value is left alone. Since: 0.1 */
KITH_API void kith_lock_close(kith_lock *lock);

/* ==== semaphore ===================================================================================================== */

enum {
  KITH_SEMAPHORE_SIGNAL = 1 /* permits belong to nobody: who releases need not have acquired. For signalling, and for counting what one
                               process makes and another one takes. A permit that a process acquired and never gave back is gone with it */
};

enum {
  KITH_SEMAPHORE_LARGEST = 1000000000, /* the most that a semaphore can count */
  KITH_SEMAPHORE_MOST_OWNED = 4096     /* the most permits of a semaphore without KITH_SEMAPHORE_SIGNAL */
};

typedef struct kith_semaphore_options {
  uint32_t struct_size; /* sizeof(kith_semaphore_options) */
  uint32_t flags;       /* KITH_SEMAPHORE_SIGNAL */
  uint32_t maximum;     /* KITH_SEMAPHORE_SIGNAL: the bound; 0: KITH_SEMAPHORE_LARGEST. Otherwise 0, or equal to `initial` */
  uint32_t reserved;
} kith_semaphore_options;

/* Creates a semaphore with that many permits. Up to so many can be held at once, by any processes. A permit belongs to the process that
 * acquired it, until one of its threads releases it or the process ends: the permits of the dead come back.
 * Returns: KITH_OK; KITH_E_INVALID (out NULL, no permits, or more than KITH_SEMAPHORE_MOST_OWNED; with KITH_SEMAPHORE_SIGNAL: more than
 * the maximum, which is at most KITH_SEMAPHORE_LARGEST); KITH_E_UNSUPPORTED (an unknown flag); KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_semaphore_create(uint32_t initial, const kith_semaphore_options *options, kith_semaphore **out);

/* Takes the semaphore that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_semaphore_inherit(const char *name, kith_semaphore **out);

/* Acquires a permit, waiting until there is one, a holder has died, or the time is up. With timeout 0 it tries once.
 * Returns: KITH_OK; KITH_OWNER_DIED (acquired; the process that held this permit has died without releasing it: look after what it did);
 * KITH_E_TIMEOUT; KITH_E_CLOSED (another thread closed the handle meanwhile); KITH_E_CANCELLED, KITH_E_INTERRUPTED (nothing was
 * acquired; ask again); KITH_E_INVALID.
 * Threads: any, in any process. Platforms: as kith_lock_acquire. Since: 0.1 */
KITH_API kith_status kith_semaphore_acquire(kith_semaphore *semaphore, int64_t timeout_ms);

/* Releases a permit.
 * Returns: KITH_OK; KITH_E_NOT_OWNER (this process holds none; not with KITH_SEMAPHORE_SIGNAL); KITH_E_LIMIT (KITH_SEMAPHORE_SIGNAL:
 * the maximum is reached); KITH_E_INVALID. When it fails, nothing was done.
 * Threads: any of the process that holds the permit; with KITH_SEMAPHORE_SIGNAL any. A child made by fork holds none of its parent's permits.
 * Since: 0.1 */
KITH_API kith_status kith_semaphore_release(kith_semaphore *semaphore);

/* Tells how many permits are free. The answer may be out of date when it arrives. Permits of the dead count as held until somebody needs them.
 * Returns: the number; 0 when the handle is NULL or closed. Threads: any, in any process. Since: 0.1 */
KITH_API uint32_t kith_semaphore_available(const kith_semaphore *semaphore);

/* Lets go of the semaphore. Permits that this process holds stay held until it ends: release them first.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_semaphore_close(kith_semaphore *semaphore);

/* ==== condition ===================================================================================================== */

enum { KITH_CONDITION_MOST_WAITERS = 1024 };

typedef struct kith_condition_options {
  uint32_t struct_size; /* sizeof(kith_condition_options) */
  uint32_t flags;       /* none yet: 0 */
} kith_condition_options;

/* Creates a condition variable: processes wait with it until another one has changed what a lock protects.
 * Returns: as kith_lock_create. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_condition_create(const kith_condition_options *options, kith_condition **out);

/* Takes the condition that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_condition_inherit(const char *name, kith_condition **out);

/* Releases the lock, waits for a notification, and acquires the lock again, as often as it was held if it is recursive. Any lock will
 * do, also that of an array or value; all that wait with a condition should use the same.
 *
 * A notification is for one waiter that waits already, and none is lost: if the waiter it went to dies before it comes back, another
 * one gets it. Only then may a wait end without a notification of its own: look again at what you wait for.
 *
 * The lock is held again whatever is returned, but for KITH_E_NOT_OWNER and KITH_E_INVALID (nothing was done), and for the case that another thread
 * closes the lock or its array meanwhile (KITH_E_CLOSED). The timeout is for the notification; the lock is waited for as long as it takes.
 * Returns: KITH_OK (notified); KITH_OWNER_DIED (a process died while it held the lock, which is yours now; perhaps notified, perhaps not);
 * KITH_E_TIMEOUT; KITH_E_CANCELLED, KITH_E_INTERRUPTED, KITH_E_CLOSED (another thread closed the condition): not notified;
 * KITH_E_NOT_OWNER (the calling thread does not hold the lock); KITH_E_LIMIT (KITH_CONDITION_MOST_WAITERS wait already); KITH_E_INVALID.
 * Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_condition_wait(kith_condition *condition, kith_lock *lock, int64_t timeout_ms);

/* Notifies up to `count` of those that wait now, no more; in turn, so that nobody waits for ever. It never waits for them, and a
 * dead one does not hold it up. The lock need not be held, though it is the rule to hold it.
 * Returns: KITH_OK, also when nobody waits; KITH_E_INVALID. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_condition_notify(kith_condition *condition, uint32_t count);

/* Notifies all that wait now.
 * Returns: as kith_condition_notify. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_condition_notify_all(kith_condition *condition);

/* Lets go of the condition.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_condition_close(kith_condition *condition);

/* ==== event ========================================================================================================= */

enum {
  KITH_EVENT_AUTO_RESET = 1, /* each set lets one waiter go, and clears itself by that; without: all, until it is cleared */
  KITH_EVENT_INITIALLY_SET = 2
};

typedef struct kith_event_options {
  uint32_t struct_size; /* sizeof(kith_event_options) */
  uint32_t flags;       /* KITH_EVENT_... */
} kith_event_options;

/* Creates an event: a flag that can be waited for.
 * Returns: as kith_lock_create. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_event_create(const kith_event_options *options, kith_event **out);

/* Takes the event that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_event_inherit(const char *name, kith_event **out);

/* Sets the event. Whoever waits at that moment comes back, even if it is cleared again at once; with KITH_EVENT_AUTO_RESET one of them
 * does, or the next to come. Setting it twice is as setting it once. What was written before is seen by whom it lets go.
 * Returns: KITH_OK; KITH_E_INVALID. Threads: any, in any process; it never waits for anybody. Since: 0.1 */
KITH_API kith_status kith_event_set(kith_event *event);

/* Clears the event.
 * Returns: KITH_OK, also when it was clear; KITH_E_INVALID. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_event_clear(kith_event *event);

/* Waits until the event is set. With timeout 0 it looks once. With KITH_EVENT_AUTO_RESET it clears it, for one waiter only; if that one
 * dies before it has acted, the signal is gone with it.
 * Returns: KITH_OK; KITH_E_TIMEOUT; KITH_E_CLOSED (another thread closed the handle meanwhile); KITH_E_CANCELLED, KITH_E_INTERRUPTED
 * (nothing was taken; ask again); KITH_E_INVALID.
 * Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_event_wait(kith_event *event, int64_t timeout_ms);

/* Tells whether the event is set. The answer may be out of date when it arrives.
 * Returns: 1 set; 0 clear, or the handle is NULL or closed. Threads: any, in any process. Since: 0.1 */
KITH_API int32_t kith_event_is_set(const kith_event *event);

/* Lets go of the event.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_event_close(kith_event *event);

/* ==== barrier ======================================================================================================= */

enum { KITH_BARRIER_MOST_PARTIES = 4096 };

typedef struct kith_barrier_options {
  uint32_t struct_size; /* sizeof(kith_barrier_options) */
  uint32_t flags;       /* none yet: 0 */
} kith_barrier_options;

/* Creates a barrier, where so many parties (threads of any processes) wait for each other, round after round.
 * Returns: as kith_lock_create; KITH_E_INVALID also when parties is 0 or more than KITH_BARRIER_MOST_PARTIES.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_barrier_create(uint32_t parties, const kith_barrier_options *options, kith_barrier **out);

/* Takes the barrier that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_barrier_inherit(const char *name, kith_barrier **out);

/* Arrives, and waits until all parties have arrived.
 *
 * A party that dies while it waits here, or that took part in the last round and has ended without kith_barrier_close, breaks the barrier: so does one
 * whose time is up, kith_barrier_abort, and closing the handle in another thread. A party that never came cannot be missed: use a timeout
 * in the first round. Who had died unnoticed when the last party arrived has arrived, and breaks the next round. A broken barrier stays so
 * until kith_barrier_reset.
 * *out_place (may be NULL) is a number from 0 to parties - 1, another one for each party of the round.
 * Returns: KITH_OK; KITH_LAST (all have arrived, this one as the last); KITH_E_BROKEN; KITH_E_TIMEOUT (and it is broken now, for the
 * others); KITH_E_CLOSED (the same); KITH_E_CANCELLED, KITH_E_INTERRUPTED (this party has not arrived: ask again, and the round goes on);
 * KITH_E_INVALID.
 * Threads: any, in any process. Platforms: deaths are noticed as by kith_lock_acquire, later where there are many parties. Since: 0.1 */
KITH_API kith_status kith_barrier_wait(kith_barrier *barrier, int64_t timeout_ms, uint32_t *out_place);

/* Breaks the barrier: who waits there, and who comes, gets KITH_E_BROKEN.
 * Returns: KITH_OK, also when it was broken; KITH_E_INVALID. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_barrier_abort(kith_barrier *barrier);

/* Makes the barrier whole and empty. Who waits there gets KITH_E_BROKEN.
 * Returns: KITH_OK; KITH_E_INVALID. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_barrier_reset(kith_barrier *barrier);

/* Gives the number of parties.
 * Returns: the number; 0 when the handle is NULL or closed. Threads: any. Since: 0.1 */
KITH_API uint32_t kith_barrier_parties(const kith_barrier *barrier);

/* Tells how many parties wait there. The answer may be out of date when it arrives.
 * Returns: the number; 0 when the handle is NULL or closed. Threads: any, in any process. Since: 0.1 */
KITH_API uint32_t kith_barrier_waiting(const kith_barrier *barrier);

/* Tells whether the barrier is broken.
 * Returns: 1 broken; 0 whole, or the handle is NULL or closed. Threads: any, in any process. Since: 0.1 */
KITH_API int32_t kith_barrier_is_broken(const kith_barrier *barrier);

/* Lets go of the barrier. A party that leaves in this way is not missed.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_barrier_close(kith_barrier *barrier);

/* ==== ending a wait ================================================================================================= */

/* Creates a means to end waits from outside: the waits of all threads of this process that use it (kith_cancel_use).
 * Returns: KITH_OK; KITH_E_INVALID (out NULL); KITH_E_NO_MEMORY.
 * Lifetime: *out is yours. It is of this process only, and cannot be given to a child. Threads: any. Since: 0.1 */
KITH_API kith_status kith_cancel_create(kith_cancel **out);

/* From now on the calling thread's waits can be ended by this kith_cancel, or by none (NULL). It holds for every call with a timeout.
 * A thread uses one at a time; when it has been closed, the thread uses none.
 * Returns: KITH_OK; KITH_E_INVALID (closed); KITH_E_MISMATCH. Threads: for the calling thread. Since: 0.1 */
KITH_API kith_status kith_cancel_use(kith_cancel *cancel);

/* Ends the waits of all threads that use it, with KITH_E_CANCELLED. It stays fired until kith_cancel_reset: a wait that begins later ends at
 * once, so there is no moment at which it comes too early. A call that need not wait succeeds all the same.
 * Waits end at once as a rule, after a quarter of a second at the latest.
 * Returns: KITH_OK, also when it was fired; KITH_E_INVALID.
 * Threads: any of this process. It may be called in a signal handler, and in the handler of a Windows console event. Since: 0.1 */
KITH_API kith_status kith_cancel_fire(kith_cancel *cancel);

/* Makes it as new. A wait that was to end and has not yet noticed goes on.
 * Returns: KITH_OK; KITH_E_INVALID. Threads: any of this process. Since: 0.1 */
KITH_API kith_status kith_cancel_reset(kith_cancel *cancel);

/* Lets go of it. Waits that it has not ended go on without it.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_cancel_close(kith_cancel *cancel);

/* Asks (1), or ceases to ask (0, as every thread begins), that this thread's waits end with KITH_E_INTERRUPTED when a signal handler has run in
 * it meanwhile. What the call was to do is then not done, and nothing is lost: run what the handler asked for, and call again.
 * A handler that runs in the moment before the thread goes to sleep is not noticed: let the handler call kith_cancel_fire, which is
 * never too early.
 * Returns: what was set before, 0 or 1. Threads: for the calling thread. Platforms: Windows has no such signals: nothing ever interrupts.
 * Since: 0.1 */
KITH_API int32_t kith_wait_interruptible(int32_t on);

/* ==== channel ======================================================================================================= */

enum {
  KITH_CHANNEL_LOW_CPU = 1,    /* no call spins: who must wait sleeps at once. Slower by a system call or two a message, and no core is warm */
  KITH_CHANNEL_SHARED_ENDS = 2 /* an end may have several holders: giving it to a child copies it. See kith_channel_create */
};

typedef struct kith_channel_options {
  uint32_t struct_size;   /* sizeof(kith_channel_options) */
  uint32_t flags;         /* KITH_CHANNEL_... */
  uint64_t ring_size;     /* bytes that each direction holds before a sender must wait: a power of two from 4096 to 2^30; 0: 65536.
                             It does not bound the size of a message; but through 1 MiB many large ones go half as fast again */
  uint64_t large_message; /* messages of at least so many bytes go as memory of their own: the sender does not wait until the receiver
                             has read them, and kith_channel_peek shows them where they lie. 0: none; otherwise at least 4096 */
} kith_channel_options;

/* Creates a channel: two connected ends, for whole messages of any size, in both directions. Give an end to a child (see kith_share).
 *
 * The memory of the rings is taken as it is used, as with KITH_MEMORY_LAZY: an idle channel costs three pages.
 *
 * What was sent is received in order, whole, once; all of it before the end of the channel is told. The other end is closed in
 * good order (KITH_E_CLOSED) by kith_channel_close and by kith_child_main; if its holder ended in another way, the end is
 * KITH_E_PEER_DIED.
 *
 * With KITH_CHANNEL_SHARED_ENDS each end may have several holders, in several processes, who take turns: a message goes to one of them. The
 * end is closed when its last holder has closed it; if one of them died without, the end is KITH_E_PEER_DIED when all are gone. A message
 * then carries no object. A process that has received a part of one of more than half a ring when its time is up keeps the turn to receive,
 * until one of its threads has received the rest.
 * Returns: KITH_OK; KITH_E_INVALID (out NULL, a ring_size that is not allowed); KITH_E_UNSUPPORTED (an unknown flag); KITH_E_NO_MEMORY;
 * KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out_a and *out_b are yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_channel_create(const kith_channel_options *options, kith_channel **out_a, kith_channel **out_b);

/* Takes the channel end that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_channel_inherit(const char *name, kith_channel **out);

/* Sends a message (data may be NULL when the size is 0). It waits while the receiver has no room for it.
 * A message that is given up at the deadline is not received, not even in part, and the channel goes on. With timeout 0 a message that is
 * larger than the room that there is now is not begun: one that is larger than the ring needs a deadline.
 * A send to a peer that has died may succeed until the death is noticed, at the latest when there is no room left.
 * Returns: KITH_OK; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED (given up: nothing of it will be received); KITH_E_CLOSED (by
 * either side); KITH_E_PEER_DIED; KITH_E_MOVED; KITH_E_PROTOCOL; KITH_E_INVALID.
 * Threads: any; messages of several threads do not mix. Since: 0.1 */
KITH_API kith_status kith_channel_send(kith_channel *channel, const void *data, size_t size, int64_t timeout_ms);

/* Receives a message, waiting until there is one whole. *out_size is its size.
 * When it is larger than the buffer, the call fails with KITH_E_TOO_LARGE, *out_size is the size that is needed (the one exception to
 * "out parameters are untouched"), and the message stays for the next call. buffer may be NULL when capacity is 0. After
 * any other failure nothing is lost, but the buffer may hold a part of a message that has not come whole.
 * Returns: KITH_OK; KITH_E_TOO_LARGE; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED (nothing was received, and nothing is lost);
 * KITH_E_CLOSED (all was received, the other end is closed; or this one, by another
 * thread); KITH_E_PEER_DIED (all whole messages were received); KITH_E_MOVED; KITH_E_PROTOCOL; KITH_E_NO_MEMORY (the message stays);
 * KITH_E_INVALID.
 * Threads: any; each message goes to one of them. Since: 0.1 */
KITH_API kith_status kith_channel_recv(kith_channel *channel, void *buffer, size_t capacity, size_t *out_size, int64_t timeout_ms);

/* Sends several messages, which lie one behind the other in `data`; sizes[i] is the size of message i. The receiver may find the first before
 * the last is sent.
 * *out_sent is how many were sent, also when the call fails, but for KITH_E_INVALID (may be NULL).
 * Returns: as kith_channel_send, for the first message that was not sent; KITH_E_INVALID also when the sizes add up to more than memory holds.
 * Threads: any; messages of several threads do not mix, but those of two calls may alternate. Since: 0.1 */
KITH_API kith_status kith_channel_send_many(kith_channel *channel, const void *data, const size_t *sizes, size_t count, size_t *out_sent,
                                            int64_t timeout_ms);

/* Receives as many messages as are there, fit the buffer, and are at most `most`; waits for the first one only. They are put one behind the
 * other into the buffer; sizes[i] is the size of message i, *out_count their number.
 * Returns: as kith_channel_recv, for the first message (KITH_E_TOO_LARGE: sizes[0] is the size that is needed). What would be told of a later
 * one is told by the next call. Threads: any; each message goes to one of them. Since: 0.1 */
KITH_API kith_status kith_channel_recv_many(kith_channel *channel, void *buffer, size_t capacity, size_t *sizes, size_t most,
                                            size_t *out_count, int64_t timeout_ms);

/* Gives room for a message of up to `size` bytes in the channel itself, to be written in place; kith_channel_commit sends it. Waits while there
 * is no room. Room for more than half a ring is memory of its own, as for large_message.
 * Until commit or abort the thread has the turn to send: sends of other threads wait, its own are KITH_E_DEADLOCK. *out_data is aligned to 16.
 * Returns: as kith_channel_send; KITH_E_DEADLOCK (this thread has reserved room already); KITH_E_TOO_LARGE (more than half a ring, with shared
 * ends); KITH_E_NO_MEMORY.
 * Lifetime: *out_data until commit, abort, or the close of this end. Threads: commit or abort in the same thread. Since: 0.1 */
KITH_API kith_status kith_channel_reserve(kith_channel *channel, size_t size, void **out_data, int64_t timeout_ms);

/* Sends the first `size` bytes of what was reserved.
 * Returns: KITH_OK; KITH_E_NOT_OWNER (this thread has reserved nothing); KITH_E_TOO_LARGE (more than was reserved: nothing is sent, the room
 * stays reserved); KITH_E_CLOSED, KITH_E_PEER_DIED, KITH_E_PROTOCOL (nothing is sent, the room is given back); KITH_E_INVALID. Of more than half a ring, which goes as an object does, also KITH_E_LIMIT, KITH_E_DENIED and
 * KITH_E_CANCELLED (nothing is sent, the room is given back); it may wait a moment until the receiver has taken earlier ones.
 * Threads: the one that reserved. Since: 0.1 */
KITH_API kith_status kith_channel_commit(kith_channel *channel, size_t size);

/* Gives back what was reserved; nothing is sent. Returns: KITH_OK; KITH_E_NOT_OWNER; KITH_E_INVALID. Threads: the one that reserved. Since: 0.1 */
KITH_API kith_status kith_channel_abort(kith_channel *channel);

/* Shows the next message where it lies, waiting until there is one whole. kith_channel_consume then takes it, kith_channel_release leaves it.
 * Until then the thread has the turn to receive: other threads wait, its own calls that receive are KITH_E_DEADLOCK.
 * The bytes are the sender's, who is able to change them at any time: check a copy, if it is not to be trusted. They are shown in place when
 * they lie there in one piece, else in a copy.
 * Returns: as kith_channel_recv, but never KITH_E_TOO_LARGE; KITH_E_DEADLOCK (this thread has peeked already).
 * Lifetime: *out_data until consume, release, or the close of this end. Threads: consume or release in the same thread. Since: 0.1 */
KITH_API kith_status kith_channel_peek(kith_channel *channel, const void **out_data, size_t *out_size, int64_t timeout_ms);

/* Takes the message that was shown. Returns: KITH_OK; KITH_E_NOT_OWNER (this thread was shown none); KITH_E_INVALID. Threads: the one that peeked. Since: 0.1 */
KITH_API kith_status kith_channel_consume(kith_channel *channel);

/* Leaves the message that was shown where it is, for the next call. Returns: KITH_OK; KITH_E_NOT_OWNER; KITH_E_INVALID. Threads: the one that peeked. Since: 0.1 */
KITH_API kith_status kith_channel_release(kith_channel *channel);

/* Sends an object, and a message beside it (data may be NULL when the size is 0; at most a quarter of a ring, less 96 bytes).
 *
 * Memory, arrays, values, locks, semaphores, conditions, events, barriers, queues and broadcasts are shared: both sides hold them then. A channel end
 * moves: the sender's handle is KITH_E_MOVED afterwards, and when the call fails nothing has moved. Of a process the receiver can wait for the
 * end. Nothing leaks when either side dies in between. An end cannot be sent through its own channel.
 * Returns: as kith_channel_send; KITH_E_MISMATCH (an object that cannot be sent: a lock that belongs to an array or value, a kith_cancel, an end
 * of this channel); KITH_E_BUSY, KITH_E_MOVED (a channel end that is in use, or gone); KITH_E_TOO_LARGE; KITH_E_UNSUPPORTED (shared ends);
 * KITH_E_DENIED (Windows: the receiver's process does not let this one hand over anything); KITH_E_LIMIT.
 * Threads: any. Platforms: on Windows it also waits until the receiver has taken its end. Since: 0.1 */
KITH_API kith_status kith_channel_send_object(kith_channel *channel, const void *object, const void *data, size_t size, int64_t timeout_ms);

/* Receives the next message, and the object that came with it. *out_kind says what it is (KITH_OBJECT_...), *out_object is its handle, to be
 * used as that type: kith_array * for KITH_OBJECT_ARRAY. A message without an object gives KITH_OBJECT_NONE and NULL. The other calls that
 * receive leave a message with an object where it is, and are KITH_E_MISMATCH.
 * Returns: as kith_channel_recv; KITH_E_NO_MEMORY, KITH_E_LIMIT (for the object: it stays for the next call); KITH_E_PROTOCOL, KITH_E_MISMATCH
 * (what came is no object of ours: the message is dropped).
 * Lifetime: *out_object is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_channel_recv_object(kith_channel *channel, void **out_object, int32_t *out_kind, void *buffer, size_t capacity,
                                              size_t *out_size, int64_t timeout_ms);

/* Closes this end. What was sent before is still received by the other side, which is then told KITH_E_CLOSED.
 * Threads: any; never blocks. Platforms: on Windows it waits up to 20 ms for a thread that is just handing over an object. Since: 0.1 */
KITH_API void kith_channel_close(kith_channel *channel);

/* ==== queue ========================================================================================================= */

enum {
  KITH_QUEUE_TASKS = 1 /* items are tasks: who takes one calls kith_queue_task_done when it is done, and kith_queue_join waits for all */
};

enum { KITH_QUEUE_MOST_WORKERS = 256 };

typedef struct kith_queue_options {
  uint32_t struct_size; /* sizeof(kith_queue_options) */
  uint32_t flags;       /* KITH_QUEUE_TASKS */
  uint64_t capacity;    /* bytes: a power of two from 4096 to 2^30; 0: 65536. An item takes 16 more than its size, in steps of 16 */
  uint64_t most_items;  /* 0: as many as fit */
} kith_queue_options;

/* Creates a queue for items of any size, put and taken by threads of any number of processes, in order. A process that dies while it
 * puts an item has not put it; one that dies after it took an item, takes it along.
 * Returns: KITH_OK; KITH_E_INVALID (out NULL, a capacity that is not allowed); KITH_E_UNSUPPORTED (an unknown flag); KITH_E_NO_MEMORY;
 * KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_queue_create(const kith_queue_options *options, kith_queue **out);

/* Takes the queue that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_queue_inherit(const char *name, kith_queue **out);

/* Puts a copy of an item at the end (data may be NULL when the size is 0), waiting while there is no room for it.
 * Returns: KITH_OK; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED (it was not put); KITH_E_CLOSED (kith_queue_shutdown was called, or
 * another thread closed the handle); KITH_E_TOO_LARGE (it could never fit); KITH_E_PROTOCOL (another process has written rubbish into the
 * queue); KITH_E_INVALID.
 * Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_queue_put(kith_queue *queue, const void *data, size_t size, int64_t timeout_ms);

/* Takes the first item, waiting until there is one. *out_size is its size.
 * When it is larger than the buffer, the call fails with KITH_E_TOO_LARGE, *out_size is the size that is needed, and the item stays, for
 * whoever comes next with a buffer that is large enough. buffer may be NULL when capacity is 0.
 * Returns: KITH_OK; KITH_E_TOO_LARGE; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED (nothing was taken); KITH_E_CLOSED (all has been
 * taken after kith_queue_shutdown; or another thread closed the handle); KITH_E_LIMIT (KITH_QUEUE_TASKS: KITH_QUEUE_MOST_WORKERS processes
 * have tasks that are not done); KITH_E_PROTOCOL; KITH_E_INVALID.
 * Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_queue_get(kith_queue *queue, void *buffer, size_t capacity, size_t *out_size, int64_t timeout_ms);

/* Ends the queue, for all processes: nothing can be put any more, what is there can still be taken. Whoever waits without need comes back.
 * Returns: KITH_OK, also when it had ended; KITH_E_INVALID. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_queue_shutdown(kith_queue *queue);

/* Tells how many items are there. The answer may be out of date when it arrives.
 * Returns: the number; 0 when the handle is NULL or closed. Threads: any, in any process. Since: 0.1 */
KITH_API uint64_t kith_queue_count(const kith_queue *queue);

/* Says that a task which was taken is done. Any process may say so.
 * Returns: KITH_OK; KITH_E_NOT_OWNER (no task that was taken is open); KITH_E_MISMATCH (a queue without KITH_QUEUE_TASKS); KITH_E_INVALID;
 * KITH_E_CLOSED. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_queue_task_done(kith_queue *queue);

/* Waits until as many tasks are done as have been put.
 * Returns: KITH_OK; KITH_OWNER_DIED (none is open any more, but a process died with tasks that it had not done, which no
 * earlier join has told of: they are lost); KITH_E_TIMEOUT; KITH_E_CANCELLED; KITH_E_INTERRUPTED; KITH_E_CLOSED (another thread closed the handle); KITH_E_MISMATCH (a queue
 * without KITH_QUEUE_TASKS); KITH_E_INVALID.
 * Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_queue_join(kith_queue *queue, int64_t timeout_ms);

/* Lets go of the queue. For the others it goes on: see kith_queue_shutdown.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_queue_close(kith_queue *queue);

/* ==== handles of the OS ============================================================================================= */

/* Makes an object of a handle that is not kith's: a descriptor (POSIX), or a HANDLE (Windows; a SOCKET only where no layered provider is
 * installed). Like other objects it can be given to a child, and sent through a channel. It is a copy: yours stays yours.
 * Returns: KITH_OK; KITH_E_INVALID (out NULL); KITH_E_OS (no such handle); KITH_E_LIMIT; KITH_E_NO_MEMORY.
 * Lifetime: *out is yours. Threads: any. Platforms: Windows' pseudo-handles, as of the process itself, are refused. Since: 0.1 */
KITH_API kith_status kith_os_handle_create(int64_t number, kith_os_handle **out);

/* Takes the handle that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_os_handle_inherit(const char *name, kith_os_handle **out);

/* Gives a copy of the handle, to be used and closed as the OS has it. No child of this process inherits it.
 * Returns: KITH_OK; KITH_E_INVALID; KITH_E_LIMIT; KITH_E_OS. Lifetime: *out_number is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_os_handle_copy(kith_os_handle *handle, int64_t *out_number);

/* Makes a pipe of the OS, as a shell does for `a | b`: *out_write is for the stdout of one child, *out_read for the stdin of another one (as
 * KITH_STDIO_HANDLE, by kith_os_handle_number). Both ends block who uses them, as programs expect; a kith_stream, which is for this process,
 * has deadlines and is no good for them.
 * Close both here when the children have started: who reads finds the end of what is written only when nobody can write any more.
 * Returns: KITH_OK; KITH_E_INVALID (an out is NULL, or both are the same); KITH_E_LIMIT; KITH_E_NO_MEMORY; KITH_E_OS.
 * Lifetime: *out_read and *out_write are yours. No child of this process inherits them. Threads: any. Platforms: pipe; CreatePipe. Since: 0.1 */
KITH_API kith_status kith_pipe_create(kith_os_handle **out_read, kith_os_handle **out_write);

/* Shows the number of the handle itself, for KITH_STDIO_HANDLE and for calls of the OS. Not to be closed: see kith_os_handle_copy.
 * Returns: the descriptor, or the HANDLE; -1 when the handle is NULL or closed. Lifetime: until kith_os_handle_close. Threads: any. Since: 0.1 */
KITH_API int64_t kith_os_handle_number(const kith_os_handle *handle);

/* Lets go of it. Copies are good as before.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_os_handle_close(kith_os_handle *handle);

/* ==== pool ========================================================================================================== */

typedef struct kith_pool kith_pool;

/* What a worker process has of its pool. */
typedef struct kith_worker kith_worker;

/* A task, done in a worker process. The bytes are good until it returns, aligned to 16; NULL when the size is 0. What it gives to
 * kith_worker_reply is the result; what it returns is the code that comes with it, 0 by custom when all went well. */
typedef int32_t (*kith_task)(const void *task, size_t size, kith_worker *worker);

enum { KITH_POOL_MOST_WORKERS = 1024 };

typedef struct kith_pool_options {
  uint32_t struct_size; /* sizeof(kith_pool_options) */
  uint32_t flags;       /* none yet: 0 */

  /* What a worker is: exactly one of these five. */
  kith_task task;          /* a function of this program or of a library that it has loaded, called for each task */
  kith_entry entry;        /* a function that serves the pool by itself: see kith_worker_open */
  const char *entry_name;  /* such a function, registered with kith_entry_register, here and in the child */
  const char *const *argv; /* a program that serves the pool by itself, in whatever language; as in kith_process_options */
  const char *library;     /* with `symbol`, and perhaps `host`: such a function, which a library exports; as in kith_process_options */
  const char *symbol;
  const char *host;

  /* With `task`. The functions get `argument`. */
  kith_entry start; /* called in each new worker before its first task; when it does not return 0, the worker ends. NULL: none */
  kith_entry end;   /* called in a worker that ends in good order, after its last task. NULL: none */

  const void *argument; /* bytes for start and end, or for entry; copied */
  size_t argument_size;

  const kith_share *shares; /* what each worker gets: anything but channel ends. The pool holds them itself until it is closed */
  size_t share_count;

  const char *const *env; /* as in kith_process_options */
  const char *cwd;

  uint32_t workers;    /* how many; 0: as many as this process has cores */
  uint32_t reserved;   /* 0 */
  uint64_t most_tasks; /* that one worker does before a fresh one takes its place; 0: no limit */
  uint64_t ring_size;  /* bytes of tasks that can wait at each worker, and of results: a power of two from 4096 to 2^30; 0: 65536. It
                          bounds the size of neither */
} kith_pool_options;

/* What became of a task. */
typedef struct kith_answer {
  uint64_t ticket;
  uint64_t size;      /* of the result, in bytes */
  kith_status status; /* KITH_OK: it was done; KITH_E_WORKER_DIED; KITH_E_NO_MEMORY (its worker died before it began, and there was no memory
                         to keep it) */
  int32_t code;       /* KITH_OK: what the task's function returned */
  kith_exit end;      /* KITH_E_WORKER_DIED: how its worker ended */
} kith_answer;

typedef struct kith_pool_progress {
  uint64_t done;    /* tasks that are answered; those lost with their worker, too */
  uint64_t unread;  /* of these: whose result nobody has taken yet */
  uint64_t running; /* tasks that a worker is doing now */
  uint64_t waiting; /* tasks that no worker has begun */
  uint64_t died;    /* workers that ended unasked, those that failed to start included */
  uint32_t workers; /* that are there now */
  uint32_t reserved;
} kith_pool_progress;

/* Creates a pool: worker processes that do tasks, bytes in and bytes out, and are replaced when they die.
 *
 * The pool keeps no thread. Tasks go straight to the workers, which go on by themselves; all else (taking results off their hands, moving tasks
 * from a busy worker to an idle one, starting a fresh worker for one that died) is done by the calls of this section, in the thread that
 * calls, before they wait.
 *
 * When a worker dies, the task that it was doing is answered with KITH_E_WORKER_DIED; tasks that it had not begun go to others, and a fresh
 * worker takes its place. A worker that ends five times in a row before it has begun a task is given up; when all are, the tasks that are left are
 * answered with KITH_E_WORKER_DIED, and so are calls that would submit more.
 * Workers end when this process ends, as other children do (kith_process_spawn); where the OS does not see to that, they notice by themselves.
 * Returns: KITH_OK; KITH_E_INVALID (out or options NULL, not exactly one kind of worker, start or end without task, a ring_size that is not allowed,
 * more than KITH_POOL_MOST_WORKERS); KITH_E_MISMATCH (a share that is a channel end, or cannot be shared); otherwise as kith_process_spawn.
 * Lifetime: *out is yours. Threads: any. Platforms: the death of a worker is noticed after 25 ms at most by who waits; with one worker at once, as by kith_lock_acquire.
 * Since: 0.1 */
KITH_API kith_status kith_pool_create(const kith_pool_options *options, kith_pool **out);

/* Submits a task (data may be NULL when the size is 0), waiting while no worker has room for it. *out_ticket, never 0, is the name of its
 * result; it may be NULL for who takes results by kith_pool_next.
 * Tasks are begun in about the order of their submission, but for what was said above; results come as they are done.
 * Returns: KITH_OK; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED (it was not submitted); KITH_E_CLOSED (kith_pool_shutdown was called, or
 * another thread closed the pool); KITH_E_WORKER_DIED (all workers were given up); KITH_E_NO_MEMORY; KITH_E_INVALID.
 * Threads: any. Since: 0.1 */
KITH_API kith_status kith_pool_submit(kith_pool *pool, const void *data, size_t size, uint64_t *out_ticket, int64_t timeout_ms);

/* Submits several tasks, which lie one behind the other in `data`; sizes[i] is the size of task i, tickets[i] will be its ticket (tickets may be
 * NULL). *out_count is how many were submitted, also when the call fails, but for KITH_E_INVALID (may be NULL).
 * Returns: as kith_pool_submit, for the first task that was not submitted. Threads: any. Since: 0.1 */
KITH_API kith_status kith_pool_submit_many(kith_pool *pool, const void *data, const size_t *sizes, size_t count, uint64_t *tickets,
                                           size_t *out_count, int64_t timeout_ms);

/* Takes the result of one task, waiting until it is done. buffer may be NULL when capacity is 0.
 * When the result is larger than the buffer, the call fails with KITH_E_TOO_LARGE, out->size is the size that is needed, and the result
 * stays. *out is written when the task was answered: with KITH_OK, KITH_E_TOO_LARGE and KITH_E_WORKER_DIED, and otherwise not.
 * Returns: KITH_OK (out->code is the task's own code: look at it); KITH_E_WORKER_DIED (its worker died over it: out->end tells how; or all were
 * given up); KITH_E_TOO_LARGE; KITH_E_NOT_FOUND (no such ticket, or its result was taken or dropped); KITH_E_TIMEOUT, KITH_E_CANCELLED,
 * KITH_E_INTERRUPTED (ask again); KITH_E_CLOSED (KITH_POOL_AT_ONCE has ended it, or another thread closed the pool); KITH_E_NO_MEMORY;
 * KITH_E_INVALID.
 * Threads: any. Since: 0.1 */
KITH_API kith_status kith_pool_result(kith_pool *pool, uint64_t ticket, void *buffer, size_t capacity, kith_answer *out, int64_t timeout_ms);

/* Takes the result of whichever task is done, in the order in which they are done, waiting until there is one: also when no task is there,
 * as another thread may submit some. out->ticket says which it is.
 * Returns: as kith_pool_result (KITH_E_TOO_LARGE: the result stays, for this call or kith_pool_result); KITH_E_CLOSED also when kith_pool_shutdown
 * was called, or all workers were given up, and all results were taken. Threads: any; each result goes to one of them. Since: 0.1 */
KITH_API kith_status kith_pool_next(kith_pool *pool, void *buffer, size_t capacity, kith_answer *out, int64_t timeout_ms);

/* Takes as many results as are there, fit the buffer, and are at most `most`; waits for the first one only. They are put one behind the other into
 * the buffer; answers[i] tells of each, its status included, *out_count their number.
 * Returns: KITH_OK; otherwise as kith_pool_next, but never KITH_E_WORKER_DIED (KITH_E_TOO_LARGE: answers[0] tells of the first one). Threads: any. Since: 0.1 */
KITH_API kith_status kith_pool_next_many(kith_pool *pool, void *buffer, size_t capacity, kith_answer *answers, size_t most, size_t *out_count,
                                         int64_t timeout_ms);

/* Does a task for each element of an array, and puts each result into the element of another array at the same place: task i are the `task_size` bytes
 * at tasks + i * task_size, its result of at most `result_size` bytes comes to results + i * result_size. Other threads may use the pool meanwhile; the
 * results are never given to their kith_pool_next. answers[i] (answers may be NULL) tells of each; answers[i].ticket is 0.
 * Returns: KITH_OK (all were done; their codes are in the answers); the status of the first that was not done: KITH_E_WORKER_DIED, or KITH_E_TOO_LARGE (a result
 * larger than result_size: nothing of it is in results) when all are answered; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED, KITH_E_CLOSED,
 * KITH_E_NO_MEMORY (it was given up: those that were not answered have that status in the answers, and are dropped as by kith_pool_drop); KITH_E_INVALID.
 * Threads: any. Since: 0.1 */
KITH_API kith_status kith_pool_map(kith_pool *pool, const void *tasks, size_t task_size, size_t count, void *results, size_t result_size,
                                   kith_answer *answers, int64_t timeout_ms);

/* Says that the result of a task is not wanted. A task that no worker has begun will not be done; one that runs goes on, and its result is dropped.
 * Returns: KITH_OK; KITH_E_NOT_FOUND (as by kith_pool_result); KITH_E_INVALID. Threads: any; it waits for nobody. Since: 0.1 */
KITH_API kith_status kith_pool_drop(kith_pool *pool, uint64_t ticket);

/* Tells how far the tasks are, for a progress bar.
 * Returns: KITH_OK; KITH_E_NO_MEMORY; KITH_E_INVALID. Threads: any, also while others wait; it waits for nobody. Since: 0.1 */
KITH_API kith_status kith_pool_get_progress(kith_pool *pool, kith_pool_progress *out);

enum {
  KITH_POOL_FINISH = 0, /* the tasks that are there are done, then the workers end, each after its `end` function */
  KITH_POOL_AT_ONCE = 1 /* the workers are killed; what they did, and what was waiting, is given up */
};

/* Ends the pool's work, and waits until all workers have ended. From the first call on nothing can be submitted. Results that are there can
 * be taken afterwards. When time is up the pool is as before, but for that; call again, perhaps with KITH_POOL_AT_ONCE.
 * Returns: KITH_OK; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED (workers are still there); KITH_E_CLOSED (another thread closed the
 * pool); KITH_E_NO_MEMORY; KITH_E_INVALID. Threads: any. Since: 0.1 */
KITH_API kith_status kith_pool_shutdown(kith_pool *pool, uint32_t how, int64_t timeout_ms);

/* The handle by which a loop of your own can wait for results: see kith_channel_poll_handle, whose rule it follows. kith_wait_any knows pools, too.
 * The death of a worker does not make it ready: call kith_pool_next with timeout 0 every second or so.
 * Returns: and lifetime as kith_channel_poll_handle. Threads: any. Since: 0.1 */
KITH_API kith_status kith_pool_poll_handle(kith_pool *pool, int64_t *out_handle);

/* Lets go of the pool. Workers that are there are killed: see kith_pool_shutdown.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_pool_close(kith_pool *pool);

/* In a worker process that serves a pool by itself: begins. Then kith_worker_next, kith_worker_reply and kith_worker_done, over and over, until
 * kith_worker_next is KITH_E_CLOSED. (A pool with a `task` does all that by itself.)
 * Returns: KITH_OK; KITH_E_NOT_FOUND (this process is no worker of a pool); KITH_E_MOVED (called before); KITH_E_MISMATCH (another version of
 * kith); KITH_E_INVALID; KITH_E_NO_MEMORY; KITH_E_OS. Lifetime: *out is yours. Threads: one thread at a time uses it. Since: 0.1 */
KITH_API kith_status kith_worker_open(kith_worker **out);

/* Waits for a task, and shows it where it lies. From then on it is this worker's: if the process ends before kith_worker_done, the task is lost.
 * Returns: KITH_OK; KITH_E_CLOSED (there will be no more: end); KITH_E_PEER_DIED (the pool's process has died); KITH_E_BUSY (the last task is not
 * done); KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED; KITH_E_NO_MEMORY; KITH_E_PROTOCOL; KITH_E_INVALID.
 * Lifetime: *out_data until kith_worker_done; aligned to 16, NULL when the size is 0. Threads: one at a time. Since: 0.1 */
KITH_API kith_status kith_worker_next(kith_worker *worker, const void **out_data, size_t *out_size, int64_t timeout_ms);

/* Adds bytes to the result of the task at hand; it may be called any number of times. A result of more than a quarter of the ring waits for the pool's process
 * to take it, bit by bit.
 * Returns: KITH_OK; KITH_E_NOT_OWNER (there is no task at hand); KITH_E_PEER_DIED; KITH_E_CANCELLED, KITH_E_INTERRUPTED, KITH_E_CLOSED
 * (given up: the result is as it was, or has a part of the bytes: end, or fail the task); KITH_E_PROTOCOL; KITH_E_INVALID. Threads: the one that does the task. Since: 0.1 */
KITH_API kith_status kith_worker_reply(kith_worker *worker, const void *data, size_t size);

/* The task at hand is done, with this code: sends its result. Not for the function of a pool with `task`, whose return does it.
 * Returns: as kith_worker_reply. Threads: the one that does the task. Since: 0.1 */
KITH_API kith_status kith_worker_done(kith_worker *worker, int32_t code);

/* Lets go of the pool. The process is no worker any more, and should end.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_worker_close(kith_worker *worker);

/* ==== broadcast ===================================================================================================== */

enum {
  KITH_BROADCAST_HOLD = 1 /* the slowest reader holds the writers back; without, it misses what it has not read in time, and is told how much */
};

enum { KITH_BROADCAST_MOST_READERS = 1024 };

typedef struct kith_broadcast_options {
  uint32_t struct_size;  /* sizeof(kith_broadcast_options) */
  uint32_t flags;        /* KITH_BROADCAST_HOLD */
  uint64_t ring_size;    /* bytes: a power of two from 4096 to 2^30; 0: 1 MiB. A message takes 16 more than its size, in steps of 16; it is at most
                            a quarter of this, less 32 bytes */
  uint64_t history;      /* the most messages of the past that a new reader can begin with; 0: as many as the ring still has */
  uint32_t most_readers; /* KITH_BROADCAST_HOLD: how many there can be at a time, up to KITH_BROADCAST_MOST_READERS; 0: 64. Otherwise 0, as
                            there can be any number */
  uint32_t reserved;     /* 0 */
} kith_broadcast_options;

/* Creates a broadcast: what anybody who has it publishes, each of its readers gets. Messages stay in a ring until newer ones need the room.
 *
 * All readers get the messages in the same order, each whole and once, those of one writer in the order in which it published them. A process
 * that dies while it publishes has not published the message; one that dies as a reader changes nothing for the others: with
 * KITH_BROADCAST_HOLD it holds the writers back until its death is noticed.
 * Returns: KITH_OK; KITH_E_INVALID (out NULL, a size or number that is not allowed, most_readers without KITH_BROADCAST_HOLD);
 * KITH_E_UNSUPPORTED (an unknown flag); KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_broadcast_create(const kith_broadcast_options *options, kith_broadcast **out);

/* Takes the broadcast that the parent gave to this process under that name.
 * Returns: as kith_memory_inherit. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_broadcast_inherit(const char *name, kith_broadcast **out);

/* Publishes a copy of a message (data may be NULL when the size is 0). It waits for other writers, and with KITH_BROADCAST_HOLD for readers;
 * otherwise never for a reader. Nobody need read.
 * Returns: KITH_OK; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED (it was not published); KITH_E_CLOSED (kith_broadcast_shutdown was
 * called, or another thread closed the handle); KITH_E_TOO_LARGE (it could never fit); KITH_E_DEADLOCK (this thread has reserved room);
 * KITH_E_PROTOCOL (another process has written rubbish into the broadcast); KITH_E_INVALID.
 * Threads: any, in any process. Platforms: deaths of readers are noticed as by kith_lock_acquire. Since: 0.1 */
KITH_API kith_status kith_broadcast_publish(kith_broadcast *broadcast, const void *data, size_t size, int64_t timeout_ms);

/* Gives room for a message of up to `size` bytes in the ring itself, to be written in place; kith_broadcast_commit publishes it. Until commit or
 * abort other writers wait, in all processes; readers do not. When this process dies before, nothing was published, and the others go on.
 * *out_data is aligned to 16.
 * Returns: as kith_broadcast_publish; KITH_E_DEADLOCK (this thread has reserved room already).
 * Lifetime: *out_data until commit, abort, or the close of the handle. Threads: commit or abort in the same thread. Since: 0.1 */
KITH_API kith_status kith_broadcast_reserve(kith_broadcast *broadcast, size_t size, void **out_data, int64_t timeout_ms);

/* Publishes the first `size` bytes of what was reserved.
 * Returns: KITH_OK; KITH_E_NOT_OWNER (this thread has reserved nothing by this handle); KITH_E_TOO_LARGE (more than was reserved: nothing is published, the
 * room stays reserved); KITH_E_CLOSED (kith_broadcast_shutdown was called meanwhile: nothing is published, the room is given back);
 * KITH_E_INVALID. Threads: the one that reserved. Since: 0.1 */
KITH_API kith_status kith_broadcast_commit(kith_broadcast *broadcast, size_t size);

/* Gives back what was reserved; nothing is published. Returns: KITH_OK; KITH_E_NOT_OWNER; KITH_E_INVALID. Threads: the one that reserved. Since: 0.1 */
KITH_API kith_status kith_broadcast_abort(kith_broadcast *broadcast);

/* Ends the broadcast, for all processes: nothing can be published any more; readers get what is there, then KITH_E_CLOSED. While somebody has
 * reserved room it does not wait for the commit, which then publishes nothing.
 * Returns: KITH_OK, also when it had ended; KITH_E_INVALID. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_broadcast_shutdown(kith_broadcast *broadcast);

/* Tells how many messages were ever published. The answer may be out of date when it arrives.
 * Returns: the number; 0 when the handle is NULL or closed. Threads: any, in any process. Since: 0.1 */
KITH_API uint64_t kith_broadcast_count(const kith_broadcast *broadcast);

enum { KITH_HISTORY_ALL = -1 };

/* Becomes a reader, from now on (history 0), or beginning with the last `history` messages, or all (KITH_HISTORY_ALL), as far as the ring still
 * has them; it always has the newest.
 * Returns: KITH_OK; KITH_E_LIMIT (KITH_BROADCAST_HOLD: most_readers are there); KITH_E_INVALID (another negative history, NULL); KITH_E_PROTOCOL;
 * KITH_E_NO_MEMORY.
 * Lifetime: *out is yours, and of this process only; it outlives the handle of the broadcast. Threads: any, in any process. Since: 0.1 */
KITH_API kith_status kith_broadcast_subscribe(kith_broadcast *broadcast, int64_t history, kith_reader **out);

/* Takes the next message, waiting until there is one. *out_size is its size, and *out_missed (may be NULL) how many messages this reader has missed between
 * the one before and this one: always 0 with KITH_BROADCAST_HOLD. So all that it got and all that it missed add up to all that were published
 * since it began.
 * When the message is larger than the buffer, the call fails with KITH_E_TOO_LARGE, *out_size is the size that is needed, and the message stays
 * for the next call, if no writer is quicker. buffer may be NULL when capacity is 0. After a failure the buffer may hold a part of a message.
 * Returns: KITH_OK; KITH_MISSED (a message, but the reader missed some before it); KITH_E_TOO_LARGE; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED
 * (nothing was taken); KITH_E_CLOSED (all has been read after kith_broadcast_shutdown; or another thread closed the reader); KITH_E_DEADLOCK (a message is
 * being shown by kith_reader_peek); KITH_E_BUSY (another thread is in a call with this reader); KITH_E_NOT_OWNER (with KITH_BROADCAST_HOLD, in a
 * forked child: the reader is its parent's); KITH_E_PROTOCOL; KITH_E_INVALID.
 * Threads: one at a time. Since: 0.1 */
KITH_API kith_status kith_reader_next(kith_reader *reader, void *buffer, size_t capacity, size_t *out_size, uint64_t *out_missed,
                                      int64_t timeout_ms);

/* Shows the next message where it lies, waiting until there is one; kith_reader_consume then takes it, kith_reader_release leaves it.
 * With KITH_BROADCAST_HOLD no writer touches it until then. Without, a writer may overwrite it while you look: kith_reader_consume
 * tells. So believe nothing of it before that: check what you use as an index or a size, or copy, consume, and then use the copy.
 * Returns: as kith_reader_next, but never KITH_E_TOO_LARGE. *out_missed as there.
 * Lifetime: *out_data until consume, release, or the close of the reader. Threads: one at a time. Since: 0.1 */
KITH_API kith_status kith_reader_peek(kith_reader *reader, const void **out_data, size_t *out_size, uint64_t *out_missed, int64_t timeout_ms);

/* Takes the message that was shown.
 * Returns: KITH_OK (what you saw was the message); KITH_MISSED (writers may have overwritten it while you looked: throw away what you made of it; it
 * counts among those missed before the next one, and so do those that you were told of when it was shown); KITH_E_NOT_OWNER (none is being shown);
 * KITH_E_BUSY; KITH_E_INVALID. Threads: one at a time. Since: 0.1 */
KITH_API kith_status kith_reader_consume(kith_reader *reader);

/* Leaves the message that was shown where it is, for the next call. Returns: KITH_OK; KITH_E_NOT_OWNER; KITH_E_BUSY; KITH_E_INVALID. Threads: one at a
 * time. Since: 0.1 */
KITH_API kith_status kith_reader_release(kith_reader *reader);

/* Tells how many messages were published that this reader has not got yet: how far it lags behind. Those that it has missed already are among
 * them. The answer may be out of date when it arrives.
 * Returns: the number; 0 when the handle is NULL or closed, or another thread is in a call with the reader. Threads: any. Since: 0.1 */
KITH_API uint64_t kith_reader_pending(const kith_reader *reader);

/* Lets go of the reader. A call of another thread that waits comes back with KITH_E_CLOSED.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_reader_close(kith_reader *reader);

/* Lets go of the broadcast. For the others it goes on, and so it does for the readers that were made by this handle: see kith_broadcast_shutdown. Room
 * that is reserved by this handle is given back.
 * Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_broadcast_close(kith_broadcast *broadcast);

/* ==== endpoint ====================================================================================================== */

/* Whom it lets in is told by users: a user is written as the OS numbers it, on POSIX the uid in decimal ("1000"), on Windows the SID
 * ("S-1-5-21-..."), as kith_channel_peer tells it. */
typedef struct kith_endpoint_options {
  uint32_t struct_size;      /* sizeof(kith_endpoint_options) */
  uint32_t flags;            /* none yet: 0 */
  uint64_t ring_size;        /* of the channels, as in kith_channel_options */
  uint64_t large_message;    /* the same */
  uint32_t channel_flags;    /* KITH_CHANNEL_LOW_CPU */
  uint32_t handshake_ms;     /* who has connected and does not say within this time what kith says is let go; 0: 5000 */
  const char *const *users;  /* who may connect beside this user, at most 16, ends with NULL; "*": everybody. NULL: nobody */
  const void *key;           /* who connects must know it, and is shown that we do. NULL: no key */
  size_t key_size;
} kith_endpoint_options;

enum {
  KITH_CONNECT_WAIT = 1 /* until somebody listens, instead of KITH_E_NOT_FOUND */
};

typedef struct kith_connect_options {
  uint32_t struct_size; /* sizeof(kith_connect_options) */
  uint32_t flags;       /* KITH_CONNECT_WAIT */
  const char *user;     /* whose endpoint; NULL: this user's. That it is his is made sure of */
  const void *key;      /* as that of the endpoint */
  size_t key_size;
} kith_connect_options;

/* Listens under a name, so that processes that are not relatives can connect: kith_connect there, kith_endpoint_accept here.
 *
 * Each user has names of his own. A name is 1 to 4,096 bytes of UTF-8. It is free again when the endpoint is closed or its process ends, in
 * whatever way; while that lives, nobody else gets it.
 * With a key both sides prove to each other that they know it, without saying it; what is sent later is not encrypted.
 * Returns: KITH_OK; KITH_E_EXISTS (somebody listens under that name); KITH_E_INVALID (out or name NULL, an empty or too long name, a user that is none, a
 * key of 0 bytes, a ring_size that is not allowed); KITH_E_DENIED (the folder of names is not ours, or something strange lies in it);
 * KITH_E_UNSUPPORTED (an unknown flag); KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Platforms: a child by a plain fork() that has the endpoint keeps the name in use. Since: 0.1 */
KITH_API kith_status kith_endpoint_listen(const char *name, const kith_endpoint_options *options, kith_endpoint **out);

/* Takes the next process that has connected: a channel as any other, whose other end it has. Who is silent, sends rubbish or does not know the
 * key is let go and holds up nobody; who is not one of the users is refused.
 * Returns: KITH_OK; KITH_E_TIMEOUT, KITH_E_CANCELLED, KITH_E_INTERRUPTED (nobody was taken); KITH_E_CLOSED (another thread closed the endpoint
 * meanwhile); KITH_E_INVALID; KITH_E_NO_MEMORY; KITH_E_LIMIT (out of descriptors: who has connected waits, or is let go); KITH_E_OS.
 * Lifetime: *out is yours. Threads: any; each gets another channel. Since: 0.1 */
KITH_API kith_status kith_endpoint_accept(kith_endpoint *endpoint, kith_channel **out, int64_t timeout_ms);

/* Connects to the endpoint of that name, and waits until it has accepted.
 * Returns: KITH_OK; KITH_E_NOT_FOUND (nobody listens under that name); KITH_E_TIMEOUT (the other side has not accepted yet; or, with
 * KITH_CONNECT_WAIT, nobody listens), KITH_E_CANCELLED, KITH_E_INTERRUPTED; KITH_E_DENIED (it does not let this user in, or is not the user's whom
 * we want); KITH_E_WRONG_KEY; KITH_E_MISMATCH (it is of another version of kith); KITH_E_PEER_DIED (it ended, or let us go); KITH_E_UNSUPPORTED (an unknown flag; or another pid
 * namespace); KITH_E_PROTOCOL (it is not kith); KITH_E_INVALID; KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_connect(const char *name, const kith_connect_options *options, kith_channel **out, int64_t timeout_ms);

/* Closes the endpoint; the name is free. Channels that it gave go on; who has connected and was not accepted is refused.
 * Threads: any. Since: 0.1 */
KITH_API void kith_endpoint_close(kith_endpoint *endpoint);

enum { KITH_USER_SIZE = 192 };

/* Who has the other end of a channel. */
typedef struct kith_peer {
  int64_t pid;               /* 0: not known, as nobody has taken the end yet */
  int32_t alive;             /* 0: it has ended, or has closed its end */
  int32_t told_by_os;        /* 1: pid and user are those that the OS named when the two connected. 0: the other side names itself */
  char user[KITH_USER_SIZE]; /* of a connected channel, as in kith_endpoint_options.users; else "" */
} kith_peer;

/* Tells who has the other end. A channel made by kith_endpoint_accept or kith_connect knows who connected; if the end was handed on since, that is
 * not seen.
 * Returns: KITH_OK; KITH_E_MOVED; KITH_E_INVALID. Threads: any. Platforms: macOS and Windows name the pid as it was at the connect, too. Since: 0.1 */
KITH_API kith_status kith_channel_peer(kith_channel *channel, kith_peer *out);

/* ==== names ========================================================================================================= */

/* Memory, arrays, values, locks, semaphores, conditions, events, barriers, queues and broadcasts can have a name by which processes that are
 * not relatives meet at one object. Each user has names of his own, and each kind: a lock and an array may have the same name. Endpoints have names, too,
 * and live as long as their process: see kith_endpoint_listen.
 *
 * Nobody owns a named object. It lives as long as any process uses it, whoever made it, and is gone with the last one, also when all are killed. What
 * is left of the memory when all were killed is seen by nobody, and is removed by the next process that creates a named object, or by kith_collect. With
 * KITH_NAME_PERSISTENT it lives on without users, until kith_name_remove. An object that is not finished, because its creator died, does not exist. The close
 * of a named object waits up to 200 ms for a process that is just looking at the names, and may have been stopped in that moment.
 *
 * A named object is used as any other: it can be given to children and sent through channels, and who got it so is a user of it as well. A child by
 * KITH_START_FORK, or by a plain fork(), has the memory; it is not listed as a user, though the object stays until it has ended, too (but see
 * docs/platform_notes.md).
 *
 * Where the memory of others cannot shrink under us, that of named objects can all the same: every process of this user may open the file that it
 * is (POSIX). Who must be safe from processes of his own user meets them at an endpoint. */

/* kith_naming.flags */
enum {
  KITH_NAME_CREATE = 1,      /* make it if there is none */
  KITH_NAME_OPEN = 2,        /* open what there is. Together with CREATE: whichever is to be done */
  KITH_NAME_PERSISTENT = 4,  /* it lives on without users, at most until the machine starts anew where names lie in memory, as on Linux */
  KITH_NAME_OTHERS_READ = 8, /* other users may open it, for reading only: of memory. POSIX */
  KITH_NAME_OTHERS_USE = 16  /* other users may open it and use it as you do, but not remove it: they must be trusted with all that is in it,
                                and not to shrink it. POSIX */
};

/* What to open or create. PERSISTENT and OTHERS_... are for who creates it, and need CREATE. */
typedef struct kith_naming {
  uint32_t struct_size; /* sizeof(kith_naming) */
  uint32_t flags;       /* KITH_NAME_CREATE, KITH_NAME_OPEN, or both; and the others */
  const char *name;     /* 1 to 4,096 bytes of UTF-8 */
  const char *user;     /* whose name, written as in kith_endpoint_options; NULL: this user's. Another one's can only be opened */
} kith_naming;

/* Opens or creates memory of that name. Size and options count for who creates; who opens must name the size that it has, or 0 for whatever
 * it has (with KITH_NAME_OPEN alone). KITH_MEMORY_READ_ONLY_SHARE has no meaning for a name. Memory of another user that may only be read is mapped so: who writes to it ends by a fault.
 * *out_created (may be NULL) is 1 if this call has created it, 0 if it was there. What has just been created is zeroed for all, and seen by nobody before.
 * Returns: KITH_OK; KITH_E_EXISTS (CREATE alone, and it is there); KITH_E_NOT_FOUND (OPEN alone, and there is none); KITH_E_MISMATCH (it is of another
 * type or size, or of another version of kith); KITH_E_DENIED (what lies there is not ours: a link, another user's file; or that user
 * does not let us); KITH_E_TIMEOUT (a process that is stopped has held up all names for 5 seconds); KITH_E_INVALID (naming or out NULL, neither CREATE nor
 * OPEN, a name that is empty or too long, no such user, CREATE among the names of another user, PERSISTENT or OTHERS_... without CREATE,
 * size 0 with CREATE, COMMIT together with LAZY); KITH_E_UNSUPPORTED (an unknown flag; READ_ONLY_SHARE; OTHERS_... or another user on Windows; an object of processes in another
 * pid namespace); KITH_E_TOO_LARGE; KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Platforms: POSIX: the memory is a file in /dev/shm or /tmp, and so is bounded by the size of that. Windows: names are those of a session, so a service and a program on the desktop do not meet by
 * them. Since: 0.1 */
KITH_API kith_status kith_memory_open_named(const kith_naming *naming, size_t size, const kith_memory_options *options, kith_memory **out,
                                            int32_t *out_created);

/* The same for an array. Who opens with KITH_NAME_OPEN alone may leave the count, or type and count, 0: whatever it has.
 * Returns: as kith_memory_open_named; KITH_E_INVALID also as kith_array_create, and for KITH_NAME_OTHERS_READ without OTHERS_USE.
 * Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_array_open_named(const kith_naming *naming, kith_type type, size_t count, const kith_array_options *options,
                                           kith_array **out, int32_t *out_created);

/* The same for a value. *initial, if there is one, is what it is created with; who opens it finds what it has.
 * Returns: as kith_array_open_named. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_value_open_named(const kith_naming *naming, kith_type type, const void *initial, const kith_value_options *options,
                                           kith_value **out, int32_t *out_created);

/* The same for a lock. The options are for who creates it.
 * Returns: as kith_array_open_named. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_lock_open_named(const kith_naming *naming, const kith_lock_options *options, kith_lock **out, int32_t *out_created);

/* The same for a semaphore. Who opens must agree about KITH_SEMAPHORE_SIGNAL and, without that, about the number of permits; with KITH_NAME_OPEN alone
 * `initial` may be 0: whatever it has. What it counts is not changed by opening.
 * Returns: as kith_array_open_named; KITH_E_INVALID also as kith_semaphore_create. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_semaphore_open_named(const kith_naming *naming, uint32_t initial, const kith_semaphore_options *options,
                                               kith_semaphore **out, int32_t *out_created);

/* The same for a condition.
 * Returns: as kith_array_open_named. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_condition_open_named(const kith_naming *naming, const kith_condition_options *options, kith_condition **out,
                                               int32_t *out_created);

/* The same for an event. The options are for who creates it.
 * Returns: as kith_array_open_named. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_event_open_named(const kith_naming *naming, const kith_event_options *options, kith_event **out, int32_t *out_created);

/* The same for a barrier. With KITH_NAME_OPEN alone `parties` may be 0: whatever it has.
 * Returns: as kith_array_open_named; KITH_E_INVALID also as kith_barrier_create. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_barrier_open_named(const kith_naming *naming, uint32_t parties, const kith_barrier_options *options, kith_barrier **out,
                                             int32_t *out_created);

/* The same for a queue. Who opens must agree about KITH_QUEUE_TASKS, and about the capacity unless that is 0 in its options; options NULL: whatever it has.
 * Returns: as kith_array_open_named; KITH_E_INVALID also as kith_queue_create. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_queue_open_named(const kith_naming *naming, const kith_queue_options *options, kith_queue **out, int32_t *out_created);

/* The same for a broadcast. Who opens must agree about KITH_BROADCAST_HOLD, and about sizes and numbers that are not 0 in its options; options NULL: whatever it has.
 * Returns: as kith_array_open_named; KITH_E_INVALID also as kith_broadcast_create. Lifetime: *out is yours. Threads: any. Since: 0.1 */
KITH_API kith_status kith_broadcast_open_named(const kith_naming *naming, const kith_broadcast_options *options, kith_broadcast **out,
                                               int32_t *out_created);

/* Takes persistence away from the object of this user that has that name: it goes at once if nobody uses it, else with its last user. One that
 * is not persistent goes with its last user anyway. `kind` is KITH_OBJECT_MEMORY, _ARRAY, _VALUE, _LOCK, _SEMAPHORE, _CONDITION, _EVENT, _BARRIER, _QUEUE or
 * _BROADCAST.
 * Returns: KITH_OK; KITH_E_NOT_FOUND; KITH_E_DENIED (what lies there is not ours); KITH_E_TIMEOUT (as kith_memory_open_named); KITH_E_MISMATCH (it is of another version of
 * kith, and used); KITH_E_INVALID (another kind; a name that is empty or too long); KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Threads: any. Since: 0.1 */
KITH_API kith_status kith_name_remove(int32_t kind, const char *name);

/* What names there were at a moment. */
typedef struct kith_names kith_names;

typedef struct kith_name_info {
  uint32_t struct_size;   /* sizeof(kith_name_info), set by you */
  int32_t kind;           /* KITH_OBJECT_...; KITH_OBJECT_ENDPOINT for an endpoint */
  uint32_t flags;         /* KITH_NAME_PERSISTENT, KITH_NAME_OTHERS_... */
  kith_type type;         /* of an array or value; else 0 */
  const char *name;       /* until kith_names_close */
  int64_t size;           /* bytes of memory, of all elements of an array, of a value; else 0 */
  int64_t element_size;   /* of an array or value; else 0 */
  const int64_t *users;   /* pids of the living processes that use it, each once, at most 256; of an endpoint: of the one that listens, if it is known.
                             Those of other users that may only read are not known. Until kith_names_close */
  size_t user_count;      /* how many pids there are in `users` */
  int64_t owner_pid;      /* who holds its lock: of a lock, array or value; 0: nobody */
  int64_t owner_held_ms;  /* how long */
  int64_t waiting;        /* how many threads wait: those that sleep, and not those that still spin for some microseconds; nor loops that are told through a
                             poll handle; nor those of more than 256 users. -1: not told */
  int64_t used;           /* queue, broadcast: bytes of the ring that are in use; semaphore: permits that are held, with KITH_SEMAPHORE_SIGNAL those that can
                             be had; barrier: as `waiting`; event: 1 if it is set; else 0 */
  int64_t capacity;       /* queue, broadcast: bytes of the ring; semaphore: permits, with KITH_SEMAPHORE_SIGNAL the maximum; barrier: parties; event: 1; else 0 */
  int32_t stale;          /* 1: left by a crash of all users; nobody sees it any more, and kith_collect removes it */
  int32_t reserved;
} kith_name_info;

/* Lists the named objects and endpoints of this user: a snapshot. Objects that are left over are among them. Nobody is held up, and nothing is changed.
 * Returns: KITH_OK, also when there are none; KITH_E_DENIED (the place of the names is not ours); KITH_E_TIMEOUT (as kith_memory_open_named); KITH_E_INVALID;
 * KITH_E_UNSUPPORTED (Windows does not let this process see what names there are); KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out is yours. Threads: any. Platforms: Windows: those of this session, and persistent ones. Since: 0.1 */
KITH_API kith_status kith_names_list(kith_names **out);

/* Tells how many there are. Returns: the number; 0 when the handle is NULL or closed. Threads: any. Since: 0.1 */
KITH_API size_t kith_names_count(const kith_names *names);

/* Tells about one of them. Set out->struct_size before; a field that your header does not have is left out.
 * Returns: KITH_OK; KITH_E_NOT_FOUND (index is not less than kith_names_count); KITH_E_INVALID (out NULL, or too small). Lifetime: the pointers in *out until
 * kith_names_close. Threads: any. Since: 0.1 */
KITH_API kith_status kith_names_at(const kith_names *names, size_t index, kith_name_info *out);

/* Lets go of the list. Threads: any; never blocks. Since: 0.1 */
KITH_API void kith_names_close(kith_names *names);

/* Removes what a crash of all users has left of the names of this user, endpoints included; never what lives, never what is persistent. The first
 * creation of a named object in a process does the same.
 * *out_removed (may be NULL) is how many objects and endpoints were removed.
 * Returns: KITH_OK; KITH_E_DENIED; KITH_E_TIMEOUT (as kith_memory_open_named); KITH_E_UNSUPPORTED (as kith_names_list); KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Threads: any. Since: 0.1 */
KITH_API kith_status kith_collect(size_t *out_removed);

/* ==== waiting for many ============================================================================================== */

enum {
  KITH_WAIT_READ = 1, /* a message, an item, a result, bytes, a set event, somebody who connects, the end of a process, or the end of a channel, queue or stream */
  KITH_WAIT_WRITE = 2 /* room: a send or put of a quarter of the ring (and at least of one small message), or a byte for a stream, would not
                         wait; or the end. Windows does not say whether a pipe has room: after a write that found none it is time to try
                         again every 10 ms */
};

enum {
  KITH_WAIT_OBJECT = 0, /* a kith_process, kith_channel, kith_queue, kith_event, kith_pool, kith_endpoint, kith_stream, kith_broadcast (KITH_WAIT_WRITE only) or kith_reader */
  KITH_WAIT_HANDLE = 1, /* POSIX: any descriptor that poll() takes. Windows: any HANDLE that can be waited for (KITH_WAIT_READ only) */
  KITH_WAIT_SOCKET = 2  /* POSIX: as KITH_WAIT_HANDLE. Windows: a SOCKET; looked at every few milliseconds */
};

typedef struct kith_wait_item {
  const void *object; /* KITH_WAIT_OBJECT; else NULL */
  int64_t handle;     /* KITH_WAIT_HANDLE, KITH_WAIT_SOCKET; else 0 */
  uint32_t what;      /* KITH_WAIT_OBJECT, _HANDLE, _SOCKET */
  uint32_t events;    /* KITH_WAIT_READ, KITH_WAIT_WRITE, or both; 0: KITH_WAIT_READ */
  uint32_t ready;     /* out: which of them came. KITH_WAIT_READ also when the wait for it failed: the next call on the object says why */
  uint32_t reserved;  /* 0 */
} kith_wait_item;

/* Waits until at least one of the items is ready, and marks all that are, so none starves. Nothing is taken: another thread or process may be
 * quicker, so go on with timeout 0. Any number of items; the same object may be there twice.
 * *out_ready is how many items are ready.
 * Returns: KITH_OK; KITH_E_TIMEOUT; KITH_E_CANCELLED; KITH_E_INTERRUPTED (`ready` is 0 in all items then); KITH_E_INVALID (items NULL with a count
 * above 0, an unknown event, a closed object); KITH_E_MISMATCH (an object of another kind, a handle that cannot be waited for);
 * KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS. Without items it waits for its deadline.
 * Threads: any. Platforms: without pidfd or kqueue the end of a process is noticed after 25 ms. Since: 0.1 */
KITH_API kith_status kith_wait_any(kith_wait_item *items, size_t count, size_t *out_ready, int64_t timeout_ms);

/* The handle by which a loop of your own (epoll, kqueue, libuv, WaitForMultipleObjects) can wait for the object.
 *
 * The rule: call kith_poll_arm; when that is KITH_OK wait until the handle is readable (a descriptor) or signalled (a HANDLE); when it is
 * KITH_E_BUSY, or the wait is over, use the object with timeout 0 until that is KITH_E_TIMEOUT, and begin again. Never read from the handle, and
 * never wait without having armed: what came before does not make it ready. For processes and endpoints arming does nothing.
 * Look at the object every second or so all the same: when a process dies that was about to tell you, nothing tells you.
 * Returns: KITH_OK; KITH_E_UNSUPPORTED (this OS has none for this object); KITH_E_INVALID; KITH_E_MOVED; KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS.
 * Lifetime: *out_handle until the object is closed; it is the object's. Threads: any, but one at a time arms and waits. Since: 0.1 */
KITH_API kith_status kith_channel_poll_handle(kith_channel *channel, int64_t *out_handle);

/* The same for a queue. For both events, but who only waits for room had better ask for kith_queue_room_handle.
 * Returns: and lifetime as kith_channel_poll_handle. Threads: any. Since: 0.1 */
KITH_API kith_status kith_queue_poll_handle(kith_queue *queue, int64_t *out_handle);

/* The handle of a queue for KITH_WAIT_WRITE alone, as kith_queue_poll_handle is for KITH_WAIT_READ from then on, of this kith_queue. Who waits for room
 * by the handle of both may take the ring from one who waits for items of the same queue in another process, who then hears of them when it looks by itself.
 * Returns: and lifetime as kith_channel_poll_handle. Threads: any. Since: 0.1 */
KITH_API kith_status kith_queue_room_handle(kith_queue *queue, int64_t *out_handle);

/* The same for who publishes with KITH_BROADCAST_HOLD, for KITH_WAIT_WRITE. Returns: and lifetime as kith_channel_poll_handle. Threads: any.
 * Since: 0.1 */
KITH_API kith_status kith_broadcast_poll_handle(kith_broadcast *broadcast, int64_t *out_handle);

/* The same for a reader. Returns: and lifetime as kith_channel_poll_handle. Threads: any. Platforms: KITH_E_UNSUPPORTED but on Linux: look at
 * the reader every few milliseconds, as kith_wait_any (25 ms) and kith_uv do there. Since: 0.1 */
KITH_API kith_status kith_reader_poll_handle(kith_reader *reader, int64_t *out_handle);

/* The same for an event. Returns: and lifetime as kith_channel_poll_handle. Threads: any. Since: 0.1 */
KITH_API kith_status kith_event_poll_handle(kith_event *event, int64_t *out_handle);

/* The same for a process. Returns: and lifetime as kith_channel_poll_handle. Threads: any. Since: 0.1 */
KITH_API kith_status kith_process_poll_handle(kith_process *process, int64_t *out_handle);

/* The same for an endpoint: for kith_endpoint_accept. Returns: and lifetime as kith_channel_poll_handle. Threads: any. Since: 0.1 */
KITH_API kith_status kith_endpoint_poll_handle(kith_endpoint *endpoint, int64_t *out_handle);

/* The same for a stream. One that is written becomes ready for writing, not for reading (poll for POLLOUT).
 * Returns: and lifetime as kith_channel_poll_handle; KITH_E_UNSUPPORTED also on Windows for a stream that is written: try every few milliseconds.
 * Threads: any. Since: 0.1 */
KITH_API kith_status kith_stream_poll_handle(kith_stream *stream, int64_t *out_handle);

/* Asks that the object's handle becomes ready when one of the events comes (0: KITH_WAIT_READ). See kith_channel_poll_handle.
 * Returns: KITH_OK (nothing is there yet: wait); KITH_E_BUSY (something is there, the end included: use the object); KITH_E_INVALID;
 * KITH_E_MISMATCH (an object that has no such handle, or no such event); KITH_E_MOVED; KITH_E_PROTOCOL (the other side of a channel has written
 * what kith never writes). Threads: any. Since: 0.1 */
KITH_API kith_status kith_poll_arm(const void *object, uint32_t events);

/* Takes that back: saves the others the work of telling. Returns: KITH_OK; KITH_E_INVALID; KITH_E_MISMATCH. Threads: any. Since: 0.1 */
KITH_API kith_status kith_poll_disarm(const void *object);

#ifdef __cplusplus
}
#endif

#endif /* KITH_KITH_H */
