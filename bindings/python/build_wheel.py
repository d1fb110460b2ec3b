#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the wheel: the package, the shared library, the module that makes it fast, and kith-host, which runs functions of C libraries.

    build_wheel.py [--library FILE] [--out FOLDER]

The library is KITH_LIBRARY, or what the release preset has built; the others lie beside it. No network is needed: setuptools must be there.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
NAMES = {"win32": "kith.dll", "darwin": "libkith.dylib"}
HOST = "kith-host.exe" if sys.platform == "win32" else "kith-host"


def tag():
    """The module is good for all versions of CPython, and the package works without it: only the platform matters."""
    return "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")


def copy_sources(to, library):
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(HERE / name, to)
    shutil.copytree(HERE / "kith", to / "kith", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(library.resolve(), to / "kith" / NAMES.get(sys.platform, "libkith.so"))
    for name in ("_kith_speed.abi3.so", HOST):
        beside = library.resolve().parent / name
        if beside.exists():
            shutil.copy(beside, to / "kith")


# bdist_wheel takes a package without extension modules for one without binaries: it is told the tag.
BUILD = """
import sys
from setuptools import setup
sys.argv = ["setup.py", "-q", "bdist_wheel", "--plat-name", sys.argv[2], "--dist-dir", sys.argv[1]]
setup()
"""


def main():
    arguments = argparse.ArgumentParser()
    built = HERE.parent.parent / "build" / "release" / NAMES.get(sys.platform, "libkith.so")
    arguments.add_argument("--library", type=pathlib.Path, default=os.environ.get("KITH_LIBRARY", built))
    arguments.add_argument("--out", type=pathlib.Path, default=HERE.parent.parent / "build" / "wheel")
    wanted = arguments.parse_args()
    library = pathlib.Path(wanted.library)
    if not library.exists():
        sys.exit(f"There is no {library}: build it (cmake --build --preset release), or name it by --library.")
    wanted.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        sources = pathlib.Path(folder)
        copy_sources(sources, library)
        platform = tag().split("-", 2)[2]
        subprocess.run([sys.executable, "-c", BUILD, str(wanted.out.resolve()), platform], cwd=folder, check=True)
    print(*sorted(wanted.out.glob("kith-*.whl")), sep="\n")


if __name__ == "__main__":
    main()
