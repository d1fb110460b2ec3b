# SPDX-License-Identifier: MIT
"""Handles of kith objects, and how they travel: to a child that is being started, or through a connection or queue."""
import threading
from ctypes import byref, c_void_p

from . import _ffi


class Handle:
    """Owns one handle. Picklable while something carries it: see carrier()."""

    __slots__ = ("value", "kind", "__weakref__")

    def __init__(self, kind, value):
        self.kind = kind
        self.value = value

    @classmethod
    def create(cls, kind, *arguments):
        return cls(kind, _ffi.out(getattr(_ffi.lib, kind + "_create"), *arguments))

    def close(self):
        value, self.value = self.value, None
        if value is not None:
            getattr(_ffi.quick, self.kind + "_close")(value)

    # The modules may be gone when the interpreter ends; the OS takes everything back then.
    def __del__(self, getattr=getattr, quick=_ffi.quick):
        value, self.value = self.value, None
        if value is not None:
            getattr(quick, self.kind + "_close")(value)

    def __repr__(self):
        return f"<kith {self.kind} {'closed' if self.value is None else hex(self.value)}>"

    def __reduce__(self):
        if self.value is None:
            raise ValueError(f"a {self.kind} that is closed cannot be sent")
        return carrier(f"a {self.kind}").carry(self)


class _Carriers(threading.local):
    current = None


_carriers = _Carriers()


def carrier(what):
    """What carries objects that are being pickled in this thread."""
    if _carriers.current is None:
        raise RuntimeError(f"{what} can only be given to a new process, or sent through a connection or queue of kith.multiprocessing")
    return _carriers.current


class carrying:
    """Lets objects be pickled that `by` carries to somebody. None: nothing carries them."""

    __slots__ = ("by", "before")

    def __init__(self, by):
        self.by = by

    def __enter__(self):
        self.before = _carriers.current
        _carriers.current = self.by
        return self.by

    def __exit__(self, *_):
        _carriers.current = self.before


def current_carrier():
    return _carriers.current


class ToChild:
    """Carries objects to a child: as shares under names that nobody else uses."""

    spawning = True

    def __init__(self):
        self.shares = {}  # handle -> name

    def carry(self, handle):
        name = self.shares.setdefault(handle, f"python.{len(self.shares)}")
        return inherit, (handle.kind, name)


_inherited = {}


def inherit(kind, name):
    """In the child: the handle that was given under the name. The same each time, as one may stand in a pickle twice."""
    handle = _inherited.get(name)
    if handle is None:
        value = c_void_p()
        _ffi.check(getattr(_ffi.lib, kind + "_inherit")(name.encode(), byref(value)))
        handle = _inherited[name] = Handle(kind, value.value)
    return handle


def end_of_inheriting():
    _inherited.clear()
