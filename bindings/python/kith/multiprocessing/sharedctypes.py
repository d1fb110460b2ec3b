# SPDX-License-Identifier: MIT
"""Values and arrays of ctypes in shared memory.

An array is a kith_array, a value a kith_value: programs in other languages see them as such. Nothing is between Python and the shared bytes:
`memoryview(array.get_obj())` and `numpy.frombuffer(array.get_obj(), ...)` are views.
"""
import ctypes
from ctypes import c_char, sizeof

from .. import _ffi
from .._handle import Handle
from .synchronize import Lock, RLock, _BorrowedRLock

__all__ = ["RawValue", "RawArray", "Value", "Array", "copy", "synchronized"]

_TYPES = {
    "c": ctypes.c_char, "u": ctypes.c_wchar,
    "b": ctypes.c_byte, "B": ctypes.c_ubyte, "h": ctypes.c_short, "H": ctypes.c_ushort, "i": ctypes.c_int, "I": ctypes.c_uint,
    "l": ctypes.c_long, "L": ctypes.c_ulong, "q": ctypes.c_longlong, "Q": ctypes.c_ulonglong, "f": ctypes.c_float, "d": ctypes.c_double,
}  # yapf: disable
_FLOATS = {ctypes.c_float: 9, ctypes.c_double: 10}  # KITH_F32, KITH_F64
_INTEGERS = {1: 1, 2: 3, 4: 5, 8: 7}  # KITH_I8 ... by size; the unsigned one is the next


def _kith_type(type_):
    if type_ in _FLOATS:
        return _FLOATS[type_]
    code = getattr(type_, "_type_", None)
    if isinstance(code, str) and code in "bBhHiIlLqQ":
        return _INTEGERS[sizeof(type_)] + code.isupper()
    return _ffi.STRUCT


class _Shared:
    """What a ctypes object in shared memory knows of where it lies. It keeps the memory alive."""

    __slots__ = ("handle", "type", "length")

    def __init__(self, handle, type_, length):
        self.handle, self.type, self.length = handle, type_, length

    def open(self):
        handle = self.handle
        type_ = self.type if self.length is None else self.type * self.length
        size = max(sizeof(type_), 1)
        memory = (c_char * size).from_address(getattr(_ffi.quick, handle.kind + "_data")(handle.value))
        memory._kith = self
        obj = type_.from_buffer(memory)
        obj._kith = self
        return obj

    def reduce(self, obj):
        return _reopen, (self.handle, self.type, self.length)


def _reopen(handle, type_, length):
    return _Shared(handle, type_, length).open()


def _new_value(type_):
    kind = _kith_type(type_)
    handle = Handle.create("value", kind, None, _element_options(type_))
    return _Shared(handle, type_, None).open()


def _new_array(type_, length):
    handle = Handle.create("array", _kith_type(type_), max(length, 1), _element_options(type_))
    return _Shared(handle, type_, length).open()


def _element_options(type_):
    return _ffi.options(_ffi.ElementOptions, flags=_ffi.LOCK_RECURSIVE, element_size=max(sizeof(type_), 1))


def _type_of(typecode_or_type):
    return _TYPES.get(typecode_or_type, typecode_or_type) if isinstance(typecode_or_type, str) else typecode_or_type


def RawValue(typecode_or_type, *args):
    """A ctypes object in shared memory."""
    obj = _new_value(_type_of(typecode_or_type))
    if args:
        obj.__init__(*args)
    return obj


def RawArray(typecode_or_type, size_or_initializer):
    """A ctypes array in shared memory."""
    type_ = _type_of(typecode_or_type)
    if isinstance(size_or_initializer, int):
        return _new_array(type_, size_or_initializer)
    obj = _new_array(type_, len(size_or_initializer))
    obj.__init__(*size_or_initializer)
    return obj


def Value(typecode_or_type, *args, lock=True):
    """A shared object that is used under a lock. lock=False: without; or a lock of yours."""
    return _with_lock(RawValue(typecode_or_type, *args), lock)


