# SPDX-License-Identifier: MIT
"""Starting a Python process."""
import ctypes
import io
import os
import sys
from ctypes import byref, c_char_p, c_int64

from .. import _ffi
from .._handle import Handle, ToChild, carrying
from .. import _process as process
from . import util
from .reduction import dump

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def set_executable(path):
    """The interpreter that children run."""
    process.executable = path


def get_executable():
    return process.executable


def _interpreter_flags():
    from subprocess import _args_from_interpreter_flags
    return _args_from_interpreter_flags()


def _command():
    code = f"import sys; sys.path.append({_ROOT!r}); from kith._child import main; main()"
    words = [os.fspath(process.executable), *_interpreter_flags(), "-c", code, "--multiprocessing-fork"]
    return [word if isinstance(word, bytes) else os.fsencode(word) if os.name == "posix" else word.encode() for word in words]


def _main_module():
    """How the child finds the functions of the parent's main module: by its name, or by its file."""
    main = sys.modules["__main__"]
    name = getattr(getattr(main, "__spec__", None), "name", None)
    if name is not None:
        return {"main_name": name}
    path = getattr(main, "__file__", None)
    if path is None or (sys.platform == "win32" and sys.executable.endswith("pythonservice.exe")):
        return {}
    if not os.path.isabs(path) and process.ORIGINAL_DIR is not None:
        path = os.path.join(process.ORIGINAL_DIR, path)
    return {"main_path": os.path.normpath(path)}


def _preparation(name):
    path = list(sys.path)
    if "" in path and process.ORIGINAL_DIR is not None:
        path[path.index("")] = process.ORIGINAL_DIR
    return {
        "name": name,
        "sys_path": path,
        "sys_argv": sys.argv,
        "orig_dir": process.ORIGINAL_DIR,
        "dir": os.getcwd(),
        "authkey": process.current_process().authkey,
        "parent": (process.current_process().name, os.getpid()),
        "executable": process.executable,
        **_main_module(),
    }


def _to_memory(data):
    memory = Handle.create("memory", len(data), None)
    ctypes.memmove(_ffi.quick.memory_data(memory.value), data, len(data))
    return memory


def _refuse_in_a_child_that_begins():
    if getattr(process.current_process(), "_inheriting", False):
        raise RuntimeError("""
        This process is a child that has not begun yet: it imports the main module of its parent,
        which starts another process again. Guard what the main module does:

            if __name__ == '__main__':
                ...
        """)


class Popen:
    """A child, from outside."""

    def __init__(self, target):
        _refuse_in_a_child_that_begins()
        util.flush_standard_streams()
        self.returncode = None
        self._end = _ffi.Exit()
        carried = ToChild()
        file = io.BytesIO()
        with carrying(carried):
            dump(_preparation(target.name), file)
            dump(target, file)
        # The child notices our end by the end of this channel.
        mine, theirs = _ffi.c_void_p(), _ffi.c_void_p()
        _ffi.check(_ffi.lib.channel_create(_ffi.options(_ffi.ChannelOptions, ring_size=4096), byref(mine), byref(theirs)))
        self._line, theirs = Handle("channel", mine.value), Handle("channel", theirs.value)
        shares = {"python": _to_memory(file.getbuffer().tobytes()), "python.line": theirs}
        shares.update((name, handle) for handle, name in carried.shares.items())
        self._handle = self._spawn(shares, detached=not target.daemon)
        theirs.close()
        self.pid = _ffi.quick.process_id(self._handle.value)
        number = c_int64()
        _ffi.check(_ffi.quick.process_poll_handle(self._handle.value, byref(number)))
        self.sentinel = number.value

    def _spawn(self, shares, detached):
        words = _command()
        table = (_ffi.Share * len(shares))(*[_ffi.Share(name.encode(), handle.value) for name, handle in shares.items()])
        # The last pointer is NULL.
        wanted = _ffi.ProcessOptions(ctypes.sizeof(_ffi.ProcessOptions), argv=(c_char_p * (len(words) + 1))(*words), shares=table,
                                     share_count=len(table), flags=_ffi.PROCESS_DETACHED if detached else 0)
        started = _ffi.c_void_p()
        _ffi.check(_ffi.lib.process_spawn(byref(wanted), byref(started)))
        return Handle("process", started.value)

    def poll(self):
        return self.wait(0)

    def wait(self, timeout=None):
        if self.returncode is None:

            def waiting(milliseconds):
                return _ffi.lib.process_wait(self._handle.value, milliseconds, byref(self._end))

            status = _ffi.wait(waiting, (), timeout)
            if status == _ffi.E_TIMEOUT:
                return None
            _ffi.check(status)
            by_signal = self._end.kind in (_ffi.EXIT_SIGNAL, _ffi.EXIT_KILLED)
            self.returncode = -self._end.code if by_signal else self._end.code
        return self.returncode

    def terminate(self):
        if self.returncode is None:
            _ffi.check(_ffi.quick.process_terminate(self._handle.value))

    def kill(self):
        if self.returncode is None:
            _ffi.check(_ffi.quick.process_kill(self._handle.value))

    def close(self):
        self._line.close()
        self._handle.close()
