#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""As seed_shared.py, but what runs in the child is a C function: square_list of squares.c, started by kith-host.

    python3 seed_native.py <kith's library> <the library of squares.c>
"""
import ctypes
import os
import sys
from ctypes import byref, c_int32, c_void_p, cast

from seed_shared import (KITH_EXIT_CODE, KITH_FOREVER, KITH_I32, Exit, ProcessOptions, Share, call, load,
                         print_squares)


# [start]
def start_function(kith, library, symbol, argument, shares):
    """Starts a function of a C library as a process, with the bytes of `argument`, and with the objects in `shares`."""
    table = (Share * len(shares))(*[Share(name, handle) for name, handle in shares.items()])
    options = ProcessOptions(struct_size=ctypes.sizeof(ProcessOptions), library=library.encode(), symbol=symbol.encode(),
                             argument=cast(argument, c_void_p), argument_size=ctypes.sizeof(argument),
                             shares=table, share_count=len(table))
    return call(kith.kith_process_spawn, byref(options))
# [start] end


def main(path, squares):
    kith = load(path)
    mylist = (c_int32 * 4)(1, 2, 3, 4)
    result = call(kith.kith_array_create, KITH_I32, 4, None)
    square_sum = call(kith.kith_value_create, KITH_I32, None, None)

    p1 = start_function(kith, squares, "square_list", mylist, {b"result": result, b"square_sum": square_sum})
    end = Exit()
    kith.kith_process_wait(p1, KITH_FOREVER, byref(end))

    print_squares(kith, "main program", result, square_sum)
    kith.kith_process_close(p1)
    kith.kith_value_close(square_sum)
    kith.kith_array_close(result)
    if (end.kind, end.code) == (KITH_EXIT_CODE, 0):
        return 0
    print(f"the child ended with {end.kind}, {end.code}: {kith.kith_status_text(end.code).decode()}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*map(os.path.abspath, sys.argv[1:])))
