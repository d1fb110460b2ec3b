#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the wheel, installs it into a fresh virtual environment without network, and runs there the first example of the README, and a C
function by the kith-host of the wheel."""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

from support import FOLDER, readme_example

SKIPPED = 77


def builder():
    """A Python with setuptools and wheel."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import setuptools, wheel"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def run_native(python, library, environment):
    """The example with a C function, by what lies beside the library. None: that function is not built."""
    built = pathlib.Path(os.environ.get("KITH_LIBRARY", "")).parent / "examples"
    squares = next(iter(built.glob("squares.*")), None) if built.is_dir() else None
    if squares is None:
        return None
    example = FOLDER.parent.parent.parent / "examples" / "seed_native.py"
    environment = {**{name: value for name, value in environment.items() if name != "KITH_HOST"}, "PATH": "/nowhere"}
    return subprocess.run([python, example, library, squares], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    python = builder()
    if python is None or importlib.util.find_spec("ensurepip") is None:
        print("skipped: there is no Python with setuptools and wheel (Debian: python3-wheel), or none with ensurepip (python3-venv)")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        built = subprocess.run([python, FOLDER.parent / "build_wheel.py", "--out", folder / "wheel"], stdout=subprocess.PIPE, check=True)
        wheel = built.stdout.decode().split()[-1]
        venv.create(folder / "venv", with_pip=True)
        inside = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        # As a user has it: nothing of this checkout.
        plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KITH_LIBRARY")}
        subprocess.run([inside, "-m", "pip", "install", "--no-index", "--quiet", "--disable-pip-version-check", wheel], env=plain, check=True)
        (folder / "example.py").write_text(readme_example(), encoding="utf-8")
        done = subprocess.run([inside, folder / "example.py"], env=plain, cwd=folder, stdout=subprocess.PIPE, check=True)
        lines = done.stdout.decode().splitlines()
        where = subprocess.run([inside, "-c", "import kith._ffi; print(kith._ffi.library_path)"], env=plain, cwd=folder, stdout=subprocess.PIPE, check=True)
        library = where.stdout.decode().strip()
        native = run_native(inside, library, plain)
    if lines != ["Result(in main program): [1, 4, 9, 16]", "Sum of squares(in main program): 30"]:
        print("the example of the README printed", lines)
        return 1
    if not library.startswith(str(folder)):
        print("another library was used:", library)
        return 1
    if native is not None and native.returncode != 0:
        print("a C function was not run:", native.stdout.decode())
        return 1
    print("OK:", os.path.basename(wheel))
    return 0


if __name__ == "__main__":
    sys.exit(main())
