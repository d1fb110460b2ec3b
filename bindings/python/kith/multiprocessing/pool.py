# SPDX-License-Identifier: MIT
"""A pool of worker processes."""
import collections
import ctypes
import functools
import itertools
import os
import threading
import time

from .. import _depot, _ffi
from .._errors import WorkerDied
from .._worker import (LARGEST_ARGUMENTS, NAMES, SLOT, MaybeEncodingError, RemoteTraceback, Slot, head as _head, map_chunk as _map_chunk, Mapper as _Mapper,
                       starmap_chunk as _starmap_chunk, work as _work)
from . import TimeoutError, util
from .._connection import wait
from .._process import Process
from .queues import _Items, _pickled, _CAPACITY
from .reduction import dumps as _plain_dumps, loads
from .synchronize import Event
from .._handle import Handle, carrying

__all__ = ["Pool", "AsyncResult", "ApplyResult", "MapResult", "MaybeEncodingError", "RemoteTraceback"]

RUN, CLOSE, TERMINATE = "RUN", "CLOSE", "TERMINATE"

_job_numbers = itertools.count(1)


def dumps(function):
    with carrying(_depot.to_anyone):
        return _plain_dumps(function)


# ---- results ---------------------------------------------------------------------------------------------------------------------------


class ApplyResult:
    """A result that will be there."""

    def __class_getitem__(cls, _):  # for type hints
        return cls

    def __init__(self, core, callback=None, error_callback=None):
        self._event = threading.Event()
        self._job = next(_job_numbers)
        self._core = core
        self._callback, self._error_callback = callback, error_callback
        self._success = self._value = None
        core.jobs[self._job] = self

    def ready(self):
        return self._event.is_set()

    def successful(self):
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._success

    def wait(self, timeout=None):
        self._event.wait(timeout)

    def get(self, timeout=None):
        if not self._event.wait(timeout):
            raise TimeoutError
        if self._success:
            return self._value
        raise self._value

    def _has(self, part):
        """Whether that part was answered."""
        return self._event.is_set()

    def _set(self, part, success, value):
        self._success, self._value = success, value
        self._finish()

    def _finish(self):
        callback = self._callback if self._success else self._error_callback
        if callback is not None:
            callback(self._value)
        core, self._core = self._core, None
        self._event.set()
        core.end_job(self._job)


AsyncResult = ApplyResult


