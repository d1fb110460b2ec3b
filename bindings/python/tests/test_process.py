# SPDX-License-Identifier: MIT
"""What a child gets, and the programs of the documentation."""
import asyncio
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest

import kith
import kith.multiprocessing as mp
from support import FOLDER, HAS_ENDPOINTS, LONG, descriptors, readme_example, run_program


def tell_descriptors(conn):
    conn.send(descriptors())


def interrupt_me(ready):
    try:
        ready.set()
        mp.Event().wait()
    except KeyboardInterrupt:
        sys.exit(42)


def fill(array):
    for i in range(len(array)):
        array[i] = i + 1


def use_what_comes(conn):
    lock, array, line = conn.recv()
    with lock:
        array[0] += 1
    line.send("over the line that came")


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double)]


def move(point):
    point.x += 1
    point.y *= 2


def answer_twice(conn):
    conn.send(conn.recv() * 2)


def put_after_get(a, b):
    b.put(a.get(timeout=LONG) + 1)


def lives(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read() != ""  # a zombie has none
    except OSError:
        return False


class Children(unittest.TestCase):
    @unittest.skipUnless(os.path.isdir("/proc/self/fd"), "needs /proc")
    def test_child_has_no_descriptor_that_it_was_not_given(self):

        def of_a_child():
            here, there = mp.Pipe()
            child = mp.Process(target=tell_descriptors, args=(there,))
            child.start()
            found = here.recv(timeout=LONG)
            child.join(LONG)
            return found

        before = of_a_child()
        pipes = [os.pipe() for _ in range(25)]
        try:
            for pair in pipes:
                for number in pair:
                    os.set_inheritable(number, True)
            unrelated = {os.readlink(f"/proc/self/fd/{number}") for pair in pipes for number in pair}
            after = of_a_child()
        finally:
            for pair in pipes:
                for number in pair:
                    os.close(number)
        self.assertEqual(len(before), len(after))
        self.assertFalse(unrelated & set(after.values()))

    def test_child_without_guard_ends_with_an_error(self):
        code, out, err = run_program(FOLDER / "programs" / "unguarded.py")
        self.assertEqual((code, out), (0, "exit code 1\n"))
        self.assertIn("if __name__ == '__main__':", err)
        self.assertEqual(err.count("\nRuntimeError:"), 1, "one child, no flood")

    def test_main_module_is_that_of_the_standard_library(self):
        program = FOLDER / "programs" / "main_module.py"
        with tempfile.TemporaryDirectory() as folder:
            no_suffix = shutil.copy(program, os.path.join(folder, "program"))
            for path in program, no_suffix:
                code, out, err = run_program(path, "multiprocessing")
                self.assertEqual((code, err), (0, ""))
                self.assertEqual(run_program(path, "kith.multiprocessing"), (code, out, err))

    @unittest.skipUnless(sys.implementation.name == "cpython", "needs _pickle")
    def test_child_imports_what_it_needs(self):
        # Each of these takes longer to import than the package itself.
        dear = {"pickle", "re", "runpy", "typing", "pkgutil", "selectors", "socket", "subprocess", "logging", "kith._connection"}
        _, at_once, _ = run_program("-c", "import sys; print(*sys.modules)")
        _, imported, _ = run_program(FOLDER / "programs" / "child_modules.py")
        self.assertIn("kith._ffi", imported.split())
        self.assertEqual((set(imported.split()) - set(at_once.split())) & dear, set())

    def test_interrupt(self):
        ready = mp.Event()
        child = mp.Process(target=interrupt_me, args=(ready,))
        child.start()
        self.assertTrue(ready.wait(LONG))
        while child.exitcode is None:  # a signal in the moment before the wait is noticed after a second
            os.kill(child.pid, signal.SIGINT)
            child.join(3)
        self.assertEqual(child.exitcode, 42)

    def test_other_threads_run_while_one_waits(self):
        event = mp.Event()
        threading.Timer(0.05, event.set).start()
        self.assertTrue(event.wait(LONG))
        here, there = mp.Pipe()
        threading.Timer(0.05, there.send, ("hello",)).start()
        self.assertEqual(here.recv(timeout=LONG), "hello")

    @unittest.skipUnless(sys.platform == "linux", "needs PR_SET_PDEATHSIG")
    def test_daemon_ends_with_its_parent(self):
        code = ("import os, kith.multiprocessing as mp, test_process\n"
                "child = mp.Process(target=test_process.sleep, daemon=True)\n"
                "child.start(); print(child.pid, flush=True); os.kill(os.getpid(), 9)\n")
        status, out, err = run_program("-c", code, cwd=str(FOLDER))
        self.assertEqual(status, -9, err)
        end = time.monotonic() + LONG
        while time.monotonic() < end and lives(int(out)):
            time.sleep(0.01)
        self.assertLess(time.monotonic(), end)


def sleep():
    time.sleep(LONG)


class Programs(unittest.TestCase):
    def check(self, name, expected):
        code, out, err = run_program(FOLDER / "programs" / name)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.splitlines(), expected)

    def test_seed_separate(self):
        self.check("seed_separate.py", ["Result(in process p1) [1, 4, 9, 16]", "Result(in main program) []"])

    def test_seed_shared(self):
        self.check("seed_shared.py", [
            "Result(in process p1): [1, 4, 9, 16]", "Sum of squares(in process p1): 30", "Result(in main program): [1, 4, 9, 16]",
            "Sum of squares(in main program): 30"
        ])

    def test_readme(self):
        path = FOLDER / "programs" / "readme.py"
        path.write_text(readme_example(), encoding="utf-8")
        try:
            self.check("readme.py", ["Result(in main program): [1, 4, 9, 16]", "Sum of squares(in main program): 30"])
        finally:
            path.unlink()


