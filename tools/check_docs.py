#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the C, C++ and Python code in the documentation is code that runs: a region of an example.

    check_docs.py            says where a block differs
    check_docs.py --write    puts the code of the examples into the documentation

A block is preceded by the line `<!-- example: examples/x.c [region] -->`, or without `[region]` for a whole file. In the
example the region stands between the lines `/* [region] */` and `/* [region] end */` (Python: `# [region]`); other
such lines in it are left out, and so is the indentation that all of its lines have.
"""
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?:^<!-- example: (?P<file>\S+)(?: \[(?P<region>\w+)\])? -->\n)?"
                   r"^```(?P<language>c|cpp|python)\n(?P<code>.*?)^```$", re.M | re.S)
MARK = re.compile(r"^[ \t]*(?:/\*|#) \[\w+\](?: end)?(?: \*/)?\n", re.M)


def region_of(path, name):
    text = (ROOT / path).read_text(encoding="utf-8")
    if name is None:
        return text
    mark = rf"^[ \t]*(?:/\*|#) \[{name}\]%s(?: \*/)?\n"
    found = re.search(mark % "" + r"(.*?)" + mark % " end", text, re.M | re.S)
    if not found:
        raise KeyError(f"{path} has no region [{name}]")
    return textwrap.dedent(MARK.sub("", found.group(1)))


def wanted_code(block):
    if block["file"] is None:
        raise KeyError("the line `<!-- example: ... -->` is missing before the block")
    if not (ROOT / block["file"]).is_file():
        raise KeyError(f"there is no file {block['file']}")
    return region_of(block["file"], block["region"])


def check(document, write, offences):
    text = document.read_text(encoding="utf-8")

    def visit(block):
        line = text.count("\n", 0, block.start("code"))
        try:
            code = wanted_code(block)
        except KeyError as error:
            offences.append(f"{document.relative_to(ROOT)}:{line}: {error.args[0]}")
            return block.group(0)
        if code != block["code"] and not write:
            offences.append(f"{document.relative_to(ROOT)}:{line}: differs from {block['file']} [{block['region']}]")
        whole, start = block.group(0), block.start("code") - block.start()
        return whole[:start] + code + whole[start + len(block["code"]):]

    changed = BLOCK.sub(visit, text)
    if write and changed != text:
        document.write_text(changed, encoding="utf-8")
    return len(BLOCK.findall(text))


def main():
    write = sys.argv[1:] == ["--write"]
    offences = []
    documents = [path for path in (ROOT / "README.md", ROOT / "docs" / "guide.md", ROOT / "docs" / "ffi.md") if path.is_file()]
    blocks = sum(check(document, write, offences) for document in documents)
    for offence in offences:
        print(offence)
    print(f"{blocks} blocks of code in {len(documents)} documents, {len(offences)} of them wrong")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
