# SPDX-License-Identifier: MIT
"""Connections between processes, and waiting for several things."""
import ctypes
import os
import sys
import threading
import time
from ctypes import byref, c_char, c_int64, c_size_t, c_void_p

from . import _depot, _ffi
from ._ffi import CHANNEL_SHARED_ENDS, E_CLOSED, E_PEER_DIED, E_TIMEOUT, E_TOO_LARGE, OK, ChannelOptions, WaitItem
from ._handle import Handle, carrying
from .multiprocessing.reduction import dumps, loads

__all__ = ["Connection", "Pipe", "wait", "Listener", "Client", "families"]

_BUFFER = 65536
_SMALL = 16384  # copied at once, without letting other threads run
_try_send, _send = _ffi.quick.channel_send, _ffi.lib.channel_send
_try_recv, _recv = _ffi.quick.channel_recv, _ffi.lib.channel_recv
_fast_send = _ffi.speed and _ffi.speed.channel_send
_fast_recv = _ffi.speed and _ffi.speed.channel_recv


def Pipe(duplex=True):
    """Two connected ends. Each may be held by several processes. Not duplex: (reader, writer)."""
    a, b = c_void_p(), c_void_p()
    _ffi.check(_ffi.lib.channel_create(_ffi.options(ChannelOptions, flags=CHANNEL_SHARED_ENDS), byref(a), byref(b)))
    a, b = Handle("channel", a.value), Handle("channel", b.value)
    return Connection(a, writable=duplex), Connection(b, readable=duplex)


class _SlowConnection:
    """What speed.c has in C: the common path, and the names of what does the rest."""

    def _set_channels(self, readable, writable):
        pass

    def send_bytes(self, buf, offset=0, size=None, timeout=None):
        self._send_bytes(buf, offset, size, timeout)

    def recv_bytes(self, maxlength=None, timeout=None):
        return self._recv_bytes(maxlength, timeout)


