# SPDX-License-Identifier: MIT
from . import multiprocessing as multiprocessing
from ._errors import (Broken as Broken, Closed as Closed, Deadlock as Deadlock, Error as Error, Mismatch as Mismatch, Moved as Moved,
                      NotOwner as NotOwner, OwnerDied as OwnerDied, PeerDied as PeerDied, ProtocolError as ProtocolError,
                      TimeoutExpired as TimeoutExpired, TooLarge as TooLarge, WorkerDied as WorkerDied, WrongKey as WrongKey)

__version__: str
__all__ = [
    "Broken",
    "Closed",
    "Deadlock",
    "Error",
    "Mismatch",
    "Moved",
    "NotOwner",
    "OwnerDied",
    "PeerDied",
    "ProtocolError",
    "TimeoutExpired",
    "TooLarge",
    "WorkerDied",
    "WrongKey",
    "multiprocessing",
]
