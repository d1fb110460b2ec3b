# SPDX-License-Identifier: MIT
import pickle
from collections.abc import Callable
from pickle import loads as loads
from typing import Any

from .connection import Connection

__all__ = [
    "ForkingPickler",
    "dump",
    "dumps",
    "loads",
    "register",
    "send_handle",
    "recv_handle",
]

HAVE_SEND_HANDLE: bool

class ForkingPickler(pickle.Pickler):
    def __init__(self, file: Any, protocol: int = ...) -> None: ...
    @classmethod
    def register(cls, type: type[Any], reduce: Callable[[Any], Any]) -> None: ...
    @classmethod
    def dumps(cls, obj: Any, protocol: int = ...) -> memoryview: ...
    loads = pickle.loads

class DupFd:
    def __init__(self, fd: int) -> None: ...
    def detach(self) -> int: ...

def register(type: type[Any], reduce: Callable[[Any], Any]) -> None: ...
def dumps(obj: Any, protocol: int = ...) -> bytes: ...
def dump(obj: Any, file: Any, protocol: int = ...) -> None: ...
def send_handle(conn: Connection, handle: int, destination_pid: int | None = None) -> None: ...
def recv_handle(conn: Connection) -> int: ...
