#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kith.multiprocessing beside the standard library, in the same run.

    python3 bindings/python/bench.py [--tsv] [NAME...]

Each figure is the best of some rounds, in which the two take turns, or for `start` their median. `ratio` says how many times better
kith is.
"""
# The children import this module, too, and what they do not need would be in the figure for starting one: so main() imports the rest.
import importlib
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

ROUNDS = 5


def clock():
    return time.perf_counter()


def median(values):
    return sorted(values)[len(values) // 2]


def library(name):
    if name == "kith":
        return importlib.import_module("kith.multiprocessing")
    return importlib.import_module("multiprocessing").get_context("spawn")


# ---- what is measured: each gives seconds for one operation, or operations in a second --------------------------------------------


def _echo(conn, count):
    for _ in range(count):
        conn.send_bytes(conn.recv_bytes())


def pipe_rtt(mp, batches=40, batch=100):
    """A round trip of 64 bytes, while both are awake: us. The median of some batches, as others use the machine, too."""
    here, there = mp.Pipe()
    child = mp.Process(target=_echo, args=(there, batches * batch))
    child.start()
    message = b"x" * 64
    took = []
    for _ in range(batches):
        begin = clock()
        for _ in range(batch):
            here.send_bytes(message)
            here.recv_bytes()
        took.append(clock() - begin)
    child.join()
    return median(took) / batch * 1e6


def lock(mp, count=100_000):
    """Acquire and release: ns."""
    one = mp.Lock()
    acquire, release = one.acquire, one.release
    begin = clock()
    for _ in range(count):
        acquire()
        release()
    return (clock() - begin) / count * 1e9


def _increment(value, start, count, took):
    start.wait()
    begin = clock()
    for _ in range(count):
        with value.get_lock():
            value.value += 1
    took.put(clock() - begin)


def value(mp, count=100_000):
    """Increments of a value under its lock by two processes: thousands a second."""
    shared, start, took = mp.Value("q", 0), mp.Barrier(2), mp.SimpleQueue()
    children = [mp.Process(target=_increment, args=(shared, start, count, took)) for _ in range(2)]
    for child in children:
        child.start()
    slower = max(took.get() for _ in children)
    for child in children:
        child.join()
    assert shared.value == 2 * count
    return 2 * count / slower / 1e3


def _put(queue, start, count):
    start.wait()
    for i in range(count):
        queue.put(i)


def queue(mp, count=20_000):
    """Numbers from another process: thousands a second."""
    items, start = mp.Queue(), mp.Barrier(2)
    child = mp.Process(target=_put, args=(items, start, count))
    child.start()
    start.wait()
    begin = clock()
    for _ in range(count):
        items.get()
    took = clock() - begin
    child.join()
    return count / took / 1e3


def _square(x):
    return x * x


def pool(mp, count=5000):
    """Tasks of a pool of two, one at a time: thousands a second."""
    with mp.Pool(2) as workers:
        workers.map(_square, range(10), chunksize=1)
        begin = clock()
        workers.map(_square, range(count), chunksize=1)
        return count / (clock() - begin) / 1e3


def _nothing():
    pass


def start(mp):
    """Starting and joining a child: ms."""
    begin = clock()
    child = mp.Process(target=_nothing)
    child.start()
    child.join()
    return (clock() - begin) * 1e3


# name: function, unit, rounds, which figure of them counts, the goal for the ratio
MEASURES = {
    "pipe_rtt": (pipe_rtt, "us", ROUNDS, min, 5),
    "lock": (lock, "ns", ROUNDS, min, 1),
    "value": (value, "k/s", ROUNDS, max, 3),
    "queue": (queue, "k/s", ROUNDS, max, 5),
    "pool": (pool, "k/s", ROUNDS, max, 3),
    "start": (start, "ms", 45, median, 1),
}


def run_as_installed():
    """Once more, so that children of both find compiled modules, as those of an installed package do. The exit code."""
    import subprocess
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.call([sys.executable, __file__, *sys.argv[1:]], env=environment)


def main():
    import argparse
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", choices=[[], *MEASURES], metavar="NAME", help=", ".join(MEASURES))
    arguments.add_argument("--tsv", action="store_true", help="metric<TAB>subject<TAB>value<TAB>unit")
    wanted = arguments.parse_args()
    if sys.pycache_prefix is None:
        sys.exit(run_as_installed())
    libraries = {"multiprocessing": library("multiprocessing"), "kith": library("kith")}
    for mp in libraries.values():
        start(mp)  # what is not compiled yet is now
    for name in wanted.names or MEASURES:
        function, unit, rounds, best, goal = MEASURES[name]
        found = {subject: [] for subject in libraries}
        for _ in range(rounds):
            for subject, mp in libraries.items():
                found[subject].append(function(mp))
        figures = {subject: best(values) for subject, values in found.items()}
        theirs, ours = figures["multiprocessing"], figures["kith"]
        ratio = ours / theirs if best is max else theirs / ours
        if wanted.tsv:
            for subject, figure in figures.items():
                print(f"python.{name}\t{subject}\t{figure:.3f}\t{unit}")
            print(f"python.{name}\tratio\t{ratio:.2f}\tx", flush=True)
        else:
            print(f"{name:10} multiprocessing {theirs:10.2f} {unit:4} kith {ours:10.2f} {unit:4} ratio {ratio:6.2f} (goal {goal})", flush=True)


if __name__ == "__main__":
    main()
