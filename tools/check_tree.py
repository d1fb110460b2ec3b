#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Guards the rules of the source tree that no compiler knows. Prints each offence; exit code 1 if there is one."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED_FOLDERS = {".git", "build", "__pycache__"}

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 600
ALLOW_LONG = "check_tree: allow-long"  # in a comment of the file, followed by the reason

CODE = {".c", ".h", ".cpp", ".hpp"}
SCRIPTS = {".py", ".sh", ".cmake", ".yml", ".cmd"}
SCRIPT_NAMES = {"CMakeLists.txt", "dev", "run", "wine-run"}

# Files of one port that have no twin in the other.
ONE_SIDED = {
    "posix": {"gather_darwin", "gather_linux", "io_ring_linux", "runtime_folder", "supervisor", "tree"},
    "win32": {"access_rules", "command_line", "environment_block", "program", "utf16"},
}
VARIANT = re.compile(r"_(linux|darwin|portable|parking|elf|macho)$")

OS_MACRO = re.compile(
    r"\b(_WIN32|_WIN64|_MSC_VER|__MINGW32__|__linux__|__APPLE__|__MACH__|__FreeBSD__|__OpenBSD__|__NetBSD__|__unix__"
    r"|KITH_PORTABLE)\b")
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|root|home)/")

offences = []


def offence(path, line, text):
    where = f"{path.relative_to(ROOT)}:{line}" if line else f"{path.relative_to(ROOT)}"
    offences.append(f"{where}: {text}")


def all_files():
    for path in sorted(ROOT.rglob("*")):
        if path.is_file() and not SKIPPED_FOLDERS & set(path.relative_to(ROOT).parts):
            yield path


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


def check_ports_mirror_each_other():
    stems = {}
    for port, extra in ONE_SIDED.items():
        files = (ROOT / "src" / port).glob("*.cpp")
        stems[port] = {VARIANT.sub("", path.stem) for path in files if path.stem not in extra}
    for port, other in (("posix", "win32"), ("win32", "posix")):
        for name in sorted(stems[port] - stems[other]):
            offence(ROOT / "src" / port / f"{name}.cpp", 0, f"has no twin in src/{other}")


def check_every_source_is_built():
    listed = set(re.findall(r"\w+", read(ROOT / "cmake" / "sources.cmake") + read(ROOT / "cmake" / "library.cmake")))
    for path in sorted((ROOT / "src").rglob("*.cpp")):
        if path.stem not in listed:
            offence(path, 0, "is not in cmake/sources.cmake")


def shared_code():
    source = ROOT / "src"
    for folder in (source, source / "shm"):
        yield from sorted(path for path in folder.glob("*") if path.suffix in CODE)


def check_shared_code_knows_no_os():
    for path in shared_code():
        for number, line in enumerate(read(path).splitlines(), 1):
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line):
                offence(path, number, "a condition of the preprocessor in shared code")
            if OS_MACRO.search(line):
                offence(path, number, "names an operating system in shared code")
            header = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
            # C++'s own headers have no dot and no slash in their names.
            if header and not re.match(r"^(\w+|kith/\w+\.h|uv\.h)$", header.group(1)):
                offence(path, number, f"<{header.group(1)}> is no header of C++, kith or libuv")


def functions(lines):
    """Yields (name, first line, last line) of each function with a body, in code laid out by clang-format."""
    start = 0
    for number, line in enumerate(lines):
        text = line.split("//")[0].rstrip()
        if not text.endswith("{"):
            if text == "" or text[-1] in ";}:" or text.lstrip().startswith(("#", "*", "/*")):
                start = number + 1
            continue
        header = " ".join(part.strip() for part in lines[start : number + 1])
        indent = re.match(r"\s*", lines[start]).group()
        start = number + 1
        if re.match(r"(if|else|for|while|switch|do|try|catch|return|namespace|struct|class|enum|union)\b", header):
            continue
        name = re.search(r'([\w:~]+|TEST_CASE\(".*")\s*\(', header)
        last = next((i for i in range(number, len(lines)) if lines[i].startswith(indent + "}")), number)
        if name and "=" not in header[: name.start()]:
            yield name.group(1), number, last


def check_lengths(path, text):
    if ALLOW_LONG in text and path.name != Path(__file__).name:
        return
    lines = text.splitlines()
    if len(lines) > MAX_FILE_LINES and path.name != "kith.h":  # the whole API is one file, on purpose
        offence(path, 0, f"{len(lines)} lines, {MAX_FILE_LINES} are allowed")
    if path.suffix in CODE:
        for name, first, last in functions(lines):
            if last - first + 1 > MAX_FUNCTION_LINES:
                offence(path, first + 1, f"{name} has {last - first + 1} lines, {MAX_FUNCTION_LINES} are allowed")


def check_each_file():
    for path in all_files():
        text = read(path)
        if path.suffix in CODE | SCRIPTS or path.name in SCRIPT_NAMES:
            if "SPDX-License-Identifier: MIT" not in "".join(text.splitlines(True)[:3]):
                offence(path, 1, "no SPDX line")
            check_lengths(path, text)
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line):
                offence(path, number, "a path of one machine")


def public_functions(header):
    """Yields (name, returns void, comment directly above, line) of each public function."""
    text = read(header)
    for match in re.finditer(r"^KITH_(?:UV_)?API\s+([^;(]*?)\b(kith_\w+)\s*\(", text, re.M):
        above = text[: match.start()].rstrip("\n")
        comment = above[above.rfind("/*") :] if above.endswith("*/") else ""
        yield match.group(2), match.group(1).strip() == "void", comment, text.count("\n", 0, match.start()) + 1


def check_public_functions():
    tests = "\n".join(read(path) for path in (ROOT / "tests").rglob("*") if path.suffix in CODE)
    docs = "\n".join(read(path) for path in (ROOT / "docs").rglob("*.md"))
    for header in sorted((ROOT / "include" / "kith").glob("*.h")):
        for name, returns_void, comment, line in public_functions(header):
            tags = ("Threads:", "Since:") if returns_void else ("Returns:", "Threads:", "Since:")
            missing = [tag for tag in tags if tag not in comment]
            if missing:
                offence(header, line, f"the comment above {name} lacks {' '.join(missing)}")
            word = re.compile(rf"\b{name}\b")
            if not word.search(tests):
                offence(header, line, f"{name} stands in no test")
            if not word.search(docs):
                offence(header, line, f"{name} stands in no page of docs/")


def main():
    check_ports_mirror_each_other()
    check_every_source_is_built()
    check_shared_code_knows_no_os()
    check_each_file()
    check_public_functions()
    print("\n".join(offences))
    print(f"{len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
