# SPDX-License-Identifier: MIT
"""Locks and what else processes wait with."""
import threading
import time
from ctypes import byref, c_uint32

from .. import _ffi
from .._errors import NotOwner
from .._ffi import E_DEADLOCK, E_TIMEOUT, LAST, LOCK_RECURSIVE, OK, OWNER_DIED, SEMAPHORE_SIGNAL, Flags, SemaphoreOptions, Owner, options
from .._handle import Handle

__all__ = ["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier"]

_acquire = _ffi.lib.lock_acquire
_try_acquire = _ffi.quick.lock_acquire
_release = _ffi.quick.lock_release


def _seconds(block, timeout):
    """As acquire(block, timeout) of the standard library has it."""
    if not block:
        return 0
    return timeout if timeout is None else max(timeout, 0)


class _SlowLock:
    """What speed.c has in C: the common path, and the names of what does the rest."""

    def _set_lock(self, value):
        self._value = value

    def acquire(self, block=True, timeout=None):
        """Whether it was acquired. Raises kith.OwnerDied, with the lock held, if a process died while it held it."""
        status = _try_acquire(self._value, 0)
        if status == OK:
            return True
        self._tried(status)
        return self._acquire(block, timeout)

    def release(self):
        if _release(self._value) != OK:
            self._release_failed()

    def __enter__(self):
        status = _try_acquire(self._value, 0)
        return True if status == OK else self._enter(status)

    def __exit__(self, *_):
        self.release()


class _LockBase(_ffi.speed.Lock if _ffi.speed is not None else _SlowLock):
    """A lock belongs to the thread that acquired it. When its process dies, whoever acquires it next gets kith.OwnerDied, and has it."""

    _recursive = False

    def __init__(self):
        flags = LOCK_RECURSIVE if self._recursive else 0
        self._setup(Handle.create("lock", options(Flags, flags=flags)))

    def _setup(self, handle, value=None):
        self._handle = handle
        self._value = handle.value if value is None else value
        self._set_lock(self._value)

    def __getstate__(self):
        return self._handle

    def __setstate__(self, handle):
        self._setup(handle)

    def _tried(self, status):
        if status != E_TIMEOUT and status != E_DEADLOCK:
            raise _ffi.error(status)

    def _acquire(self, block=True, timeout=None):
        seconds = _seconds(block, timeout)
        if seconds == 0:
            return False
        status = _ffi.wait(_acquire, (self._value,), seconds)
        if status == OK:
            return True
        if status == E_TIMEOUT:
            return False
        if status == E_DEADLOCK and seconds is not None:
            time.sleep(seconds)
            return False
        raise _ffi.error(status)

    # With kith.OwnerDied the block is not run, so nobody would release the lock. The next owner is told again.
    def _enter(self, status):
        try:
            self._tried(status)
            return self._acquire()
        except _ffi.OwnerDied:
            self.release()
            raise

    def _release_failed(self):
        raise NotOwner(f"{type(self).__name__} is not held by this thread")

    def mark_consistent(self):
        """Says that what the lock protects is in order again, after kith.OwnerDied."""
        _ffi.check(_ffi.quick.lock_mark_consistent(self._value))

    def owner(self):
        """The pid of the process that holds the lock, or None."""
        who = Owner()
        _ffi.check(_ffi.quick.lock_owner(self._value, byref(who)))
        return who.pid or None

    def locked(self):
        return self.owner() is not None

    def __repr__(self):
        try:
            owner = self.owner()
        except Exception:
            owner = "unknown"
        return f"<{type(self).__name__}(owner={owner})>"


class Lock(_LockBase):
    """Exclusion between threads of any number of processes."""


class RLock(_LockBase):
    """A lock that its owner may acquire again, and then releases as often."""

    _recursive = True


class _BorrowedRLock(RLock):
    """The lock that belongs to a shared value or array."""

    def __init__(self, handle):
        self._setup(handle, getattr(_ffi.quick, handle.kind + "_lock")(handle.value))

    def __setstate__(self, handle):
        self.__init__(handle)


class Semaphore:
    """Counts permits, which belong to nobody: who releases need not have acquired."""

    def __init__(self, value=1):
        self._create(value, 0)

    def _create(self, value, maximum):
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self._handle = Handle.create("semaphore", value, options(SemaphoreOptions, flags=SEMAPHORE_SIGNAL, maximum=maximum))

    def acquire(self, block=True, timeout=None):
        status = _ffi.quick.semaphore_acquire(self._handle.value, 0)
        if status == E_TIMEOUT:
            seconds = _seconds(block, timeout)
            if seconds != 0:
                status = _ffi.wait(_ffi.lib.semaphore_acquire, (self._handle.value,), seconds)
        if status == E_TIMEOUT:
            return False
        if status != OK:
            raise _ffi.error(status)
        return True

    def release(self):
        status = _ffi.quick.semaphore_release(self._handle.value)
        if status != OK:
            raise ValueError("semaphore released too many times")

    def get_value(self):
        return _ffi.quick.semaphore_available(self._handle.value)

    def locked(self):
        return self.get_value() == 0

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    def __repr__(self):
        return f"<{type(self).__name__}(value={self.get_value()})>"


