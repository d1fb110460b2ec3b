# SPDX-License-Identifier: MIT
"""kith: co-operating processes.

`kith.multiprocessing` has the shape and the meaning of the standard `multiprocessing`, on kith's objects.
"""
from ._errors import (Broken, Closed, Deadlock, Error, Mismatch, Moved, NotOwner, OwnerDied, PeerDied, ProtocolError, TimeoutExpired, TooLarge,
                      WorkerDied, WrongKey)

__version__ = "0.1.0"

__all__ = [
    "Broken", "Closed", "Deadlock", "Error", "Mismatch", "Moved", "NotOwner", "OwnerDied", "PeerDied", "ProtocolError", "TimeoutExpired",
    "TooLarge", "WorkerDied", "WrongKey", "multiprocessing",
]  # yapf: disable


def __getattr__(name):
    if name == "multiprocessing":
        import importlib
        return importlib.import_module("kith.multiprocessing")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
