#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks whether a C program can link the libraries.

The static library must ask for no symbol of the C++ runtime, and for no wall clock; the shared one must export the functions of
kith.h (api/kith.json) and nothing else, and must not be linked with the C++ runtime either.
"""
import argparse
import json
import re
import subprocess
import sys

# What a C++ compiler makes calls to: mangled names, exception handling, local statics with a guard.
CXX_RUNTIME = re.compile(r"^_?(_Z|_?_cxa_|_?_gxx_|__gnu_|_Unwind|\?)")

# Whatever tells or uses the time of day: timeouts must not depend on it.
WALL_CLOCK = re.compile(
    r"^_?(time|gettimeofday|ftime|timespec_get|pthread_cond_timedwait|pthread_mutex_timedlock|sem_timedwait"
    r"|(__imp_)?GetSystemTime(PreciseAsFileTime|AsFileTime)?)$")


def symbols(nm, arguments, path):
    """Yields (letter, name) of every symbol that nm lists."""
    output = subprocess.run([nm, *arguments, path], check=True, capture_output=True, text=True).stdout
    for line in output.splitlines():
        match = re.match(r"^(?:[0-9a-fA-F]+)?\s*([A-Za-z?])\s+(\S+)$", line)
        if match:
            yield match.group(1), match.group(2).split("@")[0]


def wanted(nm, path, pattern):
    """The symbols of a kind that the archive uses and does not define itself."""
    listed = list(symbols(nm, [], path))
    defined = {name for letter, name in listed if letter not in "Uw"}
    used = {name for letter, name in listed if letter in "Uw"}
    return sorted(name for name in used - defined if pattern.match(name))


def exported(nm, path):
    """The names that the shared library gives to others."""
    if path.endswith(".dll"):
        objdump = nm[: -len("nm")] + "objdump"
        output = subprocess.run([objdump, "-p", path], check=True, capture_output=True, text=True).stdout
        table = output.split("[Ordinal/Name Pointer] Table", 1)[-1].split("\n\n", 1)[0]
        return set(re.findall(r"^\s*\[\s*\d+\]\s+(?:\+base\[\s*\d+\]\s+[0-9a-fA-F]+\s+)?(\S+)$", table, re.M))
    arguments = ["-gU"] if path.endswith(".dylib") else ["-D", "--defined-only"]
    return {name for _, name in symbols(nm, arguments, path)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--nm", "--static", "--shared", "--api"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()

    offences = [f"{options.static} asks for {name}"
                for pattern in (CXX_RUNTIME, WALL_CLOCK) for name in wanted(options.nm, options.static, pattern)]
    names = exported(options.nm, options.shared)
    with open(options.api, encoding="utf-8") as file:
        functions = {each["name"] for each in json.load(file)["functions"]}
    names = {name[1:] if name.startswith("_kith") else name for name in names}
    offences += [f"{options.shared} exports {name}" for name in sorted(names - functions)]
    offences += [f"{options.shared} does not export {name}" for name in sorted(functions - names)]
    for offence in offences:
        print(offence)
    print(f"{len(names)} functions exported, {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
