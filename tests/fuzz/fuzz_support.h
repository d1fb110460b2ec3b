// SPDX-License-Identifier: MIT
// What the fuzz targets have in common. Each input is a list of steps, which a target reads byte by byte: so every input is one, and a
// small change of the bytes is a small change of the list.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "shm/segment.h"

namespace fuzz {

// The bytes of an input; zeros when they are used up.
class reader {
 public:
  reader(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  uint8_t byte();
  uint64_t number(size_t bytes);
  uint64_t up_to(uint64_t bound) { return number(bound <= 256 ? 1 : bound <= 65'536 ? 2 : 8) % bound; }
  std::vector<uint8_t> bytes(size_t most);
  // A number that a hostile process would try in the place of `present`.
  uint64_t hostile_number(uint64_t present);

 private:
  const uint8_t* data_;
  size_t left_;
};

// Ends the fuzzer, which keeps the input.
[[noreturn]] void found(const char* what);

// A call with a deadline of at most a few milliseconds.
void in_time(const std::function<void()>& call);

// Memory of exactly that size, whose neighbours the sanitizer watches.
std::vector<unsigned char> exactly(size_t size);

// Another mapping of the same memory: what a hostile process does with it does not depend on what the library does with its own.
class hostile_mapping {
 public:
  explicit hostile_mapping(const kith::shm::segment& segment);
  ~hostile_mapping();
  hostile_mapping(const hostile_mapping&) = delete;
  hostile_mapping& operator=(const hostile_mapping&) = delete;
  unsigned char* base() const { return base_; }
  size_t size() const { return size_; }
  void scribble(reader& input);  // some bytes anywhere
  void store_number(reader& input, size_t from, size_t to);
  // As the library's atomic words lie.
  std::atomic<uint64_t>* number_at(size_t at) const;  // the last one, when it is behind the end
  std::atomic<uint64_t>* some_number(reader& input, size_t from, size_t to) const;

 private:
  unsigned char* base_ = nullptr;
  size_t size_ = 0;
};

// Other memory of any size, of at most some pages, with the first bytes of this one: what its header says is true of another size.
kith::platform::native_handle copy_of_some_size(reader& input, const hostile_mapping& original);

struct change {
  std::atomic<uint64_t>* at;
  uint64_t one, other;
};

// A thread of the hostile process that writes on while we read, each number by turns: what was checked is another one when it is used. It has
// begun when the constructor is back, and what stands there at the end is chance.
class meddler {
 public:
  explicit meddler(std::vector<change> changes);
  ~meddler();
  meddler(const meddler&) = delete;
  meddler& operator=(const meddler&) = delete;

 private:
  void run();

  std::vector<change> changes_;
  std::atomic<bool> began_{false}, ends_{false};
  std::thread thread_;
};

// Uses an object that came from a hostile process, a little, and closes it.
void use_and_close(int32_t kind, void* object);

// An object that a hostile process has made, and can send, and whose memory it writes to.
struct hostage {
  hostage() = default;
  ~hostage();
  hostage(const hostage&) = delete;
  hostage& operator=(const hostage&) = delete;
  bool make(uint8_t choice);  // of a kind that is chosen so

  void* object = nullptr;
  int32_t kind = KITH_OBJECT_NONE;
  kith_channel* other_end = nullptr;
  std::optional<hostile_mapping> memory;
};

// Runs an input. No descriptor may be left.
void run(const std::function<void()>& input);

}  // namespace fuzz
