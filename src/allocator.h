// SPDX-License-Identifier: MIT
// The one way to memory: malloc, so that the library needs no C++ runtime (operator new is part of it).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace kith {

[[nodiscard]] inline void* allocate(size_t size) { return std::malloc(size == 0 ? 1 : size); }

[[nodiscard]] inline void* reallocate(void* block, size_t size) {
  return std::realloc(block, size == 0 ? 1 : size);
}

inline void deallocate(void* block) { std::free(block); }

// Makes a T, or gives nullptr when there is no memory.
template <class T, class... Arguments>
[[nodiscard]] T* make(Arguments&&... arguments) {
  void* place = allocate(sizeof(T));
  return place == nullptr ? nullptr : ::new (place) T{std::forward<Arguments>(arguments)...};
}

template <class T>
void unmake(T* object) {
  if (object == nullptr) return;
  object->~T();
  deallocate(object);
}

}  // namespace kith
