# SPDX-License-Identifier: MIT
"""For a type checker: what programs do, with the types that they should have. It is not run."""
import asyncio
import ctypes
from typing import List

import kith
from kith import multiprocessing as mp
from kith.multiprocessing import shared_memory
from kith.multiprocessing.connection import Client, Connection, Listener, wait
from kith.multiprocessing.pool import ApplyResult


def square(x: int) -> int:
    return x * x


def processes() -> None:
    child = mp.Process(target=square, args=(3,), daemon=True)
    child.start()
    child.join(timeout=1.5)
    code: "int | None" = child.exitcode
    number: int = child.sentinel
    names: List[str] = [each.name for each in mp.active_children()]
    print(code, number, names, mp.current_process().pid)


def locks() -> None:
    for lock in (mp.Lock(), mp.RLock()):
        try:
            got: bool = lock.acquire(timeout=0.1)
            print(got)
        except kith.OwnerDied:
            lock.mark_consistent()
        with lock:
            owner: "int | None" = lock.owner()
            print(owner)
    changed = mp.Condition(mp.Lock())
    with changed:
        ready: bool = changed.wait_for(lambda: True, timeout=1)
        changed.notify_all()
    place: int = mp.Barrier(2).wait(timeout=1)
    print(ready, place, mp.Event().wait(0.1), mp.Semaphore(3).get_value())


def shared() -> None:
    whole = mp.Value("i", 3)
    real = mp.Value("d")
    typed = mp.Value(ctypes.c_int64, 7)
    with whole.get_lock():
        whole.value += 1
    number: int = whole.value + typed.value
    fraction: float = real.value
    array = mp.Array("i", [1, 2, 3])
    first: int = array[0]
    some: List[int] = array[1:]
    raw = mp.RawArray(ctypes.c_double, 3)
    one: float = raw[0]
    block = shared_memory.SharedMemory(create=True, size=100)
    view: memoryview = block.buf
    print(number, fraction, first, some, one, view, shared_memory.ShareableList([1, "a", None])[0])


def messages() -> None:
    here, there = mp.Pipe()
    here.send({"a": 1}, timeout=1)
    here.send_bytes(memoryview(b"abc"))
    data: bytes = there.recv_bytes(timeout=1)
    ready = wait([here, there], timeout=0.1)
    with Listener("a name") as listener:
        line: Connection = listener.accept()
    items: "mp.Queue[int]" = mp.Queue(10)
    items.put(3)
    item: int = items.get(timeout=1)
    tasks: "mp.JoinableQueue[str]" = mp.JoinableQueue()
    done: bool = tasks.join(timeout=1)
    print(data, ready, line, item, done, Client("a name"))


async def later(line: Connection, items: "mp.Queue[int]") -> int:
    data: bytes = await line.recv_bytes_async()
    return len(data) + await items.get_async()


def pools() -> None:
    with mp.Pool(2, initializer=print, initargs=("here",)) as pool:
        answers: List[int] = pool.map(square, range(10))
        task: "ApplyResult[int]" = pool.apply_async(square, (3,), callback=print)
        answer: int = task.get(timeout=1)
        for each in pool.imap_unordered(square, [1, 2]):
            answer += each
    print(answers, answer)


asyncio.run(later(*mp.Pipe()[:1], mp.Queue()))
