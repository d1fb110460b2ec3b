# SPDX-License-Identifier: MIT
"""Waiting for kith's objects in an asyncio event loop."""
import asyncio

from . import _ffi

# When a process dies that was about to tell us, nothing tells us: so we look.
_LOOK_AGAIN = 1.0


async def ready(handle, number):
    """Until there may be something: call with timeout 0 then."""
    status = _ffi.quick.poll_arm(handle.value, _ffi.WAIT_READ)
    if status == _ffi.E_BUSY:
        await asyncio.sleep(0)
        return
    _ffi.check(status)
    loop = asyncio.get_running_loop()
    rings = loop.create_future()
    loop.add_reader(number, lambda: rings.done() or rings.set_result(None))
    try:
        await asyncio.wait([rings], timeout=_LOOK_AGAIN)
    finally:
        loop.remove_reader(number)
        rings.cancel()
        _ffi.quick.poll_disarm(handle.value)
