# SPDX-License-Identifier: MIT
"""Queues for any number of processes."""
import collections
import ctypes
import pickle
import threading
import time
from ctypes import byref, c_size_t
from queue import Empty, Full

from .. import _depot, _ffi
from .._ffi import E_TIMEOUT, E_TOO_LARGE, OK, QUEUE_TASKS, QueueOptions
from .._handle import Handle, carrying
from . import util
from .reduction import dumps, is_plain, loads

__all__ = ["Queue", "SimpleQueue", "JoinableQueue", "Empty", "Full"]

# The memory is taken as it is used.
_CAPACITY = 1 << 24
_LARGEST = _CAPACITY // 4  # what is larger goes as memory of its own
_BUFFER = 65536
_PROTOCOL, _dumps = pickle.HIGHEST_PROTOCOL, pickle.dumps
_try_put, _put = _ffi.quick.queue_put, _ffi.lib.queue_put
_try_get, _get = _ffi.quick.queue_get, _ffi.lib.queue_get
_fast_put = _ffi.speed and _ffi.speed.queue_put
_fast_get = _ffi.speed and _ffi.speed.queue_get
_fast_get_into = _ffi.speed and _ffi.speed.queue_get_into


class _Large:
    """An item in memory of its own."""

    def __init__(self, data):
        self.memory = Handle.create("memory", len(data), None)
        ctypes.memmove(_ffi.quick.memory_data(self.memory.value), data, len(data))

    def __reduce__(self):
        return _open_large, (self.memory,)


def _open_large(memory):
    data = ctypes.string_at(_ffi.quick.memory_data(memory.value), _ffi.quick.memory_size(memory.value))
    memory.close()
    return loads(data)


def _pickled(obj, largest=_LARGEST):
    if is_plain(obj):
        data = _dumps(obj, _PROTOCOL)
        if len(data) <= largest:
            return data
    with carrying(_depot.to_anyone):
        data = dumps(obj)
        return data if len(data) <= largest else dumps(_Large(data))


class _Items:
    """The bytes of a queue."""

    __slots__ = ("handle", "_buffers")

    def __init__(self, handle):
        self.handle = handle
        self._buffers = []

    def put(self, data, timeout):
        """The status."""
        value = self.handle.value
        if _fast_put is not None:
            status = _fast_put(value, 0, data)
        else:
            status = _try_put(value, data, len(data), 0)
        if status == E_TIMEOUT and timeout != 0:
            status = _ffi.wait(_put, (value, data, len(data)), timeout)
        return status

    def get(self, timeout):
        """An item; None: none came in time."""
        value = self.handle.value
        if _fast_get is not None:
            data = _fast_get(value, 0 if timeout is not None else _ffi.LONGEST_SLEEP_MS)
            if type(data) is bytes:
                return data
        try:
            buffer, size = self._buffers.pop()
        except IndexError:
            buffer, size = ctypes.create_string_buffer(_BUFFER), c_size_t()
        reference = byref(size)
        status = _try_get(value, buffer, len(buffer), reference, 0)
        while True:
            if status == E_TIMEOUT and timeout != 0:
                before = time.monotonic()
                status = _ffi.wait(_get, (value, buffer, len(buffer), reference), timeout)
                timeout = timeout if timeout is None else max(0, timeout - (time.monotonic() - before))
            if status == OK:
                data = ctypes.string_at(buffer, size.value)
                self._buffers.append((buffer, size))
                return data
            if status == E_TIMEOUT:
                return None
            if status != E_TOO_LARGE:
                raise _ffi.error(status)
            buffer = ctypes.create_string_buffer(size.value)
            status = _try_get(value, buffer, len(buffer), reference, 0)


    def get_into(self, place, timeout):
        """As get(). The item is in `place`, a ctypes buffer, before it is taken from the queue: whoever shares that knows what a process had taken
        that has died. One that is too large comes without."""
        value = self.handle.value
        if _fast_get_into is not None:
            data = _fast_get_into(value, 0 if timeout is not None else _ffi.LONGEST_SLEEP_MS, ctypes.addressof(place), len(place))
            if type(data) is bytes:
                return data
        size = c_size_t()
        status = _ffi.wait(_get, (value, place, len(place), byref(size)), timeout)
        if status == E_TIMEOUT:
            return None
        if status == E_TOO_LARGE:
            return self.get(timeout)
        _ffi.check(status)
        return ctypes.string_at(place, size.value)


class _Reader:
    """For connection.wait()."""

    def __init__(self, handle):
        self._handle = handle

    def _wait_item(self):
        return self._handle

    def poll(self, timeout=0.0):
        from .._connection import wait
        return bool(wait([self], timeout))


