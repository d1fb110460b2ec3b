# SPDX-License-Identifier: MIT
"""kith.h for ctypes: constants, structs, functions, and how a status becomes an exception.

Each function is here once or twice: `lib.kith_...` lets other Python threads run while it waits, `quick.kith_...` does not, and is for calls
that come back at once.
"""
import ctypes
import os
import sys
import threading
import time
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

from ._errors import (Broken, Closed, Deadlock, Error, Interrupted, Mismatch, Moved, NotOwner, OwnerDied, PeerDied, ProtocolError, TimeoutExpired,
                      TooLarge, WrongKey)

# ---- constants ---------------------------------------------------------------------------------------------------------------

OK = 0
OWNER_DIED = 1
NOT_EQUAL = 2
LAST = 3
E_INVALID = -1
E_NO_MEMORY = -2
E_TIMEOUT = -3
E_CLOSED = -4
E_PEER_DIED = -5
E_TOO_LARGE = -6
E_NOT_FOUND = -7
E_DENIED = -8
E_LIMIT = -9
E_UNSUPPORTED = -10
E_OS = -11
E_EXISTS = -12
E_NOT_OWNER = -13
E_MISMATCH = -14
E_PROTOCOL = -15
E_MOVED = -16
E_DEADLOCK = -17
E_NOT_A_PROGRAM = -20
E_BUSY = -22
E_INTERRUPTED = -23
E_BROKEN = -25
E_WRONG_KEY = -30

FOREVER = -1
STRUCT = 11
MEMORY_LAZY = 4
LOCK_RECURSIVE = 8
CHANNEL_SHARED_ENDS = 2
SEMAPHORE_SIGNAL = 1
QUEUE_TASKS = 1
PROCESS_DETACHED = 8
WAIT_READ = 1
WAIT_OBJECT = 0
WAIT_HANDLE = 1
WAIT_SOCKET = 2
EXIT_CODE = 1
EXIT_SIGNAL = 2
EXIT_EXCEPTION = 3
EXIT_KILLED = 4

# What an object is: the word in the names of its functions, by KITH_OBJECT_...
KINDS = {
    1: "process",
    2: "memory",
    3: "array",
    4: "value",
    5: "lock",
    6: "channel",
    7: "semaphore",
    8: "condition",
    9: "event",
    10: "barrier",
    12: "queue",
    15: "endpoint",
    18: "os_handle",
}


# ---- structs -------------------------------------------------------------------------------------------------------------------


class Share(Structure):
    _fields_ = [("name", c_char_p), ("object", c_void_p)]


class ProcessOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("argv", POINTER(c_char_p)),
        ("entry", c_void_p),
        ("entry_name", c_char_p),
        ("argument", c_void_p),
        ("argument_size", c_size_t),
        ("start", c_uint32),
        ("reserved", c_uint32),
        ("shares", POINTER(Share)),
        ("share_count", c_size_t),
        ("env", POINTER(c_char_p)),
        ("cwd", c_char_p),
        ("_others", c_uint64 * 64),  # what this package does not use, and room for what later versions of the library have
    ]


class Exit(Structure):
    _fields_ = [("kind", c_int32), ("reserved", c_int32), ("code", c_int64)]


class Flags(Structure):
    """The options of locks, conditions, events, barriers and memory."""

    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32)]


class ElementOptions(Structure):
    """The options of arrays and values."""

    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("element_size", c_uint64)]


class SemaphoreOptions(Structure):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("maximum", c_uint32), ("reserved", c_uint32)]


class ChannelOptions(Structure):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("ring_size", c_uint64), ("large_message", c_uint64)]


class QueueOptions(Structure):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("capacity", c_uint64), ("most_items", c_uint64)]


class WaitItem(Structure):
    _fields_ = [
        ("object", c_void_p),
        ("handle", c_int64),
        ("what", c_uint32),
        ("events", c_uint32),
        ("ready", c_uint32),
        ("reserved", c_uint32),
    ]


class Owner(Structure):
    _fields_ = [("pid", c_int64), ("held_ms", c_int64), ("alive", c_int32), ("reserved", c_int32)]


def options(struct, **fields):
    """An options struct, by reference."""
    return byref(struct(ctypes.sizeof(struct), **fields))


# ---- functions -------------------------------------------------------------------------------------------------------------------

_P, _I64, _OUT = c_void_p, c_int64, c_void_p

