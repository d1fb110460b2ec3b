# SPDX-License-Identifier: MIT
"""What the tests share."""
import os
import pathlib
import re
import subprocess
import sys

from kith import _ffi

FOLDER = pathlib.Path(__file__).resolve().parent
LONG = 60  # seconds: far more than is needed
given = None  # in a worker of a pool: what its initializer was given
HAS_ENDPOINTS = hasattr(_ffi.lib, "endpoint_listen")


def run_program(*words, timeout=LONG, **more):
    """Runs Python, and gives (exit code, stdout, stderr)."""
    done = subprocess.run([sys.executable, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **more)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def readme_example():
    text = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    return re.search(r"^```python\n(.*?)^```$", text, re.M | re.S).group(1)


def descriptors():
    """The numbers of the open descriptors, and what each is."""
    found = {}
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            pass  # the directory itself
    return found
