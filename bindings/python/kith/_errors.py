# SPDX-License-Identifier: MIT
"""The exceptions. Each is also what the standard library would raise at that place, where there is such a thing."""
import threading


class Error(Exception):
    """Something that kith could not do."""


class OwnerDied(Error, RuntimeError):
    """You hold the lock (or permit) now, but a process died while it held it: repair what it protects, then call mark_consistent()."""


class TimeoutExpired(Error, TimeoutError):
    """The time was up; nothing was done."""


class Closed(Error, EOFError, BrokenPipeError):
    """The other side has closed it in good order."""


class PeerDied(Error, EOFError, BrokenPipeError):
    """The process at the other end ended without closing it."""


class TooLarge(Error, ValueError):
    """Larger than it may be."""


class NotOwner(Error, ValueError, AssertionError):
    """The lock is not held by the calling thread."""


class Deadlock(Error, RuntimeError):
    """The calling thread holds this lock already: it would wait for itself."""


class Mismatch(Error, TypeError):
    """Another kind, type, size or build than was expected."""


class ProtocolError(Error, OSError):
    """The peer wrote what kith does not write."""


class Moved(Error, OSError):
    """The end of the channel was handed on."""


class Interrupted(Error):
    """A signal handler ran meanwhile."""


class Broken(Error, threading.BrokenBarrierError):
    """A party of the barrier died, timed out or aborted it."""


class WrongKey(Error):
    """The other side does not know the key."""


class WorkerDied(Error, RuntimeError):
    """The worker of a pool ended in the middle of a task."""