class Connection(_ffi.speed.Connection if _ffi.speed is not None else _SlowConnection):
    """An end of a channel: whole messages, in order."""

    def __init__(self, handle, readable=True, writable=True):
        if isinstance(handle, int) and handle < 0:
            raise ValueError("invalid handle")
        if not readable and not writable:
            raise ValueError("at least one of `readable` and `writable` must be True")
        self._handle = handle
        self._readable = readable
        self._writable = writable
        self._buffers = []
        value = handle.value if isinstance(handle, Handle) and handle.value is not None else 0
        self._set_channels(value if readable else 0, value if writable else 0)

    def __getstate__(self):
        self._check_open()
        return self._handle, self._readable, self._writable

    def __setstate__(self, state):
        self.__init__(*state)

    # ---- sending ---------------------------------------------------------------------------------------------------------------------

    def send(self, obj, timeout=None):
        """Sends an object, pickled."""
        value = self._check_writable()
        with carrying(_depot.to_anyone):
            data = dumps(obj)
        self._send(value, data, len(data), timeout)

    def _send_bytes(self, buf, offset=0, size=None, timeout=None):
        """Sends what a buffer holds, as one message."""
        value = self._check_writable()
        if type(buf) is bytes and offset == 0 and size is None:
            return self._send(value, buf, len(buf), timeout)
        data = memoryview(buf)
        data = data.cast("B") if data.itemsize > 1 or data.ndim > 1 or data.format != "B" else data
        length = len(data)
        if offset < 0:
            raise ValueError("offset is negative")
        if length < offset:
            raise ValueError("buffer length < offset")
        if size is None:
            size = length - offset
        elif size < 0:
            raise ValueError("size is negative")
        elif offset + size > length:
            raise ValueError("buffer length < offset + size")
        part = data[offset:offset + size]
        if not size:
            part = b""
        elif part.readonly:
            part = part.tobytes()
        else:
            part = (c_char * size).from_buffer(part)
        self._send(value, part, size, timeout)

    def _send(self, value, data, size, timeout):
        if _fast_send is not None and type(data) is bytes and size <= _SMALL:
            status = _fast_send(value, 0, data)
            if status == OK:
                return
            if status != E_TIMEOUT:
                raise _ffi.error(status)
        elif size <= _SMALL:
            status = _try_send(value, data, size, 0)
            if status == OK:
                return
            if status != E_TIMEOUT:
                raise _ffi.error(status)
        _ffi.check(_ffi.wait_whole(_send, (value, data, size), timeout))

    # ---- receiving -------------------------------------------------------------------------------------------------------------------

    def recv(self, timeout=None):
        """Receives an object."""
        return loads(self._recv(self._check_readable(), timeout))

    def _recv_bytes(self, maxlength=None, timeout=None):
        """Receives a message of bytes."""
        value = self._check_readable()
        if maxlength is not None and maxlength < 0:
            raise ValueError("negative maxlength")
        data = self._recv(value, timeout)
        if maxlength is not None and len(data) > maxlength:
            self.close()
            raise OSError("bad message length")
        return data

    def recv_bytes_into(self, buf, offset=0, timeout=None):
        """Receives a message into a writable buffer, and gives its size."""
        value = self._check_readable()
        with memoryview(buf) as view:
            size = view.nbytes
            if offset < 0:
                raise ValueError("negative offset")
            if offset > size:
                raise ValueError("offset too large")
            data = self._recv(value, timeout)
            if len(data) > size - offset:
                from .multiprocessing import BufferTooShort
                raise BufferTooShort(data)
            view.cast("B")[offset:offset + len(data)] = data
            return len(data)

    def _recv(self, value, timeout):
        if _fast_recv is not None:
            data = _fast_recv(value, 0 if timeout is not None else _ffi.LONGEST_SLEEP_MS)
            if type(data) is bytes:
                return data
        try:
            buffer, size = self._buffers.pop()
        except IndexError:
            buffer, size = ctypes.create_string_buffer(_BUFFER), c_size_t()
        reference = byref(size)
        status = _try_recv(value, buffer, _BUFFER, reference, 0)
        if status == E_TIMEOUT:
            status = _ffi.wait(_recv, (value, buffer, _BUFFER, reference), timeout)
        if status == OK:
            data = ctypes.string_at(buffer, size.value)
            self._buffers.append((buffer, size))
            return data
        while status == E_TOO_LARGE:
            # Nobody else knows these bytes yet, so they can be written to.
            data = bytes(size.value)
            status = _ffi.wait(_recv, (value, data, len(data), reference), timeout)
            if status == OK:
                return data if size.value == len(data) else data[:size.value]
        raise _ffi.error(status)

    async def recv_async(self):
        """Receives an object, and lets other tasks of the event loop run meanwhile."""
        return loads(await self.recv_bytes_async())

    async def recv_bytes_async(self):
        from ._async import ready
        while True:
            try:
                return self._recv(self._check_readable(), 0)
            except _ffi.TimeoutExpired:
                await ready(self._handle, self.fileno())

    def poll(self, timeout=0.0):
        """Whether there is something to receive (or the end)."""
        self._check_readable()
        return bool(wait([self], timeout))

    # ---- the rest --------------------------------------------------------------------------------------------------------------------

    def _check_open(self):
        handle = self._handle
        if handle is None:
            raise OSError("handle is closed")
        if not isinstance(handle, Handle):
            raise OSError("handle is invalid")
        return handle.value

    def _check_readable(self):
        value = self._check_open()
        if not self._readable:
            raise OSError("connection is write-only")
        return value

    def _check_writable(self):
        value = self._check_open()
        if not self._writable:
            raise OSError("connection is read-only")
        return value

    def _wait_item(self):
        self._check_open()
        return self._handle

    @property
    def closed(self):
        return self._handle is None

    @property
    def readable(self):
        return self._readable

    @property
    def writable(self):
        return self._writable

    def fileno(self):
        """What a loop of your own can wait for, once it was armed: see recv_async."""
        number = c_int64()
        _ffi.check(_ffi.quick.channel_poll_handle(self._check_open(), byref(number)))
        return number.value

    def close(self):
        # It closes with its last user: it may be on its way to somebody.
        self._set_channels(0, 0)
        self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


