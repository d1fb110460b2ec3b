// SPDX-License-Identifier: MIT
// What names there are. An object has its by open, as in kith::array<int>::open("picture", 100).
#pragma once

#include <kith/cpp/base.hpp>

namespace kith {
inline namespace cpp {

// A snapshot of this user's names. What its elements point to lives as long as it does.
class name_list : public owner<kith_names, kith_names_close> {
 public:
  using owner::owner;
  static result<name_list> try_list() noexcept {
    return detail::own<name_list>([](kith_names** out) { return kith_names_list(out); });
  }
#if KITH_HPP_THROWS
  name_list() : name_list(try_list().value("kith::name_list")) {}
#endif
  std::size_t size() const noexcept { return kith_names_count(get()); }
  kith_name_info operator[](std::size_t index) const noexcept {
    kith_name_info about{};
    about.struct_size = sizeof about;
    (void)kith_names_at(get(), index, &about);
    return about;
  }
};

// Takes persistence away: the object goes with its last user. kind: KITH_OBJECT_...
inline status try_remove_name(int32_t kind, const char* name) noexcept { return kith_name_remove(kind, name); }
// Removes what crashes have left of names. *removed (may be nullptr): how many.
inline status try_collect(std::size_t* removed = nullptr) noexcept { return kith_collect(removed); }

#if KITH_HPP_THROWS
inline void remove_name(int32_t kind, const std::string& name) { detail::check(try_remove_name(kind, name.c_str()), "kith::remove_name"); }
inline std::size_t collect() {
  std::size_t removed = 0;
  detail::check(try_collect(&removed), "kith::collect");
  return removed;
}
#endif

}  // namespace cpp
}  // namespace kith
