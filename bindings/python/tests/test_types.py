# SPDX-License-Identifier: MIT
"""The stubs (.pyi) say what the modules have; and a type checker, where there is one, is content with them."""
import ast
import importlib
import inspect
import os
import shutil
import subprocess
import tempfile
import unittest

from support import FOLDER

PACKAGE = FOLDER.parent / "kith"
STUBS = sorted(PACKAGE.glob("**/*.pyi"))


def module_of(stub):
    parts = stub.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parameters(node):
    """Their names, without those that a caller cannot use."""
    names = node.args.args + node.args.kwonlyargs
    return [each.arg for each in names if each.arg not in ("self", "cls")]


class Stubs(unittest.TestCase):
    def compare_function(self, node, actual):
        try:
            signature = inspect.signature(actual)
        except (TypeError, ValueError):
            return  # it is C
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        names = [name for name, each in signature.parameters.items() if each.kind in kinds and name not in ("self", "cls")]
        self.assertEqual(parameters(node), names)

    def compare(self, body, actual):
        for node in body:
            is_named = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            if is_named and (not node.name.startswith("_") or node.name == "__init__"):
                with self.subTest(node.name):
                    found = inspect.getattr_static(actual, node.name) if inspect.isclass(actual) else getattr(actual, node.name)
                    if isinstance(node, ast.ClassDef):
                        self.compare(node.body, found)
                    elif not isinstance(found, property):
                        self.compare_function(node, getattr(found, "__func__", found))

    def test_names_and_parameters(self):
        self.assertGreater(len(STUBS), 10)
        for stub in STUBS:
            with self.subTest(module_of(stub)):
                self.compare(ast.parse(stub.read_text(encoding="utf-8")).body, importlib.import_module(module_of(stub)))

    def run_tool(self, *command):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "MYPYPATH": str(PACKAGE.parent), "PYTHONPATH": str(PACKAGE.parent), "MYPY_CACHE_DIR": folder}
            done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    @unittest.skipUnless(shutil.which("mypy"), "there is no mypy")
    def test_program_has_its_types(self):
        self.run_tool("mypy", "--strict", str(FOLDER / "programs" / "typed.py"))

    @unittest.skipUnless(shutil.which("stubtest"), "there is no stubtest, which comes with mypy")
    def test_stubs_are_complete(self):
        self.run_tool("stubtest", "--concise", "kith.multiprocessing", "kith._connection")


if __name__ == "__main__":
    unittest.main()
