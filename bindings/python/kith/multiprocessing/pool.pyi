# SPDX-License-Identifier: MIT
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

__all__ = [
    "Pool",
    "AsyncResult",
    "ApplyResult",
    "MapResult",
    "MaybeEncodingError",
    "RemoteTraceback",
]

class MaybeEncodingError(Exception):
    exc: str
    value: str
    def __init__(self, exc: BaseException, value: object) -> None: ...

class RemoteTraceback(Exception):
    tb: str
    def __init__(self, tb: str) -> None: ...

class ApplyResult(Generic[_R]):
    def __class_getitem__(cls, _: Any) -> type: ...
    def __init__(self, core: Any, callback: Callable[[_R], object] | None = None, error_callback: Callable[[BaseException], object] | None = None) -> None: ...
    def ready(self) -> bool: ...
    def successful(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> None: ...
    def get(self, timeout: float | None = None) -> _R: ...

AsyncResult = ApplyResult

class MapResult(ApplyResult[list[_R]]):
    def __init__(
        self,
        core: Any,
        chunksize: int,
        length: int,
        callback: Callable[[list[_R]], object] | None,
        error_callback: Callable[[BaseException], object] | None,
    ) -> None: ...

class IMapIterator(Iterator[_R]):
    def __init__(self, core: Any) -> None: ...
    def next(self, timeout: float | None = None) -> _R: ...
    def __next__(self, timeout: float | None = None) -> _R: ...
    def __iter__(self) -> IMapIterator[_R]: ...

class IMapUnorderedIterator(IMapIterator[_R]): ...

class Pool:
    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        context: Any = None,
    ) -> None: ...
    def apply(self, func: Callable[..., _R], args: Iterable[Any] = (), kwds: Mapping[str, Any] = {}) -> _R: ...
    def apply_async(
        self,
        func: Callable[..., _R],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] = {},
        callback: Callable[[_R], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> ApplyResult[_R]: ...
    def map(self, func: Callable[[_T], _R], iterable: Iterable[_T], chunksize: int | None = None) -> list[_R]: ...
    def map_async(
        self,
        func: Callable[[_T], _R],
        iterable: Iterable[_T],
        chunksize: int | None = None,
        callback: Callable[[list[_R]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> MapResult[_R]: ...
    def starmap(self, func: Callable[..., _R], iterable: Iterable[Iterable[Any]], chunksize: int | None = None) -> list[_R]: ...
    def starmap_async(
        self,
        func: Callable[..., _R],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callable[[list[_R]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> MapResult[_R]: ...
    # With a chunksize of 1, the default, these are IMapIterators, whose next() takes a timeout.
    def imap(self, func: Callable[[_T], _R], iterable: Iterable[_T], chunksize: int = 1) -> IMapIterator[_R]: ...
    def imap_unordered(self, func: Callable[[_T], _R], iterable: Iterable[_T], chunksize: int = 1) -> IMapIterator[_R]: ...
    def close(self) -> None: ...
    def terminate(self) -> None: ...
    def join(self) -> None: ...
    def __enter__(self) -> Pool: ...
    def __exit__(self, *_: object) -> None: ...
