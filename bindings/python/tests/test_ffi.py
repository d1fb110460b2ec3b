# SPDX-License-Identifier: MIT
"""What kith/_ffi.py declares by hand is what kith.h declares, as api/kith.json has it."""
import ctypes
import json
import unittest

from kith import _depot, _ffi
from support import FOLDER

API = FOLDER.parent.parent.parent / "api" / "kith.json"
PLAIN = {
    "void": None, "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t, "kith_status": ctypes.c_int32, "kith_type": ctypes.c_int32,
}  # yapf: disable
STRUCTS = {
    "kith_share": _ffi.Share, "kith_exit": _ffi.Exit, "kith_wait_item": _ffi.WaitItem, "kith_owner": _ffi.Owner,
    "kith_lock_options": _ffi.Flags, "kith_memory_options": _ffi.Flags, "kith_array_options": _ffi.ElementOptions,
    "kith_value_options": _ffi.ElementOptions, "kith_semaphore_options": _ffi.SemaphoreOptions, "kith_channel_options": _ffi.ChannelOptions,
    "kith_queue_options": _ffi.QueueOptions, "kith_endpoint_options": _depot.EndpointOptions, "kith_connect_options": _depot.ConnectOptions,
    "kith_process_options": _ffi.ProcessOptions,
}  # yapf: disable


def matches(ours, theirs):
    if theirs in PLAIN:
        return ours is PLAIN[theirs]
    return "*" in theirs and ours in (ctypes.c_void_p, ctypes.c_char_p)


@unittest.skipUnless(API.is_file(), "there is no api/kith.json: not a checkout")
class Declarations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = json.loads(API.read_text(encoding="utf-8"))

    def test_functions(self):
        known = {each["name"]: each for each in self.api["functions"]}
        compared = 0
        for name, (arguments, result) in _ffi.FUNCTIONS.items():
            theirs = known.get("kith_" + name)
            if theirs is None:
                continue  # of a part of kith that this checkout has not
            types = [each["type"] for each in theirs["parameters"]]
            with self.subTest(name):
                self.assertTrue(matches(result, theirs["returns"]), theirs["returns"])
                self.assertEqual(len(arguments), len(types))
                for ours, wanted in zip(arguments, types):
                    self.assertTrue(matches(ours, wanted), wanted)
            compared += 1
        self.assertGreater(compared, 60)

    def test_structs(self):
        known = {each["name"]: each for each in self.api["types"]}
        compared = 0
        for name, ours in STRUCTS.items():
            if name not in known:
                continue
            fields = dict(ours._fields_)
            for field in known[name]["fields"]:
                if field["name"] not in fields:
                    continue  # one that this package does not use, behind those that it has
                with self.subTest(f"{name}.{field['name']}"):
                    self.assertEqual(getattr(ours, field["name"]).offset, self.offset(field))
                    compared += 1
        self.assertGreater(compared, 20)

    @staticmethod
    def offset(field):
        offset = field["offset"]
        return offset["64" if ctypes.sizeof(ctypes.c_void_p) == 8 else "32"] if isinstance(offset, dict) else offset

    def test_constants(self):
        known = {each["name"]: each["value"] for each in self.api["constants"]}
        compared = 0
        for name, value in vars(_ffi).items():
            if name.isupper() and isinstance(value, int) and "KITH_" + name in known:
                self.assertEqual(value, known["KITH_" + name], name)
                compared += 1
        self.assertGreater(compared, 30)


if __name__ == "__main__":
    unittest.main()
