// SPDX-License-Identifier: MIT
// The program of seed_shared.c in JavaScript, by node, the package koffi and kith's shared library: parent and child are both node.
//
//     node seed_shared.mjs <library> [folder with node_modules]
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import path from "node:path";
import process from "node:process";

const KITH_I32 = 5;
const KITH_FOREVER = -1;
const KITH_EXIT_CODE = 1;
const me = fileURLToPath(import.meta.url);

function findKoffi(folder) {
  try {
    return createRequire(path.join(path.resolve(folder), "x.js"))("koffi");
  } catch (error) {
    console.log(`skipped: koffi is not installed for this node: ${error.message.split("\n")[0]}`);
    process.exit(0);
  }
}

function load(library, koffi) {
  koffi.struct("kith_share", { name: "const char *", object: "void *" });
  koffi.struct("kith_exit", { kind: "int32", reserved: "int32", code: "int64" });
  koffi.struct("kith_stdio", { what: "uint32", reserved: "uint32", path: "const char *", handle: "int64" });
  koffi.struct("kith_process_options", {
    struct_size: "uint32", flags: "uint32", argv: "const char **", entry: "void *", entry_name: "const char *",
    argument: "const void *", argument_size: "size_t", start: "uint32", reserved: "uint32",
    shares: "kith_share *", share_count: "size_t", env: "const char **", cwd: "const char *",
    library: "const char *", symbol: "const char *", host: "const char *",
    std_in: "kith_stdio", std_out: "kith_stdio", std_err: "kith_stdio", name: "const char *",
  });
  const kith = koffi.load(library);
  const text = kith.func("const char *kith_status_text(int32 status)");
  const checked = (declaration) => {
    const call = kith.func(declaration);
    return (...given) => {
      const status = call(...given);
      if (status !== 0) throw new Error(`${declaration.split(/[ (]/)[1]}: ${text(status)}`);
    };
  };
  return {
    array_create: checked("int32 kith_array_create(int32 type, size_t count, const void *options, _Out_ void **out)"),
    array_inherit: checked("int32 kith_array_inherit(const char *name, _Out_ void **out)"),
    array_data: kith.func("void *kith_array_data(void *array)"),
    array_count: kith.func("size_t kith_array_count(void *array)"),
    array_close: kith.func("void kith_array_close(void *array)"),
    value_create: checked("int32 kith_value_create(int32 type, const void *initial, const void *options, _Out_ void **out)"),
    value_inherit: checked("int32 kith_value_inherit(const char *name, _Out_ void **out)"),
    value_load: checked("int32 kith_value_load(void *value, void *out, size_t size)"),
    value_store: checked("int32 kith_value_store(void *value, const void *data, size_t size)"),
    value_close: kith.func("void kith_value_close(void *value)"),
    process_spawn: checked("int32 kith_process_spawn(const kith_process_options *options, _Out_ void **out)"),
    process_wait: checked("int32 kith_process_wait(void *process, int64 timeout_ms, _Out_ kith_exit *out)"),
    process_close: kith.func("void kith_process_close(void *process)"),
    // The shared elements themselves, not a copy of them.
    elements(array) {
      const size = Number(this.array_count(array)) * 4;
      return new Int32Array(koffi.view(this.array_data(array), size));
    },
    sizeOfOptions: koffi.sizeof("kith_process_options"),
  };
}

// Calls a function whose last parameter is where it puts the new handle.
function make(create, ...given) {
  const out = [null];
  create(...given, out);
  return out[0];
}

function printSquares(kith, where, result, squareSum) {
  const total = new Int32Array(1);
  kith.value_load(squareSum, total, 4);
  console.log(`Result(in ${where}): [${Array.from(kith.elements(result)).join(", ")}]`);
  console.log(`Sum of squares(in ${where}): ${total[0]}`);
}

function squareList(kith, mylist) {
  const result = make(kith.array_inherit, "result");
  const squareSum = make(kith.value_inherit, "square_sum");
  const squares = kith.elements(result);
  mylist.forEach((number, index) => (squares[index] = number * number));
  kith.value_store(squareSum, Int32Array.of(squares.reduce((sum, square) => sum + square, 0)), 4);
  printSquares(kith, "process p1", result, squareSum);
  kith.value_close(squareSum);
  kith.array_close(result);
}

function startChild(kith, words, shares) {
  const table = Object.entries(shares).map(([name, object]) => ({ name, object }));
  return make(kith.process_spawn, {
    struct_size: kith.sizeOfOptions, argv: [process.execPath, me, ...words, null], shares: table, share_count: table.length,
  });
}

function main(kith, library, folder) {
  const result = make(kith.array_create, KITH_I32, 4, null);
  const squareSum = make(kith.value_create, KITH_I32, null, null);
  const p1 = startChild(kith, [library, folder, "--child", 1, 2, 3, 4].map(String), { result, square_sum: squareSum });
  const end = {};
  kith.process_wait(p1, KITH_FOREVER, end);
  printSquares(kith, "main program", result, squareSum);
  kith.process_close(p1);
  kith.value_close(squareSum);
  kith.array_close(result);
  return end.kind === KITH_EXIT_CODE && Number(end.code) === 0 ? 0 : 1;
}

const [library, folder = ".", role, ...numbers] = process.argv.slice(2);
const kith = load(path.resolve(library), findKoffi(folder));
if (role === "--child") {
  squareList(kith, numbers.map(Number));
} else {
  process.exitCode = main(kith, path.resolve(library), path.resolve(folder));
}
