// SPDX-License-Identifier: MIT
// Handles of the OS as objects that can be given and sent.
#pragma once

#include <kith/cpp/base.hpp>

namespace kith {
inline namespace cpp {

// A copy of a descriptor, or of a HANDLE.
class os_handle : public owner<kith_os_handle, kith_os_handle_close> {
 public:
  using owner::owner;
  static result<os_handle> try_create(int64_t number) noexcept {
    return detail::own<os_handle>([&](kith_os_handle** out) { return kith_os_handle_create(number, out); });
  }
  static result<os_handle> try_inherit(const char* name) noexcept {
    return detail::own<os_handle>([&](kith_os_handle** out) { return kith_os_handle_inherit(name, out); });
  }
  int64_t number() const noexcept { return kith_os_handle_number(get()); }  // for kith::stdio::of; not to be closed
  // A copy that is yours, to be used and closed as the OS has it.
  result<int64_t> try_copy() const noexcept {
    int64_t number = 0;
    const status got = kith_os_handle_copy(get(), &number);
    if (!got.ok()) return got;
    return number;
  }
#if KITH_HPP_THROWS
  explicit os_handle(int64_t number) : os_handle(try_create(number).value("kith::os_handle")) {}
  static os_handle inherit(const char* name) { return try_inherit(name).value("kith::os_handle::inherit"); }
  int64_t copy() const { return try_copy().value("kith::os_handle::copy"); }
#endif
};

// A pipe of the OS, for the stdout of one child and the stdin of another one. Close both ends when the children have started.
struct os_pipe {
  os_handle read, write;
};

inline result<os_pipe> try_make_pipe() noexcept {
  kith_os_handle *read = nullptr, *write = nullptr;
  const status got = kith_pipe_create(&read, &write);
  if (!got.ok()) return got;
  return os_pipe{os_handle(adopt, read), os_handle(adopt, write)};
}
#if KITH_HPP_THROWS
// auto [read, write] = kith::make_pipe();
inline os_pipe make_pipe() { return try_make_pipe().value("kith::make_pipe"); }
#endif

}  // namespace cpp
}  // namespace kith
