#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes down the API of include/kith/kith.h, as libclang reads it, for binders and as a guard of the binary interface.

    api.py             writes api/kith.json, api/abi-<KITH_ABI_VERSION>.txt and tests/c/abi.c
    api.py --rewrite   the same, also where the ABI has changed and its version has not: for a version that no release has had
    api.py --check     says what is not as it would be written; exit code 1 if anything is not

The ABI of one version only grows: functions, constants, fields at the end of structs that begin with struct_size.
"""
import json
import os
import pathlib
import re
import sys

try:
    from clang import cindex
    cindex.Index.create()
except Exception as error:  # the bindings, or the library behind them, are missing for this Python
    system = "/usr/bin/python3"  # whose packages the distribution installs
    if os.path.exists(system) and os.path.realpath(sys.executable) != os.path.realpath(system):
        os.execv(system, [system, *sys.argv])
    print(f"skipped: no libclang for Python (./dev test installs it): {error}")
    sys.exit(0 if "--check" in sys.argv else 1)

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = "include/kith/kith.h"
# Pointers of 64 and of 32 bits; all ABIs of one size must agree.
TARGETS = {"64": ["x86_64-linux-gnu", "aarch64-linux-gnu", "x86_64-pc-windows-msvc", "arm64-apple-macos"],
           "32": ["armv7-linux-gnueabihf", "i686-pc-windows-msvc"]}

# The two headers that kith.h includes, so that nothing depends on those of this machine.
HEADERS = {
    "stddef.h": "typedef __SIZE_TYPE__ size_t;\n#define NULL ((void*)0)\n",
    "stdint.h": "".join(f"typedef __{sign}INT{bits}_TYPE__ {sign.lower()}int{bits}_t;\n"
                        for bits in (8, 16, 32, 64) for sign in ("", "U")),
}
Kind = cindex.CursorKind


def parse(target):
    arguments = ["-x", "c", "-std=c99", f"--target={target}", "-nostdinc", "-I/headers", "-fparse-all-comments"]
    files = [(f"/headers/{name}", text) for name, text in HEADERS.items()]
    unit = cindex.Index.create().parse(str(ROOT / HEADER), arguments, unsaved_files=files)
    problems = [str(each) for each in unit.diagnostics if each.severity >= cindex.Diagnostic.Warning]
    if problems:
        sys.exit("\n".join(problems))
    return [each for each in unit.cursor.get_children() if str(each.location.file) == str(ROOT / HEADER)]


def comment_of(cursor):
    """The text of a comment, without its stars; paragraphs and line ends as they are."""
    raw = re.sub(r"^/\*+<?|\*/$", "", cursor.raw_comment or "").strip()
    return "\n".join(re.sub(r"^\s*\* ?", "", line).rstrip() for line in raw.splitlines())


def parameters_of(cursor):
    return [{"name": each.spelling, "type": each.type.spelling}
            for each in cursor.get_children() if each.kind == Kind.PARM_DECL]


def struct_of(name, cursor):
    fields = [{"name": each.spelling, "type": each.type.spelling, "offset": each.get_field_offsetof() // 8,
               "size": each.type.get_size(), "comment": comment_of(each)}
              for each in cursor.get_children() if each.kind == Kind.FIELD_DECL]
    return {"name": name, "kind": "struct", "size": cursor.type.get_size(), "alignment": cursor.type.get_align(),
            "fields": fields, "comment": comment_of(cursor)}


def type_of(cursor):
    underlying = cursor.underlying_typedef_type.get_canonical()
    record = underlying.get_declaration()
    if record.kind == Kind.STRUCT_DECL:
        if record.get_definition() is None:
            return {"name": cursor.spelling, "kind": "handle"}
        return struct_of(cursor.spelling, record.get_definition())
    if underlying.kind == cindex.TypeKind.POINTER:
        return {"name": cursor.spelling, "kind": "function", "returns": cursor.underlying_typedef_type.get_pointee().get_result().spelling,
                "parameters": parameters_of(cursor), "comment": comment_of(cursor)}
    return {"name": cursor.spelling, "kind": "alias", "of": cursor.underlying_typedef_type.spelling,
            "comment": comment_of(cursor)}


def read_api(target):
    api = {"functions": [], "types": [], "constants": []}
    for cursor in parse(target):
        if cursor.kind == Kind.FUNCTION_DECL:
            api["functions"].append({"name": cursor.spelling, "returns": cursor.result_type.spelling,
                                     "parameters": parameters_of(cursor), "comment": comment_of(cursor)})
        elif cursor.kind == Kind.TYPEDEF_DECL:
            api["types"].append(type_of(cursor))
        elif cursor.kind == Kind.ENUM_DECL:
            api["constants"] += [{"name": each.spelling, "value": each.enum_value, "comment": comment_of(each)}
                                 for each in cursor.get_children()]
    return api


def merge(by_size):
    """One description, with the numbers of each size of pointers where numbers depend on it."""
    merged = by_size["64"]
    for index, type_ in enumerate(merged["types"]):
        if type_["kind"] != "struct":
            continue
        others = {bits: api["types"][index] for bits, api in by_size.items()}
        for key in ("size", "alignment"):
            type_[key] = {bits: other[key] for bits, other in others.items()}
        for place, field in enumerate(type_["fields"]):
            for key in ("offset", "size"):
                field[key] = {bits: other["fields"][place][key] for bits, other in others.items()}
    return merged


def describe():
    by_size = {}
    for bits, targets in TARGETS.items():
        apis = [read_api(target) for target in targets]
        for target, api in zip(targets, apis):
            if api != apis[0]:
                sys.exit(f"{target} lays the structs out in another way than {targets[0]}")
        by_size[bits] = json.loads(json.dumps(apis[0]))
    constants = {each["name"]: each["value"] for each in by_size["64"]["constants"]}
    number = constants["KITH_VERSION"]
    head = {"comment": f"Made from {HEADER} by tools/api.py (./dev api). docs/ffi.md says how to use it.",
            "version": f"{number // 10000}.{number // 100 % 100}.{number % 100}",
            "abi_version": constants["KITH_ABI_VERSION"]}
    return head | merge(by_size)


# ---- the record of a version's ABI ---------------------------------------------------------------------------------


def both(numbers):
    return " ".join(f"{bits}:{numbers[bits]}" for bits in sorted(numbers, reverse=True))


def signature(each):
    return f"{each['returns']} ({', '.join(parameter['type'] for parameter in each['parameters']) or 'void'})"


def record(api):
    lines = [f"function {each['name']}: {signature(each)}" for each in api["functions"]]
    for each in api["types"]:
        if each["kind"] == "struct":
            lines.append(f"size {each['name']}: {both(each['size'])}")
            lines += [f"field {each['name']}.{field['name']}: {field['type']} at {both(field['offset'])}"
                      for field in each["fields"]]
        else:
            meaning = signature(each) if each["kind"] == "function" else each.get("of", "")
            lines.append(f"{each['kind']} {each['name']}: {meaning}".rstrip(": "))
    changing = {"KITH_VERSION", "KITH_ABI_VERSION"}
    lines += [f"constant {each['name']}: {each['value']}" for each in api["constants"] if each["name"] not in changing]
    return lines


def may_grow(api):
    return {each["name"] for each in api["types"]
            if each["kind"] == "struct" and each["fields"][0]["name"] == "struct_size"}


def sizes(line):
    return [int(number) for number in re.findall(r":(\d+)", line)]


def broken(api, old, new):
    """What of an old record does not hold any more. A field that was put in before others moves them, which shows."""
    now = {line.split(": ")[0]: line for line in new}
    growing = may_grow(api)
    for line in old:
        thing = line.split(": ")[0]
        if now.get(thing) == line:
            continue
        kind, name = thing.split(" ", 1)
        grew = kind == "size" and name in growing and thing in now
        if not (grew and all(a <= b for a, b in zip(sizes(line), sizes(now[thing])))):
            yield f"  was {line}\n  is  {now.get(thing, 'gone')}"
    had = {line.split(": ")[0] for line in old}
    for line in new:
        kind, name = line.split(": ")[0].split(" ", 1)
        owner = name.split(".")[0]
        if kind == "field" and f"field {name}" not in had and f"size {owner}" in had and owner not in growing:
            yield f"  new {line}, in a struct without struct_size"


# ---- a check by every compiler ---------------------------------------------------------------------------------------


def layout_test(api):
    lines = ["/* SPDX-License-Identifier: MIT", " *",
             " * Made by tools/api.py (./dev api): the layout of the structs, as every compiler must see it. */",
             "/* clang-format off */",
             "#include <kith/kith.h>", "",
             "#define LAYOUT(name, is, of64, of32) typedef char name[(is) == (sizeof(void*) == 8 ? (of64) : (of32)) ? 1 : -1]", ""]
    for each in api["types"]:
        if each["kind"] != "struct":
            continue
        name, size = each["name"], each["size"]
        lines.append(f"LAYOUT(size_of_{name}, sizeof({name}), {size['64']}, {size['32']});")
        for field in each["fields"]:
            offset = field["offset"]
            lines.append(f"LAYOUT(place_of_{name}_{field['name']}, offsetof({name}, {field['name']}), "
                         f"{offset['64']}, {offset['32']});")
    return "\n".join(lines) + "\n"


def main():
    check, rewrite = "--check" in sys.argv, "--rewrite" in sys.argv
    api = describe()
    new = record(api)
    abi = ROOT / "api" / f"abi-{api['abi_version']}.txt"
    old = abi.read_text(encoding="utf-8").splitlines() if abi.exists() else []
    changes = list(broken(api, old, new))
    if changes and not rewrite:
        print(f"The ABI has changed, and KITH_ABI_VERSION is still {api['abi_version']}:")
        print("\n".join(changes))
        return 1
    files = {ROOT / "api" / "kith.json": json.dumps(api, indent=1, ensure_ascii=False) + "\n",
             abi: "\n".join(new) + "\n",
             ROOT / "tests" / "c" / "abi.c": layout_test(api)}
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is not what {HEADER} says: run ./dev api")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
            print(f"{path.relative_to(ROOT)} written")
    print(f"{len(api['functions'])} functions, {len(api['types'])} types, {len(api['constants'])} constants")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
