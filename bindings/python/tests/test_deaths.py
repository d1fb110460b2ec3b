# SPDX-License-Identifier: MIT
"""Nobody hangs because somebody died."""
import functools
import multiprocessing as standard
import os
import queue
import random
import signal
import unittest

import kith
import kith.multiprocessing as mp
from support import HAS_ENDPOINTS, LONG


def hold(lock, held):
    lock.acquire()
    held.send(True)
    held.recv()  # never


def kill_holder(library, lock):
    """A child acquires the lock, and is killed."""
    here, there = library.Pipe()
    child = library.Process(target=hold, args=(lock, there))
    child.start()
    assert here.recv()
    os.kill(child.pid, signal.SIGKILL)
    child.join(LONG)
    assert child.exitcode == -signal.SIGKILL


def take_a_task(tasks, taken):
    tasks.get()
    taken.set()
    mp.Event().wait()


def end_now(code):
    os._exit(code)


def end_and_forget(code, _):
    end_now(code)


def die_after(method):
    """For a worker: it dies when it has done that to a queue."""
    from kith.multiprocessing.queues import _Items
    original = getattr(_Items, method)

    def last(*args):
        if original(*args) is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(_Items, method, last)


def kill_one(pool):
    """One that is there."""
    for worker in list(pool._core.workers):
        try:
            os.kill(worker.pid, signal.SIGKILL)
            return
        except (AttributeError, TypeError, ValueError, OSError):
            continue  # it ends already, or is about to be there


def square(x):
    return x * x


def send_and_die(conn):
    conn.send("last words")
    os.kill(os.getpid(), signal.SIGKILL)


def wait_at(barrier):
    barrier.wait()


def attach_and_end(name):
    from kith.multiprocessing import shared_memory
    block = shared_memory.SharedMemory(name)
    block.buf[0] += 1


@unittest.skipUnless(HAS_ENDPOINTS, "this library has no endpoints")
class Names(unittest.TestCase):
    def test_end_of_an_attacher_takes_nothing_away(self):
        from kith.multiprocessing import shared_memory
        block = shared_memory.SharedMemory(create=True, size=100)
        for times in (1, 2):  # the second finds it, too
            child = mp.Process(target=attach_and_end, args=(block.name,))
            child.start()
            child.join(LONG)
            self.assertEqual((child.exitcode, block.buf[0]), (0, times))
        block.unlink()
        with self.assertRaises(FileNotFoundError):
            shared_memory.SharedMemory(block.name)
        self.assertEqual(block.buf[0], 2)
        block.close()

    def test_name_is_taken_once(self):
        from kith.multiprocessing import shared_memory
        block = shared_memory.SharedMemory("test of kith", create=True, size=10)
        with self.assertRaises(FileExistsError):
            shared_memory.SharedMemory("test of kith", create=True, size=10)
        block.unlink()
        again = shared_memory.SharedMemory("test of kith", create=True, size=10)
        again.unlink()

    def test_list(self):
        from kith.multiprocessing import shared_memory
        items = [1, -2.5, True, None, "text", b"bytes", 1 << 40]
        shared = shared_memory.ShareableList(items)
        same = shared_memory.ShareableList(name=shared.shm.name)
        self.assertEqual(list(same), items)
        same[0], same[4] = 7, "longer"
        self.assertEqual((shared[0], shared[4], shared[-1], len(shared)), (7, "longer", 1 << 40, 7))
        self.assertEqual((shared.index("longer"), shared.count(None)), (4, 1))
        with self.assertRaises(ValueError):
            same[4] = "much longer than it was"
        with self.assertRaises(IndexError):
            same[7]
        shared.shm.unlink()

    def test_key(self):
        from kith.multiprocessing import AuthenticationError
        from kith.multiprocessing.connection import Client, Listener
        with Listener(authkey=b"right") as listener:
            with self.assertRaises(AuthenticationError):
                Client(listener.address, authkey=b"wrong")
            with Client(listener.address, authkey=b"right") as client:
                client.send("hello")
                self.assertEqual(listener.accept().recv(timeout=LONG), "hello")
        with self.assertRaises(OSError):
            Client(listener.address)


