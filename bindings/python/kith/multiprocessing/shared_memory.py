# SPDX-License-Identifier: MIT
"""Shared memory by name.

Who creates a block has the name, and hands the memory to whoever asks for it: so a name is gone with its creator, however that ends, and an
attacher that ends takes nothing away. The memory itself is gone with its last user.
"""
import ctypes
import os
import struct
import threading
from ctypes import byref, c_int32, c_size_t, c_void_p

from .. import _depot, _ffi
from .._handle import Handle

__all__ = ["SharedMemory", "ShareableList"]

_USE_POSIX = os.name == "posix"
_PREFIX = "python-memory-"
_GIVE, _UNLINK = b"give", b"unlink"
_PATIENCE_MS = int(_depot.PATIENCE * 1000)


class _Server:
    """Hands out a block under its name, in a thread, until it is unlinked."""

    def __init__(self, name, memory):
        self.endpoint = _depot.listen(_PREFIX + name)
        self._memory = memory
        self._name = name
        threading.Thread(target=self._serve, daemon=True, name="kith.shared_memory").start()

    def _serve(self):
        while True:
            try:
                self._answer(_depot.accept(self.endpoint))
            except _ffi.Error:
                if self.endpoint.value is None:
                    return

    def _answer(self, channel):
        request, size = ctypes.create_string_buffer(16), c_size_t()
        _ffi.check(_ffi.lib.channel_recv(channel.value, request, 16, byref(size), _PATIENCE_MS))
        if request.raw[:size.value] == _UNLINK:
            self.stop()
            _ffi.check(_ffi.lib.channel_send(channel.value, b"", 0, _PATIENCE_MS))
        else:
            _ffi.check(_ffi.lib.channel_send_object(channel.value, self._memory.value, None, 0, _PATIENCE_MS))

    def stop(self):
        _servers.pop(self._name, None)
        self.endpoint.close()


_servers = {}  # of this process, by name


def _ask(name, request):
    try:
        channel = _depot.connect(_PREFIX + name, timeout=_depot.PATIENCE)
    except (_ffi.PeerDied, FileNotFoundError) as e:
        raise FileNotFoundError(f"there is no shared memory {name!r}") from e
    _ffi.check(_ffi.lib.channel_send(channel.value, request, len(request), _PATIENCE_MS))
    value, kind, size = c_void_p(), c_int32(), c_size_t()
    _ffi.check(_ffi.lib.channel_recv_object(channel.value, byref(value), byref(kind), None, 0, byref(size), _PATIENCE_MS))
    return None if value.value is None else Handle(_ffi.KINDS[kind.value], value.value)


class SharedMemory:
    """A block of shared memory. create=True: a new one, under the name or one that nobody has."""

    def __init__(self, name=None, create=False, size=0, *, track=True):
        if size < 0:
            raise ValueError("'size' must be a positive integer")
        if create and size == 0:
            raise ValueError("'size' must be a positive number different from zero")
        if name is None and not create:
            raise ValueError("'name' can only be None if create=True")
        self._name = name if name is not None else "psm_" + os.urandom(8).hex()
        self._check_name()
        if create:
            self._memory = Handle.create("memory", size, None)
            try:
                _servers[self._name] = _Server(self._name, self._memory)
            except FileExistsError:
                raise FileExistsError(f"there is shared memory {self._name!r} already") from None
        else:
            self._memory = _ask(self._name, _GIVE)
        self._size = _ffi.quick.memory_size(self._memory.value)
        address = _ffi.quick.memory_data(self._memory.value)
        block = (ctypes.c_char * self._size).from_address(address)
        block._kith = self._memory  # lives as long as a view does
        self._buf = memoryview(block).cast("B")

    def _check_name(self):
        if "\0" in self._name:
            raise ValueError("embedded null character")

    @property
    def buf(self):
        return self._buf

    @property
    def name(self):
        return self._name

    @property
    def size(self):
        return self._size

    def close(self):
        """This process uses the block no more."""
        if self._buf is not None:
            self._buf.release()
            self._buf = None
        self._memory = None

    def unlink(self):
        """Takes the name away: nobody can attach any more. Those who have the block keep it."""
        self._check_name()
        own = _servers.get(self._name)
        if own is not None:
            own.stop()
        else:
            _ask(self._name, _UNLINK)

    def __reduce__(self):
        return type(self), (self._name, False, self._size)

    def __repr__(self):
        return f"{type(self).__name__}({self._name!r}, size={self._size})"


class ShareableList:
    """A list of fixed length in shared memory: int, float, bool, str, bytes and None, each of which may take the place of a shorter one."""

    # Behind the length: for each item its kind, how long it is and may be, and where it lies.
    _count = struct.Struct("=q")
    _entry = struct.Struct("=cxxxxxxxqqq")

    def __init__(self, sequence=None, *, name=None):
        if sequence is None:
            self.shm = SharedMemory(name)
            self._length = self._count.unpack_from(self.shm.buf)[0]
            return
        packed = [self._pack(item) for item in sequence]
        rooms = [max(8, -(-len(data) // 8) * 8) for _, data in packed]
        self._length = len(packed)
        place = self._count.size + self._entry.size * self._length
        self.shm = SharedMemory(name, create=True, size=place + sum(rooms))
        self._count.pack_into(self.shm.buf, 0, self._length)
        for index, ((kind, data), room) in enumerate(zip(packed, rooms)):
            self._write(index, kind, data, room, place)
            place += room

    @staticmethod
    def _pack(item):
        if item is None:
            return b"n", b""
        if isinstance(item, bool):
            return b"?", bytes([item])
        if isinstance(item, int):
            return b"q", struct.pack("=q", item)
        if isinstance(item, float):
            return b"d", struct.pack("=d", item)
        if isinstance(item, str):
            return b"s", item.encode()
        if isinstance(item, bytes):
            return b"y", item
        raise ValueError(f"a ShareableList cannot hold {type(item).__name__}")

    @staticmethod
    def _unpack(kind, data):
        if kind == b"n":
            return None
        if kind == b"?":
            return data != b"\0"
        if kind in b"qd":
            return struct.unpack(b"=" + kind, data)[0]
        return data.decode() if kind == b"s" else data

    def _place(self, index):
        if not -self._length <= index < self._length:
            raise IndexError("index out of range")
        return self._count.size + self._entry.size * (index % self._length)

    def _write(self, index, kind, data, room, place):
        self.shm.buf[place:place + len(data)] = data
        self._entry.pack_into(self.shm.buf, self._place(index), kind, len(data), room, place)

    def __getitem__(self, index):
        kind, size, _, place = self._entry.unpack_from(self.shm.buf, self._place(index))
        return self._unpack(kind, bytes(self.shm.buf[place:place + size]))

    def __setitem__(self, index, value):
        _, _, room, place = self._entry.unpack_from(self.shm.buf, self._place(index))
        kind, data = self._pack(value)
        if len(data) > room:
            raise ValueError("exceeds available storage for existing item")
        self._write(index, kind, data, room, place)

    def __len__(self):
        return self._length

    def __iter__(self):
        return (self[i] for i in range(self._length))

    def count(self, value):
        return sum(value == item for item in self)

    def index(self, value):
        for position, item in enumerate(self):
            if value == item:
                return position
        raise ValueError("ShareableList.index(x): x not in list")

    def __reduce__(self):
        return _attach_list, (type(self), self.shm.name)

    def __repr__(self):
        return f"{type(self).__name__}({list(self)}, name={self.shm.name!r})"


def _attach_list(type_, name):
    return type_(name=name)
