# SPDX-License-Identifier: MIT
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = [
    "Finalize",
    "abstract_sockets_supported",
    "get_logger",
    "log_to_stderr",
]

abstract_sockets_supported: bool

class Finalize:
    def __init__(
        self,
        obj: object,
        callback: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        exitpriority: int | None = None,
    ) -> None: ...
    def __call__(self, *_: object) -> Any: ...
    def cancel(self) -> None: ...
    def still_active(self) -> bool: ...

def get_logger() -> logging.Logger: ...
def log_to_stderr(level: int | str | None = None) -> logging.Logger: ...