# What each takes, and what it returns: a status unless said otherwise.
FUNCTIONS = {
    "status_name": ([c_int32], c_char_p),
    "status_text": ([c_int32], c_char_p),
    "os_error": ([], c_int32),
    "version": ([], c_int32),
    "abi_version": ([], c_int32),
    "wait_interruptible": ([c_int32], c_int32),
    "process_spawn": ([_P, _OUT], c_int32),
    "process_wait": ([_P, _I64, _OUT], c_int32),
    "process_terminate": ([_P], c_int32),
    "process_kill": ([_P], c_int32),
    "process_id": ([_P], c_int64),
    "process_poll_handle": ([_P, _OUT], c_int32),
    "memory_create": ([c_size_t, _P, _OUT], c_int32),
    "memory_data": ([_P], c_void_p),
    "memory_size": ([_P], c_size_t),
    "array_create": ([c_int32, c_size_t, _P, _OUT], c_int32),
    "array_data": ([_P], c_void_p),
    "array_lock": ([_P], c_void_p),
    "value_create": ([c_int32, _P, _P, _OUT], c_int32),
    "value_data": ([_P], c_void_p),
    "value_lock": ([_P], c_void_p),
    "lock_create": ([_P, _OUT], c_int32),
    "lock_acquire": ([_P, _I64], c_int32),
    "lock_release": ([_P], c_int32),
    "lock_mark_consistent": ([_P], c_int32),
    "lock_owner": ([_P, _OUT], c_int32),
    "semaphore_create": ([c_uint32, _P, _OUT], c_int32),
    "semaphore_acquire": ([_P, _I64], c_int32),
    "semaphore_release": ([_P], c_int32),
    "semaphore_available": ([_P], c_uint32),
    "condition_create": ([_P, _OUT], c_int32),
    "condition_wait": ([_P, _P, _I64], c_int32),
    "condition_notify": ([_P, c_uint32], c_int32),
    "condition_notify_all": ([_P], c_int32),
    "event_create": ([_P, _OUT], c_int32),
    "event_set": ([_P], c_int32),
    "event_clear": ([_P], c_int32),
    "event_wait": ([_P, _I64], c_int32),
    "event_is_set": ([_P], c_int32),
    "barrier_create": ([c_uint32, _P, _OUT], c_int32),
    "barrier_wait": ([_P, _I64, _OUT], c_int32),
    "barrier_abort": ([_P], c_int32),
    "barrier_reset": ([_P], c_int32),
    "barrier_parties": ([_P], c_uint32),
    "barrier_waiting": ([_P], c_uint32),
    "barrier_is_broken": ([_P], c_int32),
    "channel_create": ([_P, _OUT, _OUT], c_int32),
    "channel_send": ([_P, _P, c_size_t, _I64], c_int32),
    "channel_recv": ([_P, _P, c_size_t, _OUT, _I64], c_int32),
    "channel_send_object": ([_P, _P, _P, c_size_t, _I64], c_int32),
    "channel_recv_object": ([_P, _OUT, _OUT, _P, c_size_t, _OUT, _I64], c_int32),
    "channel_poll_handle": ([_P, _OUT], c_int32),
    "queue_create": ([_P, _OUT], c_int32),
    "queue_put": ([_P, _P, c_size_t, _I64], c_int32),
    "queue_get": ([_P, _P, c_size_t, _OUT, _I64], c_int32),
    "queue_count": ([_P], c_uint64),
    "queue_task_done": ([_P], c_int32),
    "queue_join": ([_P, _I64], c_int32),
    "queue_poll_handle": ([_P, _OUT], c_int32),
    "event_poll_handle": ([_P, _OUT], c_int32),
    "wait_any": ([_P, c_size_t, _OUT, _I64], c_int32),
    "poll_arm": ([_P, c_uint32], c_int32),
    "poll_disarm": ([_P], c_int32),
    # newer parts of the library
    "os_handle_create": ([_I64, _OUT], c_int32),
    "os_handle_copy": ([_P, _OUT], c_int32),
    "endpoint_listen": ([c_char_p, _P, _OUT], c_int32),
    "endpoint_accept": ([_P, _OUT, _I64], c_int32),
    "connect": ([c_char_p, _P, _OUT, _I64], c_int32),
}
for _kind in KINDS.values():
    FUNCTIONS[_kind + "_close"] = ([_P], None)
    FUNCTIONS[_kind + "_inherit"] = ([c_char_p, _OUT], c_int32)
del FUNCTIONS["process_inherit"], FUNCTIONS["endpoint_inherit"]

ABI_VERSION = 0


def _find_library():
    """KITH_LIBRARY, the library that the wheel carries, or one that the system has."""
    named = os.environ.get("KITH_LIBRARY")
    if named:
        return named
    name = {"win32": "kith.dll", "darwin": "libkith.dylib"}.get(sys.platform, "libkith.so")
    carried = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    if os.path.exists(carried):
        return carried
    # In a checkout: what the release preset has built.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    built = os.path.join(root, "build", "release", name)
    return built if os.path.exists(built) else name


class _Functions:
    """The functions of the library, without the prefix. Each is looked up when it is first used."""

    def __init__(self, library):
        self._library = library

    def __getattr__(self, name):
        if name not in FUNCTIONS:
            raise AttributeError(name)
        function = getattr(self._library, "kith_" + name)
        function.argtypes, function.restype = FUNCTIONS[name]
        setattr(self, name, function)
        return function


library_path = _find_library()
lib = _Functions(ctypes.CDLL(library_path))
quick = _Functions(ctypes.PyDLL(library_path))
if lib.abi_version() != ABI_VERSION:
    raise ImportError(f"{library_path} has the binary interface {lib.abi_version()}, and this package wants {ABI_VERSION}")


