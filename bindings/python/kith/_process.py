# SPDX-License-Identifier: MIT
"""Processes that run a Python function. They are used as kith.multiprocessing.Process."""
import itertools
import os
import sys
import threading

__all__ = ["Process", "current_process", "active_children", "parent_process", "AuthenticationString"]

_counter = itertools.count(1)
_children = set()
executable = sys.executable


def _original_directory():
    try:
        return os.path.abspath(os.getcwd())
    except OSError:
        return None


ORIGINAL_DIR = _original_directory()


class AuthenticationString(bytes):
    """A key. It goes to children, and nowhere else."""

    def __reduce__(self):
        from ._handle import current_carrier
        if not getattr(current_carrier(), "spawning", False):
            raise TypeError("Pickling an AuthenticationString object is disallowed for security reasons")
        return AuthenticationString, (bytes(self),)


def current_process():
    return _current


def parent_process():
    """The process that started this one, or None."""
    return _parent


def active_children():
    """The children that have not ended. Those that have are reaped."""
    _reap()
    return list(_children)


def _reap():
    for child in list(_children):
        if child._popen is not None and child._popen.poll() is not None:
            _children.discard(child)


class _BaseProcess:
    def __init__(self, group=None, target=None, name=None, args=(), kwargs=None, *, daemon=None):
        if group is not None:
            raise ValueError("processes have no groups: leave group out, or None")
        number = next(_counter)
        self._identity = _current._identity + (number,)
        self._config = _current._config.copy()
        self._parent_pid = os.getpid()
        self._parent_name = _current.name
        self._popen = None
        self._closed = False
        self._target = target
        self._args = tuple(args)
        self._kwargs = dict(kwargs or {})
        self._name = name or type(self).__name__ + "-" + ":".join(map(str, self._identity))
        if daemon is not None:
            self.daemon = daemon

    def run(self):
        """What the child does. May be overridden."""
        if self._target:
            self._target(*self._args, **self._kwargs)

    def start(self):
        """Starts the child."""
        self._check_closed()
        if self._popen is not None:
            raise AssertionError("cannot start a process twice")
        if self._parent_pid != os.getpid():
            raise AssertionError("can only start a process object created by current process")
        if _current._config.get("daemon"):
            raise AssertionError("daemonic processes are not allowed to have children")
        _reap()
        from .multiprocessing import _popen
        self._popen = _popen.Popen(self)
        self._sentinel = self._popen.sentinel
        # The child has what it needs: what the target refers to may go.
        del self._target, self._args, self._kwargs
        _children.add(self)

    def _signal(self, how):
        self._check_closed()
        if self._popen is None:
            raise AttributeError("the process has not been started")
        getattr(self._popen, how)()

    def terminate(self):
        """Asks the child to end (POSIX: SIGTERM)."""
        self._signal("terminate")

    def kill(self):
        """Ends the child."""
        self._signal("kill")

    def join(self, timeout=None):
        """Waits until the child has ended."""
        self._check_closed()
        if self._parent_pid != os.getpid():
            raise AssertionError("can only join a child process")
        if self._popen is None:
            raise AssertionError("can only join a started process")
        if self._popen.wait(timeout) is not None:
            _children.discard(self)

    def is_alive(self):
        self._check_closed()
        if self is _current:
            return True
        if self._parent_pid != os.getpid():
            raise AssertionError("can only test a child process")
        if self._popen is None:
            return False
        if self._popen.poll() is None:
            return True
        _children.discard(self)
        return False

    def close(self):
        """Lets go of a child that has ended."""
        if self._popen is not None:
            if self._popen.poll() is None:
                raise ValueError("Cannot close a process while it is still running. You should first call join() or terminate().")
            self._popen.close()
            self._popen = None
            del self._sentinel
            _children.discard(self)
        self._closed = True

    def _check_closed(self):
        if self._closed:
            raise ValueError("process object is closed")

    @property
    def name(self):
        return self._name

    @name.setter
    def name(self, name):
        if not isinstance(name, str):
            raise AssertionError("name must be a string")
        self._name = name

    @property
    def daemon(self):
        """A daemon ends when this process ends, in whatever way."""
        return self._config.get("daemon", False)

    @daemon.setter
    def daemon(self, daemonic):
        if self._popen is not None:
            raise AssertionError("process has already started")
        self._config["daemon"] = daemonic

    @property
    def authkey(self):
        return self._config["authkey"]

    @authkey.setter
    def authkey(self, authkey):
        self._config["authkey"] = AuthenticationString(authkey)

    @property
    def exitcode(self):
        """None while it runs; -N when signal N has ended it."""
        self._check_closed()
        return self._popen if self._popen is None else self._popen.poll()

    @property
    def ident(self):
        self._check_closed()
        if self is _current:
            return os.getpid()
        return self._popen and self._popen.pid

    pid = ident

    @property
    def sentinel(self):
        """What connection.wait() takes, to wait for the end."""
        self._check_closed()
        try:
            return self._sentinel
        except AttributeError:
            raise ValueError("process not started") from None

    def __repr__(self):
        exitcode = None
        if self is _current:
            status = "started"
        elif self._closed:
            status = "closed"
        elif self._parent_pid != os.getpid():
            status = "unknown"
        elif self._popen is None:
            status = "initial"
        else:
            exitcode = self._popen.poll()
            status = "started" if exitcode is None else "stopped"
        info = [type(self).__name__, f"name={self._name!r}"]
        if self._popen is not None:
            info.append(f"pid={self._popen.pid}")
        info += [f"parent={self._parent_pid}", status]
        if exitcode is not None:
            info.append(f"exitcode={_name_of(exitcode)}")
        if self.daemon:
            info.append("daemon")
        return f"<{' '.join(info)}>"

    def __getstate__(self):
        from ._handle import carrier
        if not getattr(carrier("a process object"), "spawning", False):
            raise RuntimeError("a process object is only given to the child that it starts")
        state = self.__dict__.copy()
        for mine in ("_popen", "_sentinel"):
            state[mine] = None
        return state

    # ---- in the child ------------------------------------------------------------------------------------------------------------

    def _bootstrap(self, parent):
        """Runs it, and gives the exit code."""
        from .multiprocessing import util
        global _current, _parent, _counter
        _counter = itertools.count(1)
        _children.clear()
        _current, _parent = self, parent
        util.close_stdin()
        try:
            try:
                self.run()
                exitcode = 0
            finally:
                util.run_exit_functions()
        except SystemExit as e:
            exitcode = _code_of(e)
        except BaseException:
            exitcode = 1
            import traceback
            sys.stderr.write(f"Process {self.name}:\n")
            traceback.print_exc()
        finally:
            threading._shutdown()
            util.flush_standard_streams()
        return exitcode