class Views(unittest.TestCase):
    def test_memoryview_is_the_shared_memory(self):
        array = mp.Array("i", 4)
        view = memoryview(array.get_obj()).cast("B").cast("i")
        child = mp.Process(target=fill, args=(array,))
        child.start()
        child.join(LONG)
        self.assertEqual(view.tolist(), [1, 2, 3, 4])
        view[0] = 7
        self.assertEqual(array[:], [7, 2, 3, 4])

    def test_memory_lives_as_long_as_a_view(self):
        view = memoryview(mp.RawArray("i", 1000)).cast("B").cast("i")
        view[999] = 5
        self.assertEqual(view[999], 5)

    def test_numpy(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("there is no numpy")
        array = mp.Array("d", 3)
        view = numpy.frombuffer(array.get_obj())
        view[:] = 1.5
        self.assertEqual(array[:], [1.5] * 3)

    def test_struct(self):
        point = mp.Value(Point, 1, 2.5)
        child = mp.Process(target=move, args=(point,))
        child.start()
        child.join(LONG)
        self.assertEqual((point.x, point.y), (2, 5.0))


class Loops(unittest.TestCase):
    def test_recv_async(self):

        async def ask():
            here, there = mp.Pipe()
            child = mp.Process(target=answer_twice, args=(there,))
            child.start()
            ticks = []

            async def tick():
                while True:
                    ticks.append(1)
                    await asyncio.sleep(0.001)

            ticking = asyncio.ensure_future(tick())
            here.send(21)
            answer = await asyncio.wait_for(here.recv_async(), LONG)
            ticking.cancel()
            child.join(LONG)
            return answer, len(ticks)

        answer, ticks = asyncio.run(ask())
        self.assertEqual(answer, 42)
        self.assertGreater(ticks, 1, "the loop went on meanwhile")

    def test_get_async(self):

        async def ask():
            a, b = mp.Queue(), mp.Queue()
            child = mp.Process(target=put_after_get, args=(a, b))
            child.start()
            a.put(1)
            answer = await asyncio.wait_for(b.get_async(), LONG)
            child.join(LONG)
            return answer

        self.assertEqual(asyncio.run(ask()), 2)

    def test_end_comes_to_a_loop(self):

        async def ask():
            here, there = mp.Pipe()
            asyncio.get_running_loop().call_later(0.01, there.close)
            with self.assertRaises(kith.Closed):
                await asyncio.wait_for(here.recv_async(), LONG)

        asyncio.run(ask())


@unittest.skipUnless(HAS_ENDPOINTS, "this library has no endpoints")
class Objects(unittest.TestCase):
    def check_sent(self, send, target, line):
        lock, array = mp.Lock(), mp.Array("i", 1)
        a, b = mp.Pipe()
        child = mp.Process(target=target, args=(line,))
        child.start()
        send((lock, array, b))
        self.assertEqual(a.recv(timeout=LONG), "over the line that came")
        child.join(LONG)
        self.assertEqual(array[0], 1)

    def test_through_a_pipe(self):
        here, there = mp.Pipe()
        self.check_sent(here.send, use_what_comes, there)

    def test_through_a_queue(self):
        items = mp.Queue()
        self.check_sent(items.put, use_what_is_got, items)


def use_what_is_got(items):

    class Line:
        recv = staticmethod(items.get)

    use_what_comes(Line)


if __name__ == "__main__":
    unittest.main()
