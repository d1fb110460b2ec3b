# SPDX-License-Identifier: MIT
"""What the main module is in a child of the library that the argument names."""
import importlib
import sys

IMPORTED = [__name__, __file__, __package__, __spec__, __loader__, __doc__, __builtins__ is not None, list(sys.argv), sys.modules[__name__].__dict__ is globals()]


def show():
    main = sys.modules["__main__"]
    print(*IMPORTED, sys.argv, main.__name__, main is sys.modules["__mp_main__"], main.show is show, sorted(vars(main)), sep="\n")


if __name__ == "__main__":
    library = importlib.import_module(sys.argv.pop()).get_context("spawn")
    child = library.Process(target=show)
    child.start()
    child.join()
    sys.exit(child.exitcode)
