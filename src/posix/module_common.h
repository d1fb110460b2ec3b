// SPDX-License-Identifier: MIT
// The part of module_*.cpp that all formats share: which module is wanted, and loading it.
#pragma once

#include <uv.h>

#include <cstring>

#include "../allocator.h"
#include "posix_internal.h"

namespace kith::platform {

// A library that was loaded for a function stays loaded, as the function may start threads or leave pointers
// to itself.
struct kept_library {
  uv_lib_t library;
  kept_library* next;
};

inline constinit std::atomic<kept_library*> kept_libraries{nullptr};

inline kept_library* load_library(const char* path) {
  kept_library* const loaded = make<kept_library>();
  if (loaded == nullptr) return nullptr;
  if (uv_dlopen(path, &loaded->library) == 0) return loaded;
  uv_dlclose(&loaded->library);  // frees the text of the error
  unmake(loaded);
  return nullptr;
}

inline void unload_library(kept_library* loaded) {
  uv_dlclose(&loaded->library);
  unmake(loaded);
}

// Nobody reads the list: it is where a leak checker finds them.
inline void keep_library(kept_library* loaded) {
  loaded->next = kept_libraries.load(std::memory_order_relaxed);
  while (!kept_libraries.compare_exchange_weak(loaded->next, loaded, std::memory_order_relaxed)) {
  }
}

inline bool is_program(const code_place& place) { return place.path.size() <= 1; }

inline bool same_build(const unsigned char (&a)[build_identity_size],
                       const unsigned char (&b)[build_identity_size]) {
  return std::memcmp(a, b, build_identity_size) == 0;
}

// `look(place, out)` searches what is loaded: KITH_E_MISMATCH when there is no such module.
template <class Look>
kith_status resolve_by(Look look, const code_place& place, kith_entry& out) {
  const kith_status status = look(place, out);
  if (status != KITH_E_MISMATCH || is_program(place)) return status;
  kept_library* const loaded = load_library(place.path.data());
  if (loaded == nullptr) return KITH_E_MISMATCH;
  const kith_status second = look(place, out);
  if (second == KITH_OK) {
    keep_library(loaded);
  } else {
    unload_library(loaded);  // it is another build
  }
  return second;
}

}  // namespace kith::platform
