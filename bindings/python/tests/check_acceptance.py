#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs CPython's own multiprocessing tests against kith.multiprocessing.

The runner is not part of this repository: KITH_ACCEPT names its folder, or it is ../shared/accept beside the repository. Without it, and
without CPython's test package, the test is skipped.

    check_acceptance.py [arguments of the runner]
"""
import importlib.util
import os
import pathlib
import subprocess
import sys

PACKAGE = pathlib.Path(__file__).resolve().parent.parent
SKIPPED = 77


def find_runner():
    places = [os.environ.get("KITH_ACCEPT"), PACKAGE.parent.parent.parent / "shared" / "accept"]
    for place in filter(None, places):
        runner = pathlib.Path(place) / "cpython_mp.py"
        if runner.is_file():
            return runner
    return None


def skip(reason):
    print("skipped:", reason)
    return SKIPPED


def main():
    runner = find_runner()
    if runner is None:
        return skip("the runner of CPython's tests is not here: see KITH_ACCEPT")
    if importlib.util.find_spec("test._test_multiprocessing") is None:
        return skip(f"{sys.executable} has no test package (Debian: libpython3-testsuite)")
    library = os.path.basename(os.path.realpath(os.environ.get("KITH_LIBRARY", "libkith")))
    command = [sys.executable, str(runner), "--subject", "kith.multiprocessing", "--path", str(PACKAGE), "--lib", library, "--shm-prefix", "kith",
               "--show", *sys.argv[1:]]  # yapf: disable
    if sys.version_info[:2] == (3, 13):
        command += ["--require", str(runner.parent / "required.txt")]
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
