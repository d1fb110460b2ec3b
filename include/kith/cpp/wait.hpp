// SPDX-License-Identifier: MIT
// Waiting for many things at once.
#pragma once

#include <kith/cpp/base.hpp>

namespace kith {
inline namespace cpp {

// Keeps what is waited for, in the order it was added. It does not own the objects.
class wait_set {
 public:
  // Returns its index. events: KITH_WAIT_READ, KITH_WAIT_WRITE, or both.
  template <class Object>
    requires requires(const Object& object) { object.get(); }
  std::size_t add(const Object& object, uint32_t events = KITH_WAIT_READ) {
    return add({object.get(), 0, KITH_WAIT_OBJECT, events, 0, 0});
  }
  std::size_t add_handle(int64_t handle, uint32_t events = KITH_WAIT_READ) {
    return add({nullptr, handle, KITH_WAIT_HANDLE, events, 0, 0});
  }
  std::size_t add_socket(int64_t socket, uint32_t events = KITH_WAIT_READ) {
    return add({nullptr, socket, KITH_WAIT_SOCKET, events, 0, 0});
  }

  // Until at least one is ready.
  status try_wait(timeout wait = forever) noexcept {
    std::size_t ready = 0;
    return kith_wait_any(items_.data(), items_.size(), &ready, wait.ms());
  }
#if KITH_HPP_THROWS
  bool wait(timeout most = forever) {  // false: the time was up
    const status got = try_wait(most);
    return !got.timed_out() && detail::checked(got, "kith::wait_set::wait").ok();
  }
#endif
  uint32_t ready(std::size_t index) const noexcept { return items_[index].ready; }  // KITH_WAIT_...; 0: not ready
  std::size_t size() const noexcept { return items_.size(); }

 private:
  std::size_t add(const kith_wait_item& item) {
    items_.push_back(item);
    return items_.size() - 1;
  }
  std::vector<kith_wait_item> items_;
};

#if KITH_HPP_THROWS
// The index of the first that is ready; nothing when the time was up.
template <class... Object>
std::optional<std::size_t> wait_any(timeout most, const Object&... objects) {
  wait_set all;
  (all.add(objects), ...);
  if (!all.wait(most)) return std::nullopt;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all.ready(i) != 0) return i;
  }
  return std::nullopt;
}
#endif

}  // namespace cpp
}  // namespace kith