class Deaths(unittest.TestCase):
    def test_killed_holder_of_a_lock(self):
        theirs = standard.get_context("spawn")
        lock = theirs.Lock()
        kill_holder(theirs, lock)
        self.assertFalse(lock.acquire(timeout=1), "the standard library would wait for ever")

        lock = mp.Lock()
        kill_holder(mp, lock)
        with self.assertRaises(kith.OwnerDied):
            lock.acquire()
        self.assertEqual(lock.owner(), os.getpid())
        lock.mark_consistent()
        lock.release()
        with lock:
            pass

    def test_with_block_releases_what_it_cannot_use(self):
        lock = mp.RLock()
        kill_holder(mp, lock)
        for _ in range(2):  # nobody has said that all is in order
            with self.assertRaises(kith.OwnerDied):
                with lock:
                    self.fail("the block must not run")
            self.assertIsNone(lock.owner())

    def test_value_and_its_lock(self):
        value = mp.Value("i")
        kill_holder(mp, value.get_lock())
        with self.assertRaises(kith.OwnerDied):
            value.value += 1
        with self.assertRaises(kith.OwnerDied):
            value.get_lock().acquire()
        value.get_lock().mark_consistent()
        value.get_lock().release()
        value.value += 1

    def test_what_was_sent_comes_before_the_end(self):
        here, there = mp.Pipe()
        child = mp.Process(target=send_and_die, args=(there,))
        child.start()
        there.close()
        self.assertEqual(here.recv(timeout=LONG), "last words")
        with self.assertRaises(kith.PeerDied) as caught:
            here.recv(timeout=LONG)
        self.assertIsInstance(caught.exception, EOFError)
        child.join(LONG)

    def test_tasks_that_died_with_a_worker(self):
        tasks, taken = mp.JoinableQueue(), mp.Event()
        tasks.put("a task")
        child = mp.Process(target=take_a_task, args=(tasks, taken))
        child.start()
        self.assertTrue(taken.wait(LONG))
        self.assertFalse(tasks.join(timeout=0.05))
        child.kill()
        with self.assertRaises(kith.OwnerDied):
            tasks.join(timeout=LONG)
        child.join(LONG)

    def test_worker_of_a_pool(self):
        with mp.Pool(2) as pool:
            doomed = pool.apply_async(end_now, (3,))
            with self.assertRaises(kith.WorkerDied):
                doomed.get(timeout=LONG)
            self.assertEqual(pool.map(square, range(20)), [x * x for x in range(20)])

    def test_worker_of_a_pool_killed_between_two_steps(self):
        with mp.Pool(1, die_after, ("get_into",)) as pool:  # it has taken the task, and done nothing else
            for _ in range(2):
                with self.assertRaises(kith.WorkerDied):
                    pool.apply_async(square, (3,)).get(timeout=LONG)
        with mp.Pool(1, die_after, ("put",)) as pool:  # it has put the result, and not said that it does nothing now
            self.assertEqual(pool.map_async(square, [3, 4], chunksize=1).get(timeout=LONG), [9, 16])

    def test_workers_of_a_pool_killed_at_any_moment(self):
        # Each task is answered once, by its result or by the death of its worker, wherever that was: between two tasks, too.
        tasks, kills, rest = 40_000, 10, random.Random(7)
        died = 0
        with mp.Pool(2) as pool:
            results = pool.imap_unordered(square, range(tasks))
            answered = set()
            next_kill = 200
            for count in range(tasks):
                try:
                    answered.add(results.next(timeout=LONG))
                except kith.WorkerDied:
                    died += 1
                if count >= next_kill and kills > 0:
                    kills -= 1
                    next_kill = count + rest.randrange(1000, 4000)
                    kill_one(pool)
            with self.assertRaises(StopIteration):
                results.next(timeout=LONG)
        self.assertEqual(len(answered) + died, tasks)
        self.assertLessEqual(answered, {x * x for x in range(tasks)})
        self.assertLessEqual(died, 10)

    def test_arguments_that_are_none_fail_a_map(self):
        with mp.Pool(1) as pool:
            for size in (1, 2):
                with self.assertRaises(TypeError):
                    pool.starmap_async(pow, [(1, 2), 3, (4, 5)], chunksize=size).get(timeout=LONG)

    def test_large_tasks_of_a_pool(self):
        with mp.Pool(1) as pool:
            for size in (1 << 19, 1 << 20, (1 << 20) + 1, 5 << 20):
                self.assertEqual(pool.apply(len, (b"x" * size,)), size)
                self.assertEqual(pool.apply(functools.partial(len, b"x" * size)), size)
            doomed = pool.apply_async(functools.partial(end_now, 3), (), {"unused": b"x" * (2 << 20)})
            with self.assertRaises(TypeError):
                doomed.get(timeout=LONG)
            doomed = pool.apply_async(end_and_forget, (3, b"x" * (2 << 20)))
            with self.assertRaises(kith.WorkerDied):
                doomed.get(timeout=LONG)

    def test_party_of_a_barrier(self):
        barrier = mp.Barrier(3)
        children = [mp.Process(target=wait_at, args=(barrier,)) for _ in range(2)]
        for child in children:
            child.start()
        while barrier.n_waiting != 2:
            pass
        children[0].kill()
        children[0].join(LONG)
        children[1].join(LONG)
        self.assertEqual(children[1].exitcode, 1, "it was told")
        self.assertTrue(barrier.broken)
        with self.assertRaises(kith.Broken):
            barrier.wait(LONG)

    def test_timeouts(self):
        here, there = mp.Pipe()
        with self.assertRaises(TimeoutError):
            here.recv(timeout=0.01)
        with self.assertRaises(TimeoutError):
            for _ in range(1000):
                here.send_bytes(b"x" * 1000, timeout=0.01)
        self.assertFalse(mp.Event().wait(0.01))
        self.assertFalse(mp.Semaphore(0).acquire(timeout=0.01))
        with self.assertRaises(queue.Empty):
            mp.SimpleQueue().get(timeout=0.01)
        del there


if __name__ == "__main__":
    unittest.main()
