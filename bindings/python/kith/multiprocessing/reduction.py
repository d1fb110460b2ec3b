# SPDX-License-Identifier: MIT
"""Pickling of what goes to other processes."""
import ctypes
import io
import pickle
import sys

from .. import _handle
from .._sockets import detach

__all__ = ["ForkingPickler", "dump", "dumps", "loads", "register", "send_handle", "recv_handle"]

_reducers = {}
_ctypes_bases = (ctypes._SimpleCData, ctypes.Array, ctypes.Structure, ctypes.Union)
HAVE_SEND_HANDLE = True


class ForkingPickler(pickle.Pickler):
    """The pickler of this package: it knows shared ctypes objects and sockets, and what was registered."""

    def __init__(self, file, protocol=pickle.HIGHEST_PROTOCOL):
        super().__init__(file, protocol)

    def reducer_override(self, obj):
        if isinstance(obj, type):
            return NotImplemented
        if isinstance(obj, _ctypes_bases):
            shared = getattr(obj, "_kith", None)
            return NotImplemented if shared is None else shared.reduce(obj)
        reducer = _reducers.get(type(obj))
        if reducer is not None:
            return reducer(obj)
        if "socket" in sys.modules and isinstance(obj, sys.modules["socket"].socket):
            from .._sockets import reduce_socket
            return reduce_socket(obj)
        return NotImplemented

    @classmethod
    def register(cls, type, reduce):
        _reducers[type] = reduce

    @classmethod
    def dumps(cls, obj, protocol=pickle.HIGHEST_PROTOCOL):
        return memoryview(dumps(obj, protocol))

    loads = staticmethod(pickle.loads)


register = ForkingPickler.register
loads, _dumps = pickle.loads, pickle.dumps
_plain = frozenset((int, float, complex, bool, str, bytes, bytearray, type(None)))


def is_plain(obj):
    """Whether it cannot refer to anything that needs this pickler."""
    if type(obj) is tuple:
        for each in obj:
            if type(each) not in _plain:
                return False
        return True
    return type(obj) in _plain


def dumps(obj, protocol=pickle.HIGHEST_PROTOCOL):
    if is_plain(obj):
        return _dumps(obj, protocol)
    file = io.BytesIO()
    ForkingPickler(file, protocol).dump(obj)
    return file.getvalue()


def dump(obj, file, protocol=pickle.HIGHEST_PROTOCOL):
    ForkingPickler(file, protocol).dump(obj)


# ---- descriptors and sockets -----------------------------------------------------------------------------------------------------


class DupFd:
    """A descriptor that can be sent: detach() gives the receiver a copy."""

    def __init__(self, fd):
        self._handle = _handle.Handle.create("os_handle", fd)

    def detach(self):
        return detach(self._handle)


DupHandle = DupFd


def send_handle(conn, handle, destination_pid=None):
    """Sends a descriptor (POSIX) or handle (Windows) through a connection. The receiver gets a copy."""
    conn.send(DupFd(handle))


def recv_handle(conn):
    """Receives what send_handle has sent."""
    from .. import _ffi
    while True:
        try:
            came = conn.recv(timeout=0.1)
            break
        except _ffi.TimeoutExpired:
            # What is not kith's comes past the messages.
            if _ffi.quick.poll_arm(conn._check_open(), _ffi.WAIT_READ) == _ffi.E_PROTOCOL:
                raise RuntimeError("what was received is no handle") from None
        except (EOFError, OSError) as e:
            raise RuntimeError("no handle was received") from e
    if not isinstance(came, DupFd):
        raise RuntimeError("what was received is no handle")
    return came.detach()
