# SPDX-License-Identifier: MIT
"""Which modules a child has imported when its target runs."""
import sys

from kith import multiprocessing


def show():
    print(*sys.modules)


if __name__ == "__main__":
    child = multiprocessing.Process(target=show)
    child.start()
    child.join()