class Queue:
    """Any number of processes put and get. maxsize 0: put never waits; what the shared memory has no room for, this process keeps meanwhile."""

    _flags = 0

    def __class_getitem__(cls, _):  # for type hints
        return cls

    def __init__(self, maxsize=0):
        if maxsize <= 0:
            maxsize = 0x7fffffff
        most = 0 if maxsize == 0x7fffffff else maxsize
        handle = Handle.create("queue", _ffi.options(QueueOptions, flags=self._flags, capacity=_CAPACITY, most_items=most))
        self._setup(handle, maxsize)

    def _setup(self, handle, maxsize):
        self._handle = handle
        self._value = handle.value
        self._maxsize = maxsize
        self._items = _Items(handle)
        self._reader = _Reader(handle)
        self._closed = self._used = False
        self._lock = threading.Lock()
        self._waiting = collections.deque()  # pickled, and not in the shared memory yet
        self._feeding = threading.Condition(self._lock)
        self._feeder = None
        self._joins = True
        self._at_exit = None

    def __getstate__(self):
        return self._handle, self._maxsize

    def __setstate__(self, state):
        self._setup(*state)

    def _check_open(self):
        if self._closed:
            raise ValueError(f"Queue {self!r} is closed")

    # ---- putting -------------------------------------------------------------------------------------------------------------------------

    def put(self, obj, block=True, timeout=None):
        self._check_open()
        self._used = True
        try:
            data = _pickled(obj)
        except Exception as e:
            self._on_queue_feeder_error(e, obj)
            return
        bounded = self._maxsize != 0x7fffffff
        seconds = 0 if not block or not bounded else timeout if timeout is None else max(timeout, 0)
        if not self._waiting:
            if _fast_put is not None and _fast_put(self._value, 0, data) == OK:
                return
            status = self._items.put(data, seconds)
            if status == OK:
                return
            if status != E_TIMEOUT:
                raise _ffi.error(status)
        if bounded:
            raise Full
        self._keep(data)

    def put_nowait(self, obj):
        self.put(obj, False)

    def _keep(self, data):
        with self._lock:
            self._waiting.append(data)
            if self._feeder is None:
                self._feeder = threading.Thread(target=self._feed, name="QueueFeederThread", daemon=True)
                self._feeder.start()
                if self._joins:
                    self._at_exit = util.Finalize(self, _join, (self._feeder, self._feeding), exitpriority=-5)
            self._feeding.notify_all()

    def _feed(self):
        while True:
            with self._lock:
                if not self._waiting:
                    self._feeder = None
                    return
                data = self._waiting[0]
            status = self._items.put(data, None)
            with self._lock:
                self._waiting.popleft()
                self._feeding.notify_all()
            if status != OK:
                self._on_queue_feeder_error(_ffi.error(status), data)

    @staticmethod
    def _on_queue_feeder_error(e, obj):
        """An object that cannot be pickled is told of, and left out."""
        import traceback
        traceback.print_exception(type(e), e, e.__traceback__)

    # ---- getting -------------------------------------------------------------------------------------------------------------------------

    def get(self, block=True, timeout=None):
        self._check_open()
        self._used = True
        if _fast_get is not None:
            data = _fast_get(self._value, _ffi.LONGEST_SLEEP_MS if block and timeout is None else 0)
            if type(data) is bytes:
                return loads(data)
        seconds = 0 if not block else timeout if timeout is None else max(timeout, 0)
        data = self._items.get(seconds)
        if data is None:
            raise Empty
        return loads(data)

    def get_nowait(self):
        return self.get(False)

    async def get_async(self):
        """As get(), and lets other tasks of the event loop run meanwhile."""
        from .._async import ready
        number = ctypes.c_int64()
        while True:
            try:
                return self.get(False)
            except Empty:
                _ffi.check(_ffi.quick.queue_poll_handle(self._handle.value, byref(number)))
                await ready(self._handle, number.value)

    # ---- the rest ------------------------------------------------------------------------------------------------------------------------

    def qsize(self):
        return _ffi.quick.queue_count(self._handle.value) + len(self._waiting)

    def empty(self):
        if self._closed and self._used:
            raise OSError("handle is closed")
        return self.qsize() == 0

    def full(self):
        return self.qsize() >= self._maxsize

    def close(self):
        """This process puts and gets no more."""
        self._closed = True

    def join_thread(self):
        """Waits until what this process has put is in the shared memory."""
        if not self._closed:
            raise AssertionError(f"Queue {self!r} not closed")
        self._flush()

    def _flush(self):
        with self._lock:
            while self._waiting and self._joins:
                self._feeding.wait()

    def cancel_join_thread(self):
        """The end of this process does not wait for join_thread()."""
        self._joins = False
        if self._at_exit is not None:
            self._at_exit.cancel()


def _join(thread, _):
    thread.join()


class JoinableQueue(Queue):
    """A queue of tasks: who takes one calls task_done(), and join() waits until all are done."""

    _flags = QUEUE_TASKS

    def task_done(self):
        if _ffi.quick.queue_task_done(self._handle.value) != OK:
            raise ValueError("task_done() called too many times")

    def join(self, timeout=None):
        """Whether all tasks were done in time. Raises kith.OwnerDied when a process died with some that it had not done: they are lost."""
        self._flush()
        status = _ffi.wait(_ffi.lib.queue_join, (self._handle.value,), timeout)
        if status == E_TIMEOUT:
            return False
        if status != OK:
            raise _ffi.error(status)
        return True


class SimpleQueue:
    """A queue whose put waits when the shared memory is full."""

    def __class_getitem__(cls, _):  # for type hints
        return cls

    def __init__(self):
        self.__setstate__(Handle.create("queue", _ffi.options(QueueOptions, capacity=_CAPACITY)))

    def __getstate__(self):
        return self._handle

    def __setstate__(self, handle):
        self._handle = handle
        self._items = _Items(handle)
        self._reader = _Reader(handle)
        self._closed = False

    def _check_open(self):
        if self._closed:
            raise OSError("handle is closed")

    def put(self, obj, timeout=None):
        self._check_open()
        _ffi.check(self._items.put(_pickled(obj), timeout))

    def get(self, timeout=None):
        self._check_open()
        data = self._items.get(timeout)
        if data is None:
            raise Empty
        return loads(data)

    def empty(self):
        self._check_open()
        return _ffi.quick.queue_count(self._handle.value) == 0

    def close(self):
        self._closed = True
