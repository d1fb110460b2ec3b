# SPDX-License-Identifier: MIT
"""The shape and the meaning of the standard `multiprocessing`, on kith's objects.

Processes are spawned. Beyond the standard library: kith.OwnerDied where a process died with a lock, mark_consistent() to say that what it
protects is whole again, and every object of this package can also be sent through a connection or queue.
"""
import importlib
import os

from .. import _ffi as _ffi  # the library is there, or the import fails
from .process import Process, active_children, current_process, parent_process


class ProcessError(Exception):
    pass


class BufferTooShort(ProcessError):
    """The message is larger than the buffer; args[0] is the message."""


class TimeoutError(ProcessError):  # as the standard library names it
    pass


class AuthenticationError(ProcessError):
    pass


# Where each name lives: a child imports what it uses.
_places = {
    "Lock": "synchronize", "RLock": "synchronize", "Semaphore": "synchronize", "BoundedSemaphore": "synchronize", "Condition": "synchronize",
    "Event": "synchronize", "Barrier": "synchronize",
    "Value": "sharedctypes", "Array": "sharedctypes", "RawValue": "sharedctypes", "RawArray": "sharedctypes",
    "Pipe": "connection",
    "Queue": "queues", "JoinableQueue": "queues", "SimpleQueue": "queues",
    "Pool": "pool",
    "set_executable": "_popen", "get_executable": "_popen",
    "get_logger": "util", "log_to_stderr": "util",
}  # yapf: disable
_modules = {"connection", "pool", "process", "queues", "reduction", "sharedctypes", "shared_memory", "synchronize", "util"}

__all__ = ["Process", "active_children", "current_process", "parent_process", "ProcessError", "BufferTooShort", "TimeoutError",
           "AuthenticationError", "cpu_count", "freeze_support", "get_context", "get_start_method", "set_start_method",
           "get_all_start_methods", *_places]  # yapf: disable


def __getattr__(name):
    place = _places.get(name)
    if place is not None:
        value = getattr(importlib.import_module("." + place, __name__), name)
        globals()[name] = value
        return value
    if name in _modules:
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def cpu_count():
    count = os.cpu_count()
    if count is None:
        raise NotImplementedError("cannot determine number of cpus")
    return count


def freeze_support():
    """Nothing: children run the interpreter."""


def get_start_method(allow_none=False):
    return "spawn"


def get_all_start_methods():
    return ["spawn"]


def set_start_method(method, force=False):
    if method not in (None, "spawn"):
        raise ValueError(f"cannot find context for {method!r}: there is only 'spawn'")


def get_context(method=None):
    """This module: it has what a context has."""
    set_start_method(method)
    import sys
    return sys.modules[__name__]
