# SPDX-License-Identifier: MIT
"""How kith's objects go through connections and queues, whose messages are bytes.

The message has a ticket. The sender keeps the object until the receiver has come for it, through an endpoint of the sender with a name that
nobody can guess; a thread that exists from the first such object on hands it out.
"""
import ctypes
import os
import threading
from ctypes import byref, c_char_p, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

from . import _ffi
from ._handle import Handle

PATIENCE = 30.0  # seconds for a process to answer
_KEY_SIZE = 16


class EndpointOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("ring_size", c_uint64),
        ("large_message", c_uint64),
        ("channel_flags", c_uint32),
        ("handshake_ms", c_uint32),
        ("users", c_void_p),
        ("key", c_char_p),
        ("key_size", c_size_t),
    ]


class ConnectOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("user", c_char_p),
        ("key", c_char_p),
        ("key_size", c_size_t),
    ]


def _key(authkey):
    """An empty key is a key, too."""
    if authkey is None:
        return {}
    return {"key": b"kith" + authkey, "key_size": len(authkey) + 4}


def _need_endpoints():
    if not hasattr(_ffi.lib, "endpoint_listen"):
        raise NotImplementedError(f"{_ffi.library_path} is a version of kith that has no endpoints")


def listen(name, authkey=None):
    _need_endpoints()
    return Handle("endpoint", _ffi.out(_ffi.lib.endpoint_listen, name.encode(), _ffi.options(EndpointOptions, **_key(authkey))))


def _channel(function, first, *more, timeout=None):
    out = c_void_p()

    def call(milliseconds):
        return function(first, *more, byref(out), milliseconds)

    _ffi.check(_ffi.wait_whole(call, (), timeout))
    return Handle("channel", out.value)


def accept(endpoint, timeout=None):
    return _channel(_ffi.lib.endpoint_accept, endpoint.value, timeout=timeout)


def connect(name, authkey=None, timeout=None):
    _need_endpoints()
    return _channel(_ffi.lib.connect, name.encode(), _ffi.options(ConnectOptions, **_key(authkey)), timeout=timeout)


class _Depot:
    """The objects that this process has sent and nobody has come for."""

    spawning = False

    def __init__(self):
        self._lock = threading.Lock()
        self._taken = threading.Condition(self._lock)
        self._objects = {}
        self._address = None

    def carry(self, handle):
        key = os.urandom(_KEY_SIZE)
        with self._lock:
            if self._address is None:
                self._open()
            self._objects[key] = handle
        return fetch, (self._address, key)

    def _open(self):
        address = "python-depot-" + os.urandom(12).hex()
        endpoint = listen(address)
        threading.Thread(target=self._serve, args=(endpoint,), daemon=True, name="kith.depot").start()
        self._address = address

    def _serve(self, endpoint):
        while True:
            try:
                self._hand_out(accept(endpoint))
            except _ffi.Error:
                continue  # who came went away

    def _hand_out(self, channel):
        key = ctypes.create_string_buffer(_KEY_SIZE)
        size = c_size_t()
        timeout = int(PATIENCE * 1000)
        _ffi.check(_ffi.lib.channel_recv(channel.value, key, _KEY_SIZE, byref(size), timeout))
        with self._lock:
            handle = self._objects.pop(key.raw[:size.value], None)
            self._taken.notify_all()
        if handle is not None:
            _ffi.check(_ffi.lib.channel_send_object(channel.value, handle.value, None, 0, timeout))

    def wait_until_taken(self, keys):
        """Until somebody has come for the objects."""
        with self._lock:
            while any(key in self._objects for key in keys):
                self._taken.wait()


to_anyone = _Depot()


def fetch(address, key):
    """The receiver's side: the object itself."""
    with_sender = connect(address, timeout=PATIENCE)
    _ffi.check(_ffi.lib.channel_send(with_sender.value, key, len(key), int(PATIENCE * 1000)))
    value, kind, size = c_void_p(), c_int32(), c_size_t()
    _ffi.check(_ffi.lib.channel_recv_object(with_sender.value, byref(value), byref(kind), None, 0, byref(size), int(PATIENCE * 1000)))
    return Handle(_ffi.KINDS[kind.value], value.value)
