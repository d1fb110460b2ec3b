#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Binds all of kith by api/kith.json, with ctypes, and counts in a shared value.

    python3 from_json.py <kith's library> <kith.json>
"""
import ctypes
import json
import sys

# [types]
NUMBERS = {"void": None, "size_t": ctypes.c_size_t, "char": ctypes.c_char,
           **{f"{sign}int{bits}_t": getattr(ctypes, f"c_{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)}}


class Binding:
    """kith's functions and constants as attributes, its structs as classes."""

    def __init__(self, library, description):
        self.types = dict(NUMBERS)
        for each in description["types"]:
            self.types[each["name"]] = self.type_of(each)
        for each in description["constants"]:
            setattr(self, each["name"], each["value"])
        for each in description["functions"]:
            function = getattr(library, each["name"])
            function.restype = self.named(each["returns"])
            function.argtypes = [self.named(parameter["type"]) for parameter in each["parameters"]]
            setattr(self, each["name"], function)

    def named(self, text):
        """The ctypes type of a C type. Pointers to anything but text are plain addresses."""
        text = text.replace("const", "").strip()
        if text.endswith("*"):
            return ctypes.c_char_p if text.replace(" ", "") == "char*" else ctypes.c_void_p
        if text.endswith("]"):
            element, count = text[:-1].split("[")
            return self.named(element) * int(count)
        return self.types[text]

    def type_of(self, each):
        if each["kind"] == "alias":
            return self.named(each["of"])
        if each["kind"] == "struct":
            fields = [(field["name"], self.named(field["type"])) for field in each["fields"]]
            made = type(each["name"], (ctypes.Structure,), {"_fields_": fields})
            bits = str(8 * ctypes.sizeof(ctypes.c_void_p))
            assert ctypes.sizeof(made) == each["size"][bits], each["name"]
            for field in each["fields"]:
                assert getattr(made, field["name"]).offset == field["offset"][bits], field["name"]
            return made
        return ctypes.c_void_p  # a handle, or the address of a function
# [types] end


def main(library, description):
    with open(description, encoding="utf-8") as file:
        description = json.load(file)
    kith = Binding(ctypes.CDLL(library), description)
    # [version]
    if kith.kith_abi_version() != description["abi_version"]:
        sys.exit("this kith has another binary interface than the binding was made for")
    # [version] end
    value, before = ctypes.c_void_p(), ctypes.c_int32()
    status = kith.kith_value_create(kith.KITH_I32, None, None, ctypes.byref(value))
    for _ in range(3):
        status = status or kith.kith_value_add(value, 14, ctypes.byref(before))
    status = status or kith.kith_value_load(value, ctypes.byref(before), ctypes.sizeof(before))
    kith.kith_value_close(value)
    if status != kith.KITH_OK:
        sys.exit(kith.kith_status_text(status).decode())
    print(f"counted to {before.value}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
