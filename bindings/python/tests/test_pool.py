# SPDX-License-Identifier: MIT
"""Workers of a pool that have nothing to do import what tasks refer to."""
import functools
import importlib
import os
import pathlib
import sys
import tempfile
import unittest

import kith
import kith.multiprocessing as mp
import support
from support import LONG

# A module that tells when a worker imports it.
TELLS = """
import os
import support
if support.given is not None:
    support.given["imported"].put(os.getpid())
    {then}

def hold(*_):
    support.given["end"].wait()
"""


def begin(go, given):
    """Initializes a worker, which looks for tasks when the parent says so."""
    support.given = given
    go.wait()


class ImportsAhead(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        sys.path.insert(0, folder.name)
        self.addCleanup(sys.path.remove, folder.name)
        self.go, self.imported = mp.Event(), mp.SimpleQueue()

    def module(self, name, then="pass"):
        (self.folder / f"{name}.py").write_text(TELLS.format(then=then))
        importlib.invalidate_caches()
        self.addCleanup(sys.modules.pop, name)
        return importlib.import_module(name)

    def pool(self, processes):
        self.go.clear()
        return mp.Pool(processes, begin, (self.go, {"imported": self.imported, "end": mp.Event()}))

    def importers(self, count):
        return {self.imported.get(timeout=LONG) for _ in range(count)}

    def test_without_a_task(self):
        module = self.module("imported_ahead")
        submits = {
            "apply": lambda pool: pool.apply_async(module.hold),
            "partial": lambda pool: pool.apply_async(functools.partial(functools.partial(module.hold), 1)),
            "map": lambda pool: pool.map_async(module.hold, [1]),
            "imap": lambda pool: pool.imap(module.hold, [1], chunksize=2),
        }
        for how, submit in submits.items():
            with self.subTest(how), self.pool(3) as pool:
                submit(pool)
                self.go.set()
                # One has the task. The others have none, and never will.
                self.assertEqual(len(self.importers(3)), 3)

    def test_what_cannot_be_imported(self):
        for name, then in ("raises_when_imported", "raise ImportError('not here')"), ("exits_when_imported", "raise SystemExit(3)"):
            with self.subTest(name):
                module = self.module(name, then)
                with self.pool(1) as pool:
                    pool._core.names.tell_of(module.hold)
                    self.go.set()
                    worker, = self.importers(1)
                    self.assertEqual(pool.apply(os.getpid), worker)

    def test_the_task_says_what_cannot_be_imported(self):
        module = self.module("raises_when_imported", "raise ImportError('not here')")
        with self.pool(2) as pool:
            self.go.set()
            for _ in range(3):
                with self.assertRaisesRegex(ImportError, "not here"):
                    pool.apply(module.hold)

    def test_an_import_that_kills_is_not_tried_by_all_that_come(self):
        module = self.module("kills_when_imported", "os._exit(3)")
        with self.pool(1) as pool:
            self.go.set()
            with self.assertRaises(kith.WorkerDied):
                pool.apply(module.hold)
            self.assertEqual(len(self.importers(2)), 2, "with the task, and ahead")
            self.assertEqual(len({pool.apply(os.getpid) for _ in range(10)}), 1, "the next one lives")
        self.assertTrue(self.imported.empty())

    def test_more_names_than_there_is_room_for(self):
        with mp.Pool(1) as pool:
            for i in range(1000):
                pool._core.names.tell_of(type("Function", (), {"__module__": f"module_{i}_that_is_not_there"}))
            self.assertEqual(pool.map(abs, [-1, -2], chunksize=1), [1, 2])


if __name__ == "__main__":
    unittest.main()
