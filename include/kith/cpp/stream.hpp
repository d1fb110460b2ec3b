// SPDX-License-Identifier: MIT
// The standard streams of children.
#pragma once

#include <kith/cpp/base.hpp>

namespace kith {
inline namespace cpp {

// What a standard stream of a child is. kith::stdio::pipe(): kith::process::stream and communicate have the other end.
struct stdio {
  uint32_t what = KITH_STDIO_INHERIT;
  std::string path;
  int64_t handle = 0;

  static stdio nothing() { return {KITH_STDIO_NULL, {}, 0}; }
  static stdio file(std::string path) { return {KITH_STDIO_FILE, std::move(path), 0}; }
  static stdio append(std::string path) { return {KITH_STDIO_APPEND, std::move(path), 0}; }
  static stdio pipe() { return {KITH_STDIO_PIPE, {}, 0}; }
  static stdio to_stdout() { return {KITH_STDIO_STDOUT, {}, 0}; }  // stderr only
  static stdio of(int64_t handle) { return {KITH_STDIO_HANDLE, {}, handle}; }

  // For kith.h, as long as this lives.
  kith_stdio view() const noexcept { return {what, 0, path.empty() ? nullptr : path.c_str(), handle}; }
};

// Our end of a pipe of a child: to write its stdin, to read its stdout or stderr.
class stream : public owner<kith_stream, kith_stream_close> {
 public:
  using owner::owner;
  // What is there, at least one byte. KITH_E_CLOSED: the end.
  status try_read(std::span<std::byte> to, std::size_t* size, timeout wait = forever) const noexcept {
    return kith_stream_read(get(), to.data(), to.size(), size, wait.ms());
  }
  // Adds all that comes to `to`, until the end. What came before a failure is in `to`. May throw std::bad_alloc.
  status try_read_to_end(std::string& to, timeout wait = forever) const {
    const detail::deadline until(wait);
    for (;;) {
      char piece[4096];
      std::size_t size = 0;
      const status got = kith_stream_read(get(), piece, sizeof piece, &size, until.left().ms());
      if (got == KITH_E_CLOSED) return KITH_OK;
      if (!got.ok()) return got;
      to.append(piece, size);
    }
  }
  // All of it. *written (may be nullptr): how many bytes, also when it fails.
  status try_write(bytes_view data, timeout wait = forever, std::size_t* written = nullptr) const noexcept {
    return kith_stream_write(get(), data.data(), data.size(), written, wait.ms());
  }
#if KITH_HPP_THROWS
  // "": the end.
  std::string read(timeout wait = forever) const {
    std::string piece(4096, '\0');
    std::size_t size = 0;
    const status got = try_read(std::as_writable_bytes(std::span(piece)), &size, wait);
    if (got != KITH_E_CLOSED) detail::check(got, "kith::stream::read");
    piece.resize(got.ok() ? size : 0);
    return piece;
  }
  std::string read_to_end(timeout wait = forever) const {
    std::string all;
    detail::check(try_read_to_end(all, wait), "kith::stream::read_to_end");
    return all;
  }
  void write(bytes_view data, timeout wait = forever) const { detail::check(try_write(data, wait), "kith::stream::write"); }
#endif
};

}  // namespace cpp
}  // namespace kith
