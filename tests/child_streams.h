// SPDX-License-Identifier: MIT
// Children whose standard streams are something special, and what such children do: bytes as they are, on every OS.
#pragma once

#include <uv.h>

#include "support.h"

namespace test {

// ---- in a child ----------------------------------------------------------------------------------------------------------------

// Up to `size` bytes of stdin; 0: its end; negative: an error of libuv's.
inline int64_t read_stdin(void* out, size_t size) {
  uv_fs_t request;
  uv_buf_t buffer = uv_buf_init(static_cast<char*>(out), static_cast<unsigned>(size));
  const int64_t got = uv_fs_read(nullptr, &request, KITH_STDIN, &buffer, 1, -1, nullptr);
  uv_fs_req_cleanup(&request);
  return got == UV_EOF ? 0 : got;
}

// All of them to KITH_STDOUT or KITH_STDERR.
inline bool write_out(int32_t where, const void* data, size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size != 0) {
    uv_fs_t request;
    const unsigned piece = static_cast<unsigned>(size < 100'000 ? size : 100'000);
    uv_buf_t buffer = uv_buf_init(const_cast<char*>(bytes), piece);
    const int64_t put = uv_fs_write(nullptr, &request, where, &buffer, 1, -1, nullptr);
    uv_fs_req_cleanup(&request);
    if (put <= 0) return false;
    bytes += put;
    size -= static_cast<size_t>(put);
  }
  return true;
}

inline bool say(int32_t where, std::string_view text) { return write_out(where, text.data(), text.size()); }

// Not libuv's call, which on Windows leaves the first three open.
void close_stdin();  // test_stdio_posix.cpp, test_stdio_win32.cpp

// stdin, up to its end, to stdout.
inline int32_t copies(const void*, size_t) {
  std::vector<char> piece(70'000);
  for (;;) {
    const int64_t got = read_stdin(piece.data(), piece.size());
    CHILD_NEEDS(got >= 0);
    if (got == 0) return 0;
    CHILD_NEEDS(write_out(KITH_STDOUT, piece.data(), static_cast<size_t>(got)));
  }
}

// ---- in the parent -------------------------------------------------------------------------------------------------------------

inline kith_stdio stdio_of(uint32_t what, const char* path = nullptr, int64_t handle = 0) {
  return {what, 0, path, handle};
}
inline constexpr kith_stdio piped{KITH_STDIO_PIPE, 0, nullptr, 0};
inline constexpr kith_stdio inherited{};

// A function whose standard streams are these.
inline process start_with_streams(kith_entry entry, const kith_stdio& in, const kith_stdio& out,
                                  const kith_stdio& err, const shares& given = {},
                                  const void* argument = nullptr, size_t size = 0) {
  kith_process_options options = run_entry(entry, given);
  options.argument = argument;
  options.argument_size = size;
  options.std_in = in;
  options.std_out = out;
  options.std_err = err;
  process child;
  REQUIRE_OK(test::spawn(options, child));
  return child;
}

inline stream taken(kith_process* process, int32_t which) {
  stream end;
  REQUIRE_OK(kith_process_take_stream(process, which, end.out()));
  return end;
}

// To its end, or to the first failure, which is noted.
inline std::string all_of(kith_stream* stream) {
  std::string all;
  char piece[5000];
  size_t size = 0;
  kith_status status;
  while ((status = kith_stream_read(stream, piece, sizeof piece, &size, generous)) == KITH_OK)
    all.append(piece, size);
  CHECK_STATUS(status, KITH_E_CLOSED);
  return all;
}

inline std::string output_of(kith_process* process, int32_t which) {
  const void* data = nullptr;
  size_t size = 77;
  CHECK_OK(kith_process_output(process, which, &data, &size));
  return std::string(static_cast<const char*>(data), size);
}

inline kith_communicate_options input_of(std::string_view input) {
  auto options = defaults<kith_communicate_options>();
  options.input = input.data();
  options.input_size = input.size();
  return options;
}

}  // namespace test
