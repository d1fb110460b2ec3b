# SPDX-License-Identifier: MIT
"""What the workers of kith.multiprocessing.Pool do, and what they send back."""
import itertools
import struct
import traceback

from .multiprocessing.queues import _Items, _pickled
from .multiprocessing.reduction import loads

# Before each task and each result: the job, and which part of it; of a task also the size of its function's pickle. So a task that cannot be
# read still has a name.
head = struct.Struct("=qqq")


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


def work(tasks, results, initializer, initargs, most_tasks, doing, index):
    tasks, results = _Items(tasks), _Items(results)
    if initializer is not None:
        initializer(*initargs)
    done = 0
    while most_tasks is None or done < most_tasks:
        data = tasks.get(None)
        if not data:
            break
        # Should this process die now, that is the task which is lost.
        doing[2 * index], doing[2 * index + 1], _ = head.unpack_from(data)
        result = _run(data)
        results.put(data[:head.size] + _pickled_result(result), None)
        doing[2 * index] = 0
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
