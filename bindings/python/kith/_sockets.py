# SPDX-License-Identifier: MIT
"""Descriptors and sockets of the user's, as objects that can be sent."""
from ctypes import byref, c_int64

from . import _ffi
from ._handle import Handle, carrier


def detach(handle):
    """The descriptor (POSIX) or handle (Windows) itself; it is the caller's now."""
    number = c_int64()
    try:
        _ffi.check(_ffi.lib.os_handle_copy(handle.value, byref(number)))
    finally:
        handle.close()
    return number.value


def reduce_socket(sock):
    carrier("a socket")
    return _rebuild_socket, (Handle.create("os_handle", sock.fileno()), sock.family, sock.type, sock.proto)


def _rebuild_socket(handle, family, type, proto):
    import socket
    return socket.socket(family, type, proto, fileno=detach(handle))