class MapResult(ApplyResult):
    def __init__(self, core, chunksize, length, callback, error_callback):
        super().__init__(core, callback, error_callback)
        self._success = True
        self._value = [None] * length
        self._chunksize = chunksize
        self._left = -(-length // chunksize) if length else 0
        self._answered = bytearray(self._left)
        if self._left == 0:
            self._event.set()
            core.end_job(self._job)

    def _has(self, part):
        return self._answered[part]

    def _set(self, part, success, value):
        self._answered[part] = True
        if success and self._success:
            if self._chunksize == 1:
                self._value[part] = value
            else:
                begin = part * self._chunksize
                self._value[begin:begin + self._chunksize] = value
        elif not success and self._success:
            self._success, self._value = False, value
        self._left -= 1
        if self._left == 0:
            self._finish()

    def _set_length(self, length):
        """So many parts there are: those behind will not come, as making one has failed."""
        core = self._core
        for part in range(length, len(self._answered)):
            core.set_result(self._job, part, False, None)


class IMapIterator:
    """Results in the order of the tasks."""

    def __init__(self, core):
        self._condition = threading.Condition(threading.Lock())
        self._job = next(_job_numbers)
        self._core = core
        self._items = collections.deque()
        self._early = {}
        self._index = 0  # of the next part
        self._given = 0
        self._length = None
        core.jobs[self._job] = self

    def __iter__(self):
        return self

    def next(self, timeout=None):
        with self._condition:
            end = None if timeout is None else time.monotonic() + timeout
            while not self._items:
                if self._index == self._length:
                    raise StopIteration
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError
                self._condition.wait(left)
            success, value = self._items.popleft()
        if success:
            return value
        raise value

    __next__ = next

    def _add(self, success, value):
        self._items.append((success, value))
        self._index += 1

    def _has(self, part):
        return part < self._index or part in self._early

    def _set(self, part, success, value):
        with self._condition:
            self._early[part] = success, value
            while self._index in self._early:
                self._add(*self._early.pop(self._index))
            self._condition.notify()
            self._look_for_end()

    def _set_length(self, length):
        with self._condition:
            self._length = length
            self._condition.notify()
            self._look_for_end()

    def _look_for_end(self):
        if self._index == self._length and self._core is not None:
            core, self._core = self._core, None
            core.end_job(self._job)


class IMapUnorderedIterator(IMapIterator):
    """Results as they come."""

    def __init__(self, core):
        self._first = 0  # that was not answered
        self._later = set()  # parts that were
        super().__init__(core)

    def _has(self, part):
        return part < self._first or part in self._later

    def _set(self, part, success, value):
        with self._condition:
            self._later.add(part)
            while self._first in self._later:
                self._later.remove(self._first)
                self._first += 1
            self._add(success, value)
            self._condition.notify()
            self._look_for_end()


# ---- the pool --------------------------------------------------------------------------------------------------------------------------


def _new_queue():
    return Handle.create("queue", _ffi.options(_ffi.QueueOptions, capacity=_CAPACITY))


class _Names:
    """Tells all workers the modules that tasks refer to: they import these while they have nothing to do, and not when a task is there already. What
    reads them is kith._worker._Names."""

    def __init__(self):
        self.handle = Handle.create("memory", NAMES, None)
        self._address = _ffi.quick.memory_data(self.handle.value)
        self._end = 0
        self._told = set()
        self._lock = threading.Lock()

    def tell_of(self, function):
        while isinstance(function, functools.partial):
            function = function.func
        name = getattr(function, "__module__", None)
        if isinstance(name, str) and name not in self._told:
            with self._lock:
                self._tell(name)

    def _tell(self, name):
        line = name.encode(errors="replace") + b"\n"
        # Behind it there is still a zero. What there is no room for is imported by the tasks.
        if name not in self._told and b"\0" not in line and self._end + len(line) < NAMES:
            ctypes.memmove(self._address + self._end, line, len(line))
            self._end += len(line)
        self._told.add(name)

    def stop(self):
        """Workers that are started from now on import nothing ahead."""
        with self._lock:
            ctypes.memset(self._address, 0, 1)
            self._end = NAMES


class _Core:
    """What the threads of a pool share. They do not know the Pool, so that it ends when nobody has it any more."""

    def __init__(self, processes, initializer, initargs, most_tasks):
        self.state = RUN
        self.jobs = {}
        self.size = processes
        self.task_handle, self.result_handle = _new_queue(), _new_queue()
        self.tasks, self.results = _Items(self.task_handle), _Items(self.result_handle)
        self.names = _Names()
        self.worker_arguments = (self.task_handle, self.result_handle, self.names.handle, initializer, initargs, most_tasks)
        self.slots = Handle.create("memory", SLOT * processes, _ffi.options(_ffi.Flags, flags=_ffi.MEMORY_LAZY))
        self.workers = [None] * processes
        self.changed = Event()  # the state, or that there are no jobs any more
        self.answers = threading.RLock()  # a callback may submit what fails at once
        self.lock = threading.Lock()
        self.to_feed = collections.deque()
        self.feeds = threading.Condition(self.lock)
        self.feeding = False
        self.fill()
        self.threads = [threading.Thread(target=run, daemon=True, name="kith.Pool") for run in (self.watch, self.collect, self.feed)]
        for thread in self.threads:
            thread.start()

    # ---- tasks ---------------------------------------------------------------------------------------------------------------------------

    def put_task(self, job, part, task, timeout):
        """False: there was no room in time. A task that cannot be pickled has failed."""
        try:
            function, arguments = task
            data = b"".join((_head.pack(job, part, len(function)), function, _pickled(arguments, LARGEST_ARGUMENTS)))
        except Exception as e:
            self.set_result(job, part, False, e)
            return True
        return self.tasks.put(data, timeout) == _ffi.OK

    def submit(self, job, task):
        with self.lock:
            idle = not self.feeding and not self.to_feed
        if not (idle and self.put_task(job, 0, task, 0)):
            self.submit_many(job, iter([task]), None)

    def submit_many(self, job, tasks, set_length):
        """`tasks` is an iterator that the feeder runs."""
        with self.feeds:
            self.to_feed.append((job, tasks, set_length))
            self.feeds.notify()

    def feed(self):
        while True:
            with self.feeds:
                self.feeding = False
                while not self.to_feed and self.state != TERMINATE and not self.is_over():
                    self.feeds.wait()
                if not self.to_feed or self.state == TERMINATE:
                    return
                self.feeding = True
                job, tasks, set_length = self.to_feed.popleft()
            self.feed_all(job, tasks, set_length)
            job = tasks = set_length = None

    def feed_all(self, job, tasks, set_length):
        part = -1
        try:
            for part, task in enumerate(tasks):
                while self.state != TERMINATE and not self.put_task(job, part, task, 0.5):
                    pass
                task = None
                if self.state == TERMINATE:
                    return
        except Exception as e:
            # The iterable of the user has raised: that is the next result, and the last.
            part += 1
            self.set_result(job, part, False, e)
        if set_length is not None:
            set_length(part + 1)

    def set_result(self, job, part, success, value):
        with self.answers:
            found = self.jobs.get(job)
            # It may have been answered: when its worker died between two steps, see reap().
            if found is not None and not found._has(part):
                found._set(part, success, value)

    def end_job(self, job):
        self.jobs.pop(job, None)
        if self.state != RUN:
            self.changed.set()

    def collect(self):
        while True:
            data = self.results.get(None)
            if not data:
                return
            job, part, number = _head.unpack_from(data)
            if job < 0:
                self.set_result(-job, part, False, WorkerDied(f"the worker ended with exit code {number} in the middle of the task"))
                continue
            try:
                success, value = loads(memoryview(data)[_head.size:])
            except Exception as e:
                success, value = False, e
            self.set_result(job, part, success, value)
            data = value = None

    # ---- workers -------------------------------------------------------------------------------------------------------------------------

    def fill(self):
        for index, worker in enumerate(self.workers):
            if worker is None:
                Slot(self.slots, index).clear()
                worker = Process(target=_work, args=(*self.worker_arguments, self.slots, index), daemon=True)
                worker.name = worker.name.replace("Process", "PoolWorker")
                worker.start()
                self.workers[index] = worker

    def reap(self):
        for index, worker in enumerate(self.workers):
            if worker is None or worker.exitcode is None:
                continue
            slot = Slot(self.slots, index)
            doing = slot.doing()
            if slot.is_importing():
                self.names.stop()  # or all that replace it would die of the same
            if doing is not None:
                # Behind its result, if it has still put one: then this changes nothing.
                self.results.put(_head.pack(-doing[0], doing[1], worker.exitcode), None)
            worker.close()
            self.workers[index] = None

    def is_over(self):
        return self.state != RUN and not self.jobs

    def watch(self):
        while self.state != TERMINATE and not self.is_over():
            wait([w.sentinel for w in self.workers if w is not None] + [self.changed])
            self.changed.clear()
            self.reap()
            if self.state != TERMINATE and not self.is_over():
                self.fill()
        with self.feeds:
            self.feeds.notify_all()
        if self.state == TERMINATE:
            self.end_workers()
        else:
            for _ in self.workers:
                self.tasks.put(b"", None)
        for worker in self.workers:
            if worker is not None:
                worker.join()
        self.results.put(b"", None)

    def end_workers(self):
        for worker in self.workers:
            if worker is not None and worker.is_alive():
                worker.terminate()
        # One that does not want to, or is busy with something that it cannot leave.
        for worker in self.workers:
            if worker is not None:
                worker.join(5)
                if worker.is_alive():
                    worker.kill()

    def close(self):
        if self.state == RUN:
            self.state = CLOSE
            self.changed.set()

    def terminate(self):
        self.state = TERMINATE
        self.changed.set()
        with self.feeds:
            self.feeds.notify_all()
        if threading.current_thread() not in self.threads:
            for thread in self.threads:
                thread.join()


class Pool:
    """Worker processes that run functions. A worker that dies fails the task that it had (kith.WorkerDied), and is replaced."""

    def __init__(self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, context=None):
        if processes is None:
            processes = os.cpu_count() or 1
        if processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError("maxtasksperchild must be a positive int or None")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._core = _Core(processes, initializer, initargs, maxtasksperchild)
        self._terminate = util.Finalize(self, self._core.terminate, exitpriority=15)

    def _check_running(self):
        if self._core.state != RUN:
            raise ValueError("Pool not running")

    # ---- one task ------------------------------------------------------------------------------------------------------------------------

    def apply(self, func, args=(), kwds={}):
        return self.apply_async(func, args, kwds).get()

    def apply_async(self, func, args=(), kwds={}, callback=None, error_callback=None):
        self._check_running()
        result = ApplyResult(self._core, callback, error_callback)
        self._core.names.tell_of(func)
        try:
            self._core.submit(result._job, (dumps(func), [tuple(args), dict(kwds)] if kwds else tuple(args)))
        except Exception as e:
            result._set(0, False, e)
        return result

    # ---- many tasks ----------------------------------------------------------------------------------------------------------------------

    def map(self, func, iterable, chunksize=None):
        return self.map_async(func, iterable, chunksize).get()

    def map_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        return self._map_async(_map_chunk, func, iterable, chunksize, callback, error_callback)

    def starmap(self, func, iterable, chunksize=None):
        return self.starmap_async(func, iterable, chunksize).get()

    def starmap_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        return self._map_async(_starmap_chunk, func, iterable, chunksize, callback, error_callback)

    def _map_async(self, mapper, func, iterable, chunksize, callback, error_callback):
        self._check_running()
        self._core.names.tell_of(func)
        items = iterable if isinstance(iterable, (list, tuple, range)) else list(iterable)
        if chunksize is None:
            chunksize = -(-len(items) // (self._core.size * 4)) or 1
        result = MapResult(self._core, chunksize, len(items), callback, error_callback)
        if items:
            single = _star_parts if mapper is _starmap_chunk else _single_parts
            parts = single(func, items) if chunksize == 1 else _parts(mapper, func, items, chunksize)
            self._core.submit_many(result._job, parts, result._set_length)
        return result

    def imap(self, func, iterable, chunksize=1):
        return self._imap(IMapIterator, func, iterable, chunksize)

    def imap_unordered(self, func, iterable, chunksize=1):
        return self._imap(IMapUnorderedIterator, func, iterable, chunksize)

    def _imap(self, kind, func, iterable, chunksize):
        self._check_running()
        if chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize}")
        self._core.names.tell_of(func)
        result = kind(self._core)
        if chunksize == 1:
            self._core.submit_many(result._job, _single_parts(func, iterable), result._set_length)
            return result
        self._core.submit_many(result._job, _chunk_parts(func, iterable, chunksize), result._set_length)
        return (item for chunk in result for item in chunk)

    # ---- the end -------------------------------------------------------------------------------------------------------------------------

    def close(self):
        """No more tasks; the workers end when all are done."""
        self._core.close()

    def terminate(self):
        """Ends the workers."""
        self._terminate()

    def join(self):
        if self._core.state == RUN:
            raise ValueError("Pool is still running")
        for thread in self._core.threads:
            thread.join()

    def __enter__(self):
        self._check_running()
        return self

    def __exit__(self, *_):
        self.terminate()

    def __reduce__(self):
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    def __repr__(self):
        return f"<{type(self).__name__} state={self._core.state} pool_size={self._core.size}>"


# The function of a job is pickled once. What it was made for is a task's arguments alone.


def _parts(mapper, func, items, chunksize):
    function = dumps(_Mapper(mapper, func))
    for i in range(0, len(items), chunksize):
        yield function, (items[i:i + chunksize],)


def _star_parts(func, iterable):
    function = dumps(func)
    for item in iterable:
        yield function, tuple(item)


def _single_parts(func, iterable):
    function = dumps(func)
    for item in iterable:
        yield function, (item,)


def _chunk_parts(func, iterable, chunksize):
    function = dumps(_Mapper(_map_chunk, func))
    for chunk in _chunks(iterable, chunksize):
        yield function, (chunk,)


def _chunks(iterable, size):
    iterator = iter(iterable)
    while True:
        chunk = tuple(itertools.islice(iterator, size))
        if not chunk:
            return
        yield chunk