def Array(typecode_or_type, size_or_initializer, *, lock=True):
    """A shared array that is used under a lock. lock=False: without; or a lock of yours."""
    return _with_lock(RawArray(typecode_or_type, size_or_initializer), lock)


def _with_lock(obj, lock):
    if lock is False:
        return obj
    if lock in (True, None):
        return synchronized(obj)
    if not hasattr(lock, "acquire"):
        raise AttributeError(f"{lock!r} has no method 'acquire'")
    return synchronized(obj, lock)


def copy(obj):
    """A copy, in shared memory of its own."""
    if isinstance(obj, ctypes.Array):
        new = _new_array(obj._type_, obj._length_)
    else:
        new = _new_value(type(obj))
    ctypes.memmove(ctypes.addressof(new), ctypes.addressof(obj), sizeof(obj))
    return new


def synchronized(obj, lock=None):
    """The object, to be used under a lock: the one that belongs to it, unless another is given."""
    if isinstance(obj, SynchronizedBase):
        raise AssertionError("object already synchronized")
    if lock is None:
        lock = _BorrowedRLock(obj._kith.handle) if hasattr(obj, "_kith") else RLock()
    if isinstance(obj, ctypes._SimpleCData):
        return Synchronized(obj, lock)
    if isinstance(obj, ctypes.Array):
        return SynchronizedString(obj, lock) if obj._type_ is c_char else SynchronizedArray(obj, lock)
    return _class_for(type(obj))(obj, lock)


_classes = {}


def _class_for(type_):
    """For a struct: its fields are properties."""
    found = _classes.get(type_)
    if found is None:
        names = [field[0] for field in type_._fields_]
        found = type("Synchronized" + type_.__name__, (SynchronizedBase,), {name: _property(name) for name in names})
        _classes[type_] = found
    return found


def _property(name):

    def get(self):
        with self._lock:
            return getattr(self._obj, name)

    def set(self, value):
        with self._lock:
            setattr(self._obj, name, value)

    return property(get, set)


class SynchronizedBase:
    def __init__(self, obj, lock=None):
        self._obj = obj
        self._lock = lock if lock is not None else RLock()
        self.acquire = self._lock.acquire
        self.release = self._lock.release

    def __enter__(self):
        return self._lock.__enter__()

    def __exit__(self, *args):
        return self._lock.__exit__(*args)

    def __reduce__(self):
        return synchronized, (self._obj, self._lock)

    def get_obj(self):
        """The ctypes object itself: without the lock."""
        return self._obj

    def get_lock(self):
        return self._lock

    def __repr__(self):
        return f"<{type(self).__name__} wrapper for {self._obj}>"


_FAST_CODES = {1: {}, 2: {}, 4: {False: "i", True: "I"}, 8: {False: "q", True: "Q"}}


def _fast_code(type_):
    """The letter by which speed.c knows a number; None: it does not."""
    code = getattr(type_, "_type_", "")
    if code == "d":
        return code
    return _FAST_CODES[sizeof(type_)].get(code.isupper()) if code in tuple("iIlLqQ") else None


if _ffi.speed is None:

    class Synchronized(SynchronizedBase):
        value = _property("value")
else:

    class Synchronized(_ffi.speed.Value, SynchronizedBase):

        def __init__(self, obj, lock=None):
            SynchronizedBase.__init__(self, obj, lock)
            code = _fast_code(type(obj))
            if code is not None and type(self._lock) is _BorrowedRLock:
                self._set_place(self._lock, self._lock._value, ctypes.addressof(obj), code)

        def _get(self):
            with self._lock:
                return self._obj.value

        def _set(self, value):
            with self._lock:
                self._obj.value = value


class SynchronizedArray(SynchronizedBase):
    def __len__(self):
        return len(self._obj)

    def __getitem__(self, i):
        with self._lock:
            return self._obj[i]

    def __setitem__(self, i, value):
        with self._lock:
            self._obj[i] = value

    def __getslice__(self, start, stop):
        return self[start:stop]


class SynchronizedString(SynchronizedArray):
    value = _property("value")
    raw = _property("raw")
