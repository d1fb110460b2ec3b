# SPDX-License-Identifier: MIT
"""What the workers of kith.multiprocessing.Pool do, and what they send back."""
import ctypes
import importlib
import itertools
import struct
import sys
import traceback

from . import _ffi
from .multiprocessing.queues import _Items, _pickled
from .multiprocessing.reduction import loads

# Before each task and each result: the job, and which part of it; of a task also the size of its function's pickle. So a task that cannot be
# read still has a name.
head = struct.Struct("=qqq")

# What each worker has in shared memory: the task that it is doing, or zeroes. Tasks with larger arguments have these in memory of their own.
SLOT = 1 << 20
LARGEST_ARGUMENTS = SLOT // 2

# What all workers read: the names of the modules that tasks refer to, a line each.
NAMES = 1 << 14


class RemoteTraceback(Exception):
    """The traceback of the worker, as text."""

    def __init__(self, tb):
        self.tb = tb

    def __str__(self):
        return self.tb


class _WithTraceback:
    def __init__(self, exc):
        self.exc = exc
        text = "".join(traceback.format_exception(type(exc), exc, exc.__traceback__))
        self.tb = f'\n"""\n{text}"""'
        exc.__traceback__ = None

    def __reduce__(self):
        return _rebuild_exception, (self.exc, self.tb)


def _rebuild_exception(exc, tb):
    exc.__cause__ = RemoteTraceback(tb)
    return exc


class MaybeEncodingError(Exception):
    """A result that cannot be pickled."""

    def __init__(self, exc, value):
        self.exc = repr(exc)
        self.value = repr(value)
        super().__init__(self.exc, self.value)

    def __str__(self):
        return f"Error sending result: '{self.value}'. Reason: '{self.exc}'"


_functions = {}  # by their pickles: looking one up takes longer than many a task


def _function(data):
    found = _functions.get(data)
    if found is None:
        if len(_functions) >= 100:
            _functions.clear()
        found = _functions[data] = loads(data)
    return found


def _run(data):
    """A task is its head, the pickle of its function, and that of its arguments: a tuple, or [tuple, dict]."""
    try:
        begin = head.size
        middle = begin + head.unpack_from(data)[2]
        function = _function(data[begin:middle])
        arguments = loads(memoryview(data)[middle:])
        if type(arguments) is tuple:
            return True, function(*arguments)
        args, kwds = arguments
        return True, function(*args, **kwds)
    except Exception as e:
        return False, _WithTraceback(e)


def _pickled_result(result):
    try:
        return _pickled(result)
    except Exception as e:
        return _pickled((False, MaybeEncodingError(e, result[1])))


_IMPORTING = -2


class Slot:
    """The place of one worker in the memory that it shares with the pool. A task is written there before it is taken from the queue, so none is
    lost unnoticed: but for one with a function of which the pickle is larger than a slot."""

    def __init__(self, memory, index):
        address = _ffi.quick.memory_data(memory.value) + index * SLOT
        self.place = (ctypes.c_char * SLOT).from_address(address)
        self._memory = memory
        self._doing = (ctypes.c_int64 * 2).from_address(address)

    def clear(self):
        self._doing[:] = 0, -1

    def take(self, tasks, timeout):
        """The next task; empty: there will be no more. None: none came in time."""
        data = tasks.get_into(self.place, timeout)
        if data is not None and len(data) > SLOT:
            self._doing[:] = head.unpack_from(data)[:2]
        return data

    def doing(self):
        """The job and its part. A worker that was killed while it took a task may have left a half, whose part is -1: that task is still there."""
        job, part = self._doing
        return (job, part) if job > 0 and part >= 0 else None

    def begin_import(self):
        self._doing[:] = 0, _IMPORTING

    def is_importing(self):
        return tuple(self._doing) == (0, _IMPORTING)


class _Names:
    """The modules that tasks refer to, as the pool tells of them. The memory was zeroed and is only appended to: as each byte is written once, a line
    without a zero is whole, in whatever order its bytes become visible."""

    def __init__(self, memory):
        self._text = (ctypes.c_char * NAMES).from_address(_ffi.quick.memory_data(memory.value))
        self._memory = memory
        self._seen = 0

    def more(self):
        return self._text[self._seen] != b"\0"

    def next(self):
        """A name that was not given before; None: it is not all there yet."""
        line, newline, _ = self._text[self._seen:].partition(b"\0")[0].partition(b"\n")
        if not newline:
            return None
        self._seen += len(line) + 1
        return line.decode(errors="replace")


def _import_ahead(name, slot):
    if name in sys.modules:
        return
    slot.begin_import()
    try:
        importlib.import_module(name)
    except (Exception, SystemExit):
        pass  # the task that needs it will say so
    slot.clear()


def _next_task(tasks, slot, names):
    """A task that is there goes first. A worker that would have to wait imports what it will be asked for, so that its next task need not."""
    while names.more():
        data = slot.take(tasks, 0)
        if data is not None:
            return data
        name = names.next()
        if name is None:
            break
        _import_ahead(name, slot)
    return slot.take(tasks, None)


def work(tasks, results, names, initializer, initargs, most_tasks, slots, index):
    tasks, results, names = _Items(tasks), _Items(results), _Names(names)
    slot = Slot(slots, index)
    if initializer is not None:
        initializer(*initargs)
    done = 0
    while most_tasks is None or done < most_tasks:
        data = _next_task(tasks, slot, names)
        if not data:
            break
        result = _run(data)
        results.put(data[:head.size] + _pickled_result(result), None)
        slot.clear()
        data = result = None
        done += 1


def map_chunk(function, chunk):
    return list(map(function, chunk))


def starmap_chunk(function, chunk):
    return list(itertools.starmap(function, chunk))


class Mapper:
    """A function for chunks."""

    def __init__(self, mapper, function):
        self.mapper, self.function = mapper, function

    def __call__(self, chunk):
        return self.mapper(self.function, chunk)
