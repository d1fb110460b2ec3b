# SPDX-License-Identifier: MIT
import logging
from types import ModuleType

from . import connection as connection
from . import pool as pool
from . import process as process
from . import queues as queues
from . import reduction as reduction
from . import shared_memory as shared_memory
from . import sharedctypes as sharedctypes
from . import synchronize as synchronize
from . import util as util
from .connection import Pipe as Pipe
from .pool import Pool as Pool
from .process import Process as Process
from .process import active_children as active_children
from .process import current_process as current_process
from .process import parent_process as parent_process
from .queues import JoinableQueue as JoinableQueue
from .queues import Queue as Queue
from .queues import SimpleQueue as SimpleQueue
from .sharedctypes import Array as Array
from .sharedctypes import RawArray as RawArray
from .sharedctypes import RawValue as RawValue
from .sharedctypes import Value as Value
from .synchronize import Barrier as Barrier
from .synchronize import BoundedSemaphore as BoundedSemaphore
from .synchronize import Condition as Condition
from .synchronize import Event as Event
from .synchronize import Lock as Lock
from .synchronize import RLock as RLock
from .synchronize import Semaphore as Semaphore

__all__ = [
    "Process",
    "active_children",
    "current_process",
    "parent_process",
    "ProcessError",
    "BufferTooShort",
    "TimeoutError",
    "AuthenticationError",
    "cpu_count",
    "freeze_support",
    "get_context",
    "get_start_method",
    "set_start_method",
    "get_all_start_methods",
    "Lock",
    "RLock",
    "Semaphore",
    "BoundedSemaphore",
    "Condition",
    "Event",
    "Barrier",
    "Value",
    "Array",
    "RawValue",
    "RawArray",
    "Pipe",
    "Queue",
    "JoinableQueue",
    "SimpleQueue",
    "Pool",
    "set_executable",
    "get_executable",
    "get_logger",
    "log_to_stderr",
]

class ProcessError(Exception): ...
class BufferTooShort(ProcessError): ...
class TimeoutError(ProcessError): ...
class AuthenticationError(ProcessError): ...

def cpu_count() -> int: ...
def freeze_support() -> None: ...
def get_start_method(allow_none: bool = False) -> str: ...
def get_all_start_methods() -> list[str]: ...
def set_start_method(method: str | None, force: bool = False) -> None: ...
def get_context(method: str | None = None) -> ModuleType: ...
def set_executable(path: str) -> None: ...
def get_executable() -> str: ...
def get_logger() -> logging.Logger: ...
def log_to_stderr(level: int | str | None = None) -> logging.Logger: ...
