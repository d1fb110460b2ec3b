#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The program of seed_shared.c in Python, by ctypes and kith's shared library: parent and child are both Python.

    python3 seed_shared.py [library]

The library is the argument, or the environment variable KITH_LIBRARY, or one that is found in the build folder.
"""
import ctypes
import os
import pathlib
import sys
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_void_p

KITH_OK = 0
KITH_I32 = 5
KITH_FOREVER = -1
KITH_EXIT_CODE = 1


class Share(Structure):
    _fields_ = [("name", c_char_p), ("object", c_void_p)]


class Stdio(Structure):
    _fields_ = [("what", c_uint32), ("reserved", c_uint32), ("path", c_char_p), ("handle", c_int64)]


class ProcessOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("argv", POINTER(c_char_p)),
        ("entry", c_void_p),
        ("entry_name", c_char_p),
        ("argument", c_void_p),
        ("argument_size", c_size_t),
        ("start", c_uint32),
        ("reserved", c_uint32),
        ("shares", POINTER(Share)),
        ("share_count", c_size_t),
        ("env", POINTER(c_char_p)),
        ("cwd", c_char_p),
        ("library", c_char_p),
        ("symbol", c_char_p),
        ("host", c_char_p),
        ("std_in", Stdio),
        ("std_out", Stdio),
        ("std_err", Stdio),
        ("name", c_char_p),
    ]


class Exit(Structure):
    _fields_ = [("kind", c_int32), ("reserved", c_int32), ("code", c_int64)]


# What a function takes, and what it gives: None, a status ("check"), or a ctypes type. Pointers are c_void_p.
FUNCTIONS = {
    "kith_status_text": ([c_int32], c_char_p),
    "kith_array_create": ([c_int32, c_size_t, c_void_p, c_void_p], "check"),
    "kith_array_inherit": ([c_char_p, c_void_p], "check"),
    "kith_array_data": ([c_void_p], c_void_p),
    "kith_array_count": ([c_void_p], c_size_t),
    "kith_array_close": ([c_void_p], None),
    "kith_value_create": ([c_int32, c_void_p, c_void_p, c_void_p], "check"),
    "kith_value_inherit": ([c_char_p, c_void_p], "check"),
    "kith_value_load": ([c_void_p, c_void_p, c_size_t], "check"),
    "kith_value_store": ([c_void_p, c_void_p, c_size_t], "check"),
    "kith_value_close": ([c_void_p], None),
    "kith_process_spawn": ([c_void_p, c_void_p], "check"),
    "kith_process_wait": ([c_void_p, c_int64, c_void_p], "check"),
    "kith_process_close": ([c_void_p], None),
}


def load(path):
    library = ctypes.CDLL(path)

    def check(status, function, arguments):
        if status != KITH_OK:
            text = library.kith_status_text(status).decode()
            raise RuntimeError(f"{function.__name__}: {text}")
        return status

    for name, (arguments, result) in FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = c_int32 if result == "check" else result
        if result == "check":
            function.errcheck = check
    return library


def find_library():
    build = pathlib.Path(__file__).resolve().parent.parent / "build"
    names = {"win32": "kith.dll", "darwin": "libkith.dylib"}
    found = sorted(build.glob("*/" + names.get(sys.platform, "libkith.so")))
    if not found:
        sys.exit("There is no shared library of kith here: build it, or give its path as the argument.")
    return str(found[0])


def call(function, *arguments):
    """Calls a function whose last parameter is where it puts the new handle."""
    handle = c_void_p()
    function(*arguments, byref(handle))
    return handle


def elements(kith, array):
    """The shared elements themselves, not a copy of them."""
    return (c_int32 * kith.kith_array_count(array)).from_address(kith.kith_array_data(array))


def print_squares(kith, where, result, square_sum):
    total = c_int32()
    kith.kith_value_load(square_sum, byref(total), ctypes.sizeof(total))
    print(f"Result(in {where}): {elements(kith, result)[:]}")
    print(f"Sum of squares(in {where}): {total.value}", flush=True)


def square_list(kith, mylist):
    result = call(kith.kith_array_inherit, b"result")
    square_sum = call(kith.kith_value_inherit, b"square_sum")
    squares = elements(kith, result)
    for index, number in enumerate(mylist):
        squares[index] = number * number
    total = c_int32(sum(squares))
    kith.kith_value_store(square_sum, byref(total), ctypes.sizeof(total))
    print_squares(kith, "process p1", result, square_sum)
    kith.kith_value_close(square_sum)
    kith.kith_array_close(result)


def start_child(kith, path, mylist, shares):
    words = [sys.executable, os.path.abspath(__file__), "--child", path, *map(str, mylist)]
    argv = (c_char_p * (len(words) + 1))(*[word.encode() for word in words])  # the last one is NULL
    table = (Share * len(shares))(*[Share(name, handle) for name, handle in shares.items()])
    options = ProcessOptions(struct_size=ctypes.sizeof(ProcessOptions), argv=argv, shares=table, share_count=len(table))
    return call(kith.kith_process_spawn, byref(options))


def main(path):
    kith = load(path)
    mylist = [1, 2, 3, 4]
    result = call(kith.kith_array_create, KITH_I32, 4, None)
    square_sum = call(kith.kith_value_create, KITH_I32, None, None)

    p1 = start_child(kith, path, mylist, {b"result": result, b"square_sum": square_sum})
    end = Exit()
    kith.kith_process_wait(p1, KITH_FOREVER, byref(end))

    print_squares(kith, "main program", result, square_sum)
    kith.kith_process_close(p1)
    kith.kith_value_close(square_sum)
    kith.kith_array_close(result)
    return 0 if (end.kind, end.code) == (KITH_EXIT_CODE, 0) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        square_list(load(sys.argv[2]), [int(word) for word in sys.argv[3:]])
    else:
        library = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KITH_LIBRARY") or find_library()
        sys.exit(main(os.path.abspath(library)))