def _name_of(exitcode):
    if exitcode < 0:
        import signal
        try:
            return "-" + signal.Signals(-exitcode).name
        except ValueError:
            pass
    return exitcode


def _code_of(e):
    if e.code is None:
        return 0
    if isinstance(e.code, int):
        return e.code
    sys.stderr.write(str(e.code) + "\n")
    return 1


class Process(_BaseProcess):
    """A child process that runs `target(*args, **kwargs)`, or what a subclass has as run()."""


class _ParentProcess(_BaseProcess):
    """The parent, as the child sees it."""

    def __init__(self, name, pid, line):
        self._identity = ()
        self._name = name
        self._pid = pid
        self._parent_pid = None
        self._popen = None
        self._closed = False
        self._line = line  # the handle of a channel that ends when the parent ends
        self._config = {}

    @property
    def sentinel(self):
        from ._connection import Connection
        return Connection(self._line, writable=False)

    def is_alive(self):
        return not self.sentinel.poll(0)

    @property
    def ident(self):
        return self._pid

    pid = ident

    def join(self, timeout=None):
        self.sentinel.poll(timeout)


class _MainProcess(_BaseProcess):
    def __init__(self):
        self._identity = ()
        self._name = "MainProcess"
        self._parent_pid = None
        self._popen = None
        self._closed = False
        self._config = {"authkey": AuthenticationString(os.urandom(32))}

    def close(self):
        pass


_parent = None
_current = _MainProcess()
