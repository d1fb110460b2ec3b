# SPDX-License-Identifier: MIT
from kith import multiprocessing


def nothing():
    print("ran")


child = multiprocessing.Process(target=nothing)
child.start()
child.join()
print("exit code", child.exitcode)
