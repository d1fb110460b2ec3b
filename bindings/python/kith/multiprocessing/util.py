# SPDX-License-Identifier: MIT
"""What happens at the ends of processes."""
import atexit
import itertools
import os
import sys

__all__ = ["Finalize", "abstract_sockets_supported", "get_logger", "log_to_stderr"]

abstract_sockets_supported = False
_exit_functions = {}
_order = itertools.count()


def _log(*_):
    pass


debug = info = sub_debug = sub_warning = _log


def get_logger():
    import logging
    return logging.getLogger("kith.multiprocessing")


def log_to_stderr(level=None):
    import logging
    logger = get_logger()
    logger.addHandler(logging.StreamHandler())
    if level:
        logger.setLevel(level)
    return logger


class Finalize:
    """Calls something once: when asked, when `obj` is gone, or at the end of the process, those with the highest exitpriority first."""

    def __init__(self, obj, callback, args=(), kwargs=None, exitpriority=None):
        import weakref
        self._callback, self._args, self._kwargs = callback, args, kwargs or {}
        self._pid = os.getpid()
        self._key = (exitpriority, next(_order))
        self._weakref = None if obj is None else weakref.ref(obj, self)
        _exit_functions[self._key] = self

    def __call__(self, *_):
        if _exit_functions.pop(self._key, None) is None or self._pid != os.getpid():
            return None
        return self._callback(*self._args, **self._kwargs)

    def cancel(self):
        _exit_functions.pop(self._key, None)

    def still_active(self):
        return self._key in _exit_functions


def _finalize(lowest):
    keys = [k for k in list(_exit_functions) if k[0] is not None and k[0] >= lowest]
    for key in sorted(keys, reverse=True):
        function = _exit_functions.get(key)
        if function is not None:
            try:
                function()
            except Exception:
                import traceback
                traceback.print_exc()


def run_exit_functions():
    """Ends the daemons, waits for the other children, and flushes queues."""
    from .. import _process as process
    _finalize(0)
    for child in process.active_children():
        if child.daemon:
            child._popen.terminate()
    for child in process.active_children():
        child.join()
    _finalize(-1000)


atexit.register(run_exit_functions)


def flush_standard_streams():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):
            pass


def close_stdin():
    """Children do not read what is typed for the parent."""
    if sys.stdin is None:
        return
    try:
        sys.stdin.close()
    except (OSError, ValueError):
        pass
    try:
        sys.stdin = open(os.devnull, encoding="utf-8")
    except OSError:
        pass
