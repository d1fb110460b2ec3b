# SPDX-License-Identifier: MIT
from .._connection import Client as Client
from .._connection import Connection as Connection
from .._connection import Listener as Listener
from .._connection import Pipe as Pipe
from .._connection import PipeConnection as PipeConnection
from .._connection import default_family as default_family
from .._connection import families as families
from .._connection import wait as wait

__all__ = [
    "Connection",
    "Pipe",
    "PipeConnection",
    "wait",
    "Listener",
    "Client",
    "families",
    "default_family",
]
