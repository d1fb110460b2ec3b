# SPDX-License-Identifier: MIT
"""The child's side of kith.multiprocessing.Process.start()."""
import io
import os
import sys

try:
    from _pickle import load  # without the pickler in Python, whose imports take longer than the rest
except ImportError:
    from pickle import load


def main():
    from . import _ffi, _handle
    from . import _process as process
    given = _handle.inherit("memory", "python")
    os.environ.pop("KITH_BOOT", None)  # what Python remembers of it; the library has removed it
    import ctypes
    file = io.BytesIO(ctypes.string_at(_ffi.quick.memory_data(given.value), _ffi.quick.memory_size(given.value)))
    given.close()
    process.current_process()._inheriting = True
    try:
        preparation = load(file)
        _prepare(preparation, process)
        child = load(file)
    finally:
        del process.current_process()._inheriting
    parent = process._ParentProcess(*preparation["parent"], _handle.inherit("channel", "python.line"))
    _handle.end_of_inheriting()
    file.close()
    sys.exit(child._bootstrap(parent))


def _prepare(data, process):
    process.current_process().name = data["name"]
    process.current_process().authkey = data["authkey"]
    sys.path = data["sys_path"]
    sys.argv = data["sys_argv"]
    os.chdir(data["dir"])
    process.ORIGINAL_DIR = data["orig_dir"]
    process.executable = data["executable"]
    if "main_name" in data:
        _import_main_by_name(data["main_name"])
    elif "main_path" in data:
        _import_main_by_path(data["main_path"])


# The parent's main module is imported here under another name, so that what is guarded by `if __name__ == "__main__"` does not run.
_MAIN = "__mp_main__"


def _become_main(contents):
    module = type(sys)(_MAIN)
    module.__dict__.update(contents)
    sys.modules["__main__"] = sys.modules[_MAIN] = module


def _import_main_by_name(name):
    # `python -m package` runs package.__main__, which may not be guarded.
    if name == "__main__" or name.endswith(".__main__"):
        return
    if getattr(sys.modules["__main__"].__spec__, "name", None) == name:
        return
    import runpy
    _become_main(runpy.run_module(name, run_name=_MAIN, alter_sys=True))


def _import_main_by_path(path):
    name = os.path.splitext(os.path.basename(path))[0]
    if name == "__main__":
        return
    if getattr(sys.modules["__main__"], "__file__", None) == path:
        return
    if name == "ipython":
        return
    if path.endswith(".py"):
        _run_source(path)
        return
    import runpy
    _become_main(runpy.run_path(path, run_name=_MAIN))


def _run_source(path):
    """As runpy.run_path() does, without what it imports for archives and directories, which takes longer than this package."""
    with io.open_code(path) as file:
        code = compile(file.read(), path, "exec")
    module = sys.modules[_MAIN] = type(sys)(_MAIN)
    module.__dict__.update(__file__=path, __cached__=None, __package__="")
    given, sys.argv[0] = sys.argv[0], path
    exec(code, module.__dict__)
    sys.argv[0] = given
    sys.modules["__main__"] = module
