# SPDX-License-Identifier: MIT
"""Connections between processes, and waiting for several things."""
from .._connection import Client, Connection, Listener, Pipe, PipeConnection, default_family, families, wait

__all__ = ["Connection", "Pipe", "PipeConnection", "wait", "Listener", "Client", "families", "default_family"]
