# SPDX-License-Identifier: MIT
"""What the synchronisation objects exclude, they exclude between processes."""
import queue
import random
import threading
import unittest
import zlib

import kith.multiprocessing as mp
from support import LONG

PROCESSES = 3
ROUNDS = 3000


def add(guard, counter, start):
    start.wait(LONG)
    for _ in range(ROUNDS):
        with guard:
            counter.value += 1  # reads, adds and writes: not atomic


def add_in_turns(condition, turn, me, counter):
    for _ in range(ROUNDS // 10):
        with condition:
            assert condition.wait_for(lambda: turn.value == me, LONG)
            counter.value += 1
            turn.value = (me + 1) % PROCESSES
            condition.notify_all()


def count_inside(semaphore, inside, most, start):
    start.wait(LONG)
    for _ in range(ROUNDS // 10):
        with semaphore:
            with inside.get_lock():
                inside.value += 1
                most.value = max(most.value, inside.value)
            with inside.get_lock():
                inside.value -= 1


def write_rounds(barrier, rounds, me):
    for number in range(ROUNDS // 30):
        rounds[me] = number
        barrier.wait(LONG)
        assert list(rounds) == [number] * PROCESSES
        barrier.wait(LONG)


def run_all(target, arguments):
    children = [mp.Process(target=target, args=each) for each in arguments]
    for child in children:
        child.start()
    for child in children:
        child.join(LONG)
    return [child.exitcode for child in children]


class Exclusion(unittest.TestCase):
    def check_guard(self, guard):
        counter, start = mp.RawValue("q"), mp.Barrier(PROCESSES)
        self.assertEqual(run_all(add, [(guard, counter, start)] * PROCESSES), [0] * PROCESSES)
        self.assertEqual(counter.value, PROCESSES * ROUNDS)

    def test_lock(self):
        self.check_guard(mp.Lock())

    def test_rlock(self):
        self.check_guard(mp.RLock())

    def test_semaphore(self):
        self.check_guard(mp.Semaphore(1))

    def test_bounded_semaphore(self):
        self.check_guard(mp.BoundedSemaphore(1))

    def test_condition(self):
        self.check_guard(mp.Condition())

    def test_lock_of_a_value(self):
        self.check_guard(mp.Value("i").get_lock())

    def test_value_under_its_lock(self):
        shared, start = mp.Value("q"), mp.Barrier(PROCESSES)
        self.assertEqual(run_all(add, [(shared.get_lock(), shared, start)] * PROCESSES), [0] * PROCESSES)
        self.assertEqual(shared.value, PROCESSES * ROUNDS)

    def test_threads_and_processes(self):
        lock, counter, start = mp.Lock(), mp.RawValue("q"), mp.Barrier(4)
        threads = [threading.Thread(target=add, args=(lock, counter, start)) for _ in range(2)]
        for thread in threads:
            thread.start()
        self.assertEqual(run_all(add, [(lock, counter, start)] * 2), [0, 0])
        for thread in threads:
            thread.join(LONG)
        self.assertEqual(counter.value, 4 * ROUNDS)

    def test_condition_hands_over_in_turns(self):
        condition, turn, counter = mp.Condition(), mp.RawValue("i"), mp.RawValue("q")
        self.assertEqual(run_all(add_in_turns, [(condition, turn, i, counter) for i in range(PROCESSES)]), [0] * PROCESSES)
        self.assertEqual(counter.value, PROCESSES * (ROUNDS // 10))

    def test_semaphore_lets_in_no_more_than_it_has(self):
        inside, most, start = mp.Value("i"), mp.RawValue("i"), mp.Barrier(PROCESSES)
        self.assertEqual(run_all(count_inside, [(mp.Semaphore(2), inside, most, start)] * PROCESSES), [0] * PROCESSES)
        self.assertLessEqual(most.value, 2)
        self.assertEqual(inside.value, 0)

    def test_barrier_separates_rounds(self):
        barrier, rounds = mp.Barrier(PROCESSES), mp.RawArray("i", PROCESSES)
        self.assertEqual(run_all(write_rounds, [(barrier, rounds, i) for i in range(PROCESSES)]), [0] * PROCESSES)


# ---- queues ------------------------------------------------------------------------------------------------------------------------------

WRITERS, READERS, MESSAGES = 8, 4, 40


def message(writer, number):
    """From 1 byte to 1 MiB, with a checksum before it."""
    chooser = random.Random(writer * 1000 + number)
    size = 1 << chooser.randrange(21) if number % 10 else (1, 1 << 20)[number // 10 % 2]
    body = chooser.getrandbits(8 * min(size, 4096)).to_bytes(min(size, 4096), "little") * (-(-size // 4096))
    return writer, number, zlib.crc32(body[:size]), body[:size]


def write(items, writer):
    for number in range(MESSAGES):
        items.put(message(writer, number))


def read(items, results):
    seen = []
    while True:
        item = items.get(timeout=LONG)
        if item is None:
            break
        writer, number, checksum, body = item
        assert zlib.crc32(body) == checksum, "torn"
        seen.append((writer, number))
    results.put(seen)


class Queues(unittest.TestCase):
    def check(self, items):
        results = mp.Queue()
        readers = [mp.Process(target=read, args=(items, results)) for _ in range(READERS)]
        writers = [mp.Process(target=write, args=(items, i)) for i in range(WRITERS)]
        for child in readers + writers:
            child.start()
        for child in writers:
            child.join(LONG)
            self.assertEqual(child.exitcode, 0)
        for _ in readers:
            items.put(None)
        seen = [results.get(timeout=LONG) for _ in readers]
        for child in readers:
            child.join(LONG)
            self.assertEqual(child.exitcode, 0)
        everything = sorted(item for part in seen for item in part)
        self.assertEqual(everything, [(w, n) for w in range(WRITERS) for n in range(MESSAGES)], "lost or doubled")
        for part in seen:
            for writer in range(WRITERS):
                numbers = [n for w, n in part if w == writer]
                self.assertEqual(numbers, sorted(numbers), "the order of a writer")
        with self.assertRaises(queue.Empty):
            results.get(timeout=0)

    def test_queue(self):
        self.check(mp.Queue())

    def test_bounded_queue(self):
        self.check(mp.Queue(5))

    def test_more_than_the_shared_memory_holds(self):
        items = mp.Queue()
        for number in range(40):
            items.put(bytes([number]) * (1 << 20))
        self.assertEqual(items.qsize(), 40)
        for number in range(40):
            data = items.get(timeout=LONG)
            self.assertEqual((len(data), data[0], data[-1]), (1 << 20, number, number))


if __name__ == "__main__":
    unittest.main()