PipeConnection = Connection


# ---- waiting -------------------------------------------------------------------------------------------------------------------------


def _fill(item, obj):
    own = getattr(obj, "_wait_item", None)
    if own is not None:
        item.object, item.what = own().value, _ffi.WAIT_OBJECT
    else:
        item.handle = obj if isinstance(obj, int) else obj.fileno()
        is_socket = os.name == "nt" and "socket" in sys.modules and isinstance(obj, sys.modules["socket"].socket)
        item.what = _ffi.WAIT_SOCKET if is_socket else _ffi.WAIT_HANDLE
    item.events = _ffi.WAIT_READ


def wait(object_list, timeout=None):
    """Waits until some of the objects are ready, and gives these: connections, queues' readers, events, sentinels of processes, sockets."""
    objects = list(object_list)
    items = (WaitItem * len(objects))()
    for item, obj in zip(items, objects):
        _fill(item, obj)
    count = c_size_t()

    def waiting(milliseconds):
        return _ffi.lib.wait_any(items, len(objects), byref(count), milliseconds)

    status = _ffi.wait(waiting, (), timeout)
    if status == E_TIMEOUT:
        return []
    if status < 0:
        raise OSError(str(_ffi.error(status)))
    return [obj for item, obj in zip(items, objects) if item.ready]


# ---- strangers -----------------------------------------------------------------------------------------------------------------------

families = ["AF_KITH"]
default_family = "AF_KITH"
_known_families = (None, "AF_KITH", "AF_UNIX", "AF_PIPE", "AF_INET")  # all mean a name


def _check_address(address, family):
    if family not in _known_families:
        raise ValueError(f"Family {family} is not recognized: kith connects processes of one machine, by name")
    if address is not None and not isinstance(address, str):
        raise ValueError(f"address type of {address!r} unrecognized: it is a name")
    if address is not None and sys.platform != "win32" and address.startswith("\\\\"):
        raise ValueError("Family AF_PIPE is not recognized.")


class Listener:
    """Listens under a name, which `address` is. Processes connect to it by Client(address)."""

    def __init__(self, address=None, family=None, backlog=1, authkey=None):
        _check_address(address, family)
        if authkey is not None and not isinstance(authkey, bytes):
            raise TypeError("authkey should be a byte string")
        self._address = address or "python-" + os.urandom(12).hex()
        self._endpoint = _depot.listen(self._address, authkey)
        self._last_accepted = None
        # Who connects need not wait until accept() is called.
        import queue
        self._arrived = queue.SimpleQueue()
        self._thread = threading.Thread(target=_accept_all, args=(self._endpoint, self._arrived), daemon=True, name="kith.Listener")
        self._thread.start()

    def accept(self):
        """The connection to the next process that has connected."""
        if self._endpoint is None:
            raise OSError("listener is closed")
        came = self._arrived.get()
        if came is None:
            raise OSError("listener is closed")
        self._last_accepted = self._address
        return Connection(came)

    def close(self):
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.close()
            self._thread.join()

    @property
    def address(self):
        return self._address

    @property
    def last_accepted(self):
        return self._last_accepted

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _accept_all(endpoint, arrived):
    while True:
        try:
            arrived.put(_depot.accept(endpoint))
        except _ffi.Closed:
            break
        except Exception:
            if endpoint.value is None:
                break
            time.sleep(0.01)
    arrived.put(None)


def Client(address, family=None, authkey=None):
    """A connection to the process that listens under that name."""
    _check_address(address, family)
    if authkey is not None and not isinstance(authkey, bytes):
        raise TypeError("authkey should be a byte string")
    try:
        return Connection(_depot.connect(address, authkey))
    except _ffi.WrongKey as e:
        from .multiprocessing import AuthenticationError
        raise AuthenticationError(str(e)) from e
