# SPDX-License-Identifier: MIT
"""Processes that run a Python function."""
from .._process import AuthenticationString, Process, active_children, current_process, parent_process

__all__ = ["Process", "current_process", "active_children", "parent_process", "AuthenticationString"]
