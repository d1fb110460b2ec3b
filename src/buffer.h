// SPDX-License-Identifier: MIT
// A block of memory that frees itself and grows: what std::vector is for, without its exceptions.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "allocator.h"

namespace kith {

template <class T>
class buffer {
  static_assert(std::is_trivially_copyable_v<T>, "elements are moved by memcpy and never destroyed");

 public:
  buffer() = default;
  buffer(const buffer&) = delete;
  buffer& operator=(const buffer&) = delete;
  ~buffer() {
    if (data_ != nullptr)
      deallocate(data_);  // a new process that takes no memory need not find out where free is
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }
  T& back() { return data_[size_ - 1]; }

  // Makes room for `capacity` elements in all. false: no memory, nothing changed.
  [[nodiscard]] bool reserve(size_t capacity) {
    if (capacity <= capacity_) return true;
    if (capacity > static_cast<size_t>(-1) / sizeof(T)) return false;
    size_t wanted = capacity_ + capacity_ / 2;
    if (wanted < capacity || wanted > static_cast<size_t>(-1) / sizeof(T)) wanted = capacity;
    void* grown = reallocate(data_, wanted * sizeof(T));
    if (grown == nullptr) return false;
    data_ = static_cast<T*>(grown);
    capacity_ = wanted;
    return true;
  }

  // New elements are not initialised.
  [[nodiscard]] bool resize(size_t size) {
    if (!reserve(size)) return false;
    size_ = size;
    return true;
  }

  [[nodiscard]] bool append(const T& element) {
    const T copy = element;  // `element` may lie inside the block that reserve moves.
    if (!reserve(size_ + 1)) return false;
    data_[size_++] = copy;
    return true;
  }

  [[nodiscard]] bool append(const T* elements, size_t count) {
    if (count == 0) return true;
    if (count > static_cast<size_t>(-1) - size_ || !reserve(size_ + count)) return false;
    std::memcpy(data_ + size_, elements, count * sizeof(T));
    size_ += count;
    return true;
  }

  void clear() { size_ = 0; }

  void reset() {
    deallocate(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Text, ends with NUL as the OS wants it: size() counts the NUL.
using text = buffer<char>;

[[nodiscard]] inline bool assign(text& out, const char* source, size_t length) {
  out.clear();
  return out.append(source, length) && out.append('\0');
}

[[nodiscard]] inline bool assign(text& out, const char* source) {
  return assign(out, source, std::strlen(source));
}

}  // namespace kith