class BoundedSemaphore(Semaphore):
    """A semaphore that cannot have more permits than it began with."""

    def __init__(self, value=1):
        self._create(value, value)


class Condition:
    """Processes wait with it until another one has changed what a lock protects."""

    def __init__(self, lock=None):
        self._set_lock(lock or RLock())
        self._handle = Handle.create("condition", None)

    def _set_lock(self, lock):
        self._lock = lock
        self.acquire = lock.acquire
        self.release = lock.release

    def __getstate__(self):
        return self._lock, self._handle

    def __setstate__(self, state):
        self._set_lock(state[0])
        self._handle = state[1]

    def wait(self, timeout=None):
        """Releases the lock, waits for a notification or the end of the time, and acquires the lock again. Whether it was notified."""
        status = _ffi.wait(_ffi.lib.condition_wait, (self._handle.value, self._lock._value), timeout)
        if status == OK:
            return True
        if status == E_TIMEOUT:
            return False
        raise _ffi.error(status)

    def wait_for(self, predicate, timeout=None):
        result = predicate()
        end = None if timeout is None else time.monotonic() + timeout
        while not result:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                break
            self.wait(left)
            result = predicate()
        return result

    def notify(self, n=1):
        _ffi.check(_ffi.quick.condition_notify(self._handle.value, n))

    def notify_all(self):
        _ffi.check(_ffi.quick.condition_notify_all(self._handle.value))

    def __enter__(self):
        return self._lock.__enter__()

    def __exit__(self, *args):
        return self._lock.__exit__(*args)

    def __repr__(self):
        return f"<Condition({self._lock!r})>"


class Event:
    """A flag that can be waited for."""

    def __init__(self):
        self._handle = Handle.create("event", None)

    def is_set(self):
        return bool(_ffi.quick.event_is_set(self._handle.value))

    def set(self):
        _ffi.check(_ffi.quick.event_set(self._handle.value))

    def clear(self):
        _ffi.check(_ffi.quick.event_clear(self._handle.value))

    def wait(self, timeout=None):
        status = _ffi.wait(_ffi.lib.event_wait, (self._handle.value,), timeout)
        if status == E_TIMEOUT:
            return False
        _ffi.check(status)
        return True

    def _wait_item(self):
        return self._handle

    def __repr__(self):
        return f"<{type(self).__name__} at {id(self):#x} {'set' if self.is_set() else 'unset'}>"


class Barrier:
    """So many parties wait for each other, round after round. A party that dies in between breaks it."""

    def __init__(self, parties, action=None, timeout=None):
        if parties < 1:
            raise ValueError("parties must be > 0")
        self._action = action
        self._timeout = timeout
        self._handle = Handle.create("barrier", parties, None)
        # With an action the parties go on when it is done: they meet a second time.
        self._done = Handle.create("barrier", parties, None) if action is not None else None

    def wait(self, timeout=None):
        """The number of this party in this round, from 0. One of them runs the action before all go on."""
        if timeout is None:
            timeout = self._timeout
        place = c_uint32()
        last = self._meet(self._handle, place, timeout) == LAST
        if self._done is not None:
            if last:
                self._act()
            self._meet(self._done, c_uint32(), timeout)
        return place.value

    def _act(self):
        try:
            self._action()
        except BaseException:
            self.abort()
            raise

    def _meet(self, handle, place, timeout):
        def arrive(milliseconds):
            return _ffi.lib.barrier_wait(handle.value, milliseconds, byref(place))

        status = _ffi.wait_whole(arrive, (), timeout)
        if status < 0:
            if status == E_TIMEOUT:  # kith has broken the one that was waited at
                self.abort()
            raise threading.BrokenBarrierError if status == E_TIMEOUT else _ffi.error(status)
        return status

    def _both(self):
        return (self._handle,) if self._done is None else (self._handle, self._done)

    def abort(self):
        for handle in self._both():
            _ffi.check(_ffi.quick.barrier_abort(handle.value))

    def reset(self):
        for handle in self._both():
            _ffi.check(_ffi.quick.barrier_reset(handle.value))

    @property
    def parties(self):
        return _ffi.quick.barrier_parties(self._handle.value)

    @property
    def n_waiting(self):
        return _ffi.quick.barrier_waiting(self._handle.value)

    @property
    def broken(self):
        return any(_ffi.quick.barrier_is_broken(handle.value) for handle in self._both())

    def __repr__(self):
        state = "broken" if self.broken else f"waiters={self.n_waiting}/{self.parties}"
        return f"<{type(self).__name__} at {id(self):#x} {state}>"
