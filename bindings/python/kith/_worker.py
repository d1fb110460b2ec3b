# SPDX-License-Identifier: MIT
"""What the workers of kith.multiprocessing.Pool do, and what they send back."""
import itertools
import struct
import traceback

from .multiprocessing.queues import _Items, _pickled
from .multiprocessing.reduction import loads

# Before each task and each result: the job, and which part of it. So a task that cannot be read still has a name.
head = struct.Struct("=qq")


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


def _run(payload):
    try:
        function, args, kwds = loads(payload)
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
        doing[2 * index], doing[2 * index + 1] = head.unpack_from(data)
        result = _run(memoryview(data)[head.size:])
        results.put(data[:head.size] + _pickled_result(result), None)
        doing[2 * index] = 0
        data = result = None
        done += 1


def map_chunk(function, chunk):
    return list(map(function, chunk))


def starmap_chunk(function, chunk):
    return list(itertools.starmap(function, chunk))