def _load_speed():
    """The module that does the common paths without ctypes (speed.c), which lies beside the library; None: without."""
    from importlib.machinery import ExtensionFileLoader, ModuleSpec
    path = os.path.join(os.path.dirname(library_path), "_kith_speed.abi3.so")
    if os.environ.get("KITH_PURE") or sys.implementation.name != "cpython" or not os.path.exists(path):
        return None
    loader = ExtensionFileLoader("kith._speed", path)
    module = loader.create_module(ModuleSpec("kith._speed", loader, origin=path))
    loader.exec_module(module)
    names = ("lock_acquire", "lock_release", "channel_send", "channel_recv", "queue_put", "queue_get")
    module.bind(*[ctypes.cast(getattr(lib, name), c_void_p).value for name in names])
    return module


def __getattr__(name):
    """`speed` is loaded when it is first used: a child that has no locks, connections or queues begins sooner."""
    if name != "speed":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    global speed
    speed = _load_speed()
    return speed


# ---- statuses ----------------------------------------------------------------------------------------------------------------------

_EXCEPTIONS = {
    OWNER_DIED: OwnerDied,
    E_INVALID: (Error, ValueError),
    E_NO_MEMORY: (Error, MemoryError),
    E_TIMEOUT: TimeoutExpired,
    E_CLOSED: Closed,
    E_PEER_DIED: PeerDied,
    E_TOO_LARGE: TooLarge,
    E_NOT_FOUND: (Error, FileNotFoundError),
    E_DENIED: (Error, PermissionError),
    E_LIMIT: (Error, OSError),
    E_OS: (Error, OSError),
    E_EXISTS: (Error, FileExistsError),
    E_NOT_OWNER: NotOwner,
    E_MISMATCH: Mismatch,
    E_PROTOCOL: ProtocolError,
    E_MOVED: Moved,
    E_DEADLOCK: Deadlock,
    E_NOT_A_PROGRAM: (Error, OSError),
    E_INTERRUPTED: Interrupted,
    E_BROKEN: Broken,
    E_WRONG_KEY: WrongKey,
}


def _class_of(status):
    found = _EXCEPTIONS.get(status, Error)
    if isinstance(found, tuple):
        found = _EXCEPTIONS[status] = type(found[1].__name__, found, {"__module__": "kith"})
    return found


def error(status):
    """The exception that a status stands for."""
    name = lib.status_name(status).decode()
    return _class_of(status)(f"{name}: {lib.status_text(status).decode()}")


def check(status):
    if status < 0:
        raise error(status)
    return status


# ---- waiting -----------------------------------------------------------------------------------------------------------------------

# A handler that runs in the moment before the thread goes to sleep is not noticed by the sleep: so the main thread, which runs Python's
# handlers, looks for them this often.
LONGEST_SLEEP_MS = 1000

_main = threading.main_thread()
_main_id = _main.ident
_asked = set()
_now = time.monotonic


def in_main_thread():
    if threading.get_ident() != _main_id:
        return False
    if _main_id not in _asked:
        _asked.add(_main_id)
        quick.wait_interruptible(1)
    return True


in_main_thread()


def milliseconds(timeout):
    """A timeout in seconds, None for ever, as kith wants it: rounded up, as a wait must not end before its time."""
    if timeout is None:
        return FOREVER
    if timeout <= 0:
        return 0
    whole = timeout * 1000
    if whole >= 9e15:
        return FOREVER
    return int(whole) + (whole != int(whole))


def wait(function, arguments, timeout):
    """Calls a function whose last parameter is a timeout, and gives its status. Python's signal handlers run meanwhile, and may raise."""
    left = milliseconds(timeout)
    if left == 0:
        return function(*arguments, 0)
    if not in_main_thread():
        return function(*arguments, left)
    end = None if left == FOREVER else _now() + timeout
    while True:
        status = function(*arguments, LONGEST_SLEEP_MS if left == FOREVER or left > LONGEST_SLEEP_MS else left)
        if status != E_INTERRUPTED and status != E_TIMEOUT:
            return status
        if end is not None:
            left = milliseconds(end - _now())
            if left == 0 and status == E_TIMEOUT:
                return status


def wait_whole(function, arguments, timeout):
    """As wait(), for a call whose deadline changes something, so that it cannot be waited for in slices. A signal in the moment before
    it sleeps is noticed only after it."""
    left = milliseconds(timeout)
    if left == 0 or not in_main_thread():
        return function(*arguments, left)
    end = None if left == FOREVER else _now() + timeout
    while True:
        status = function(*arguments, left)
        if status != E_INTERRUPTED:
            return status
        if end is not None:
            left = milliseconds(end - _now())


def out(function, *arguments):
    """Calls a function that puts a new handle where its last parameter says."""
    handle = c_void_p()
    check(function(*arguments, byref(handle)))
    return handle.value
