// SPDX-License-Identifier: MIT
// The memory that the modelled cores share, and the store buffer of each.
//
// A relaxed store goes into the buffer of its core and reaches the memory at any later moment, in any order with stores to other words; a
// release store follows all earlier stores of its core. A load sees the core's own latest store, or the memory. An atomic
// read-modify-write acts on the memory at once, and moves only what it must: its word's own stores, or with release all earlier ones. So the
// reorderings of store after store and of load before an earlier store are covered, on x86 (fewer) and ARM alike.
//
// Left out: a load that overtakes an earlier load, or a store an earlier load. That is what acquire forbids; the pairs of release and
// acquire are argued in comments of the code.
#pragma once

#include <cstdint>

namespace model {

enum class order : uint8_t { relaxed, release };

template <unsigned Cores, unsigned Words, unsigned Room>
struct memory {
  struct pending {
    uint8_t where;
    uint8_t value;
    order kind;
  };

  uint8_t words[Words];
  uint8_t counts[Cores];
  // The oldest first; zero behind the last, so that equal states have equal bytes.
  pending buffers[Cores][Room];

  uint8_t load(int core, int where) const {
    for (int i = counts[core]; i-- > 0;)
      if (buffers[core][i].where == where) return buffers[core][i].value;
    return words[where];
  }

  void store(int core, int where, uint8_t value, order kind = order::relaxed) {
    if (counts[core] == Room)
      commit(core, 0);  // a buffer has an end; no model comes to it between two fences
    buffers[core][counts[core]++] = {static_cast<uint8_t>(where), value, kind};
  }

  bool may_commit(int core, int index) const {
    const pending& entry = buffers[core][index];
    for (int i = 0; i < index; ++i)
      if (entry.kind == order::release || buffers[core][i].where == entry.where) return false;
    return true;
  }

  void commit(int core, int index) {
    pending* const own = buffers[core];
    words[own[index].where] = own[index].value;
    for (int i = index + 1; i < counts[core]; ++i) own[i - 1] = own[i];
    own[--counts[core]] = {};
  }

  void flush(int core) {
    while (counts[core] > 0) commit(core, 0);
  }

  void flush_all() {
    for (unsigned core = 0; core < Cores; ++core) flush(static_cast<int>(core));
  }

  bool compare_exchange(int core, int where, uint8_t expected, uint8_t desired, order kind = order::relaxed) {
    if (kind == order::release) flush(core);
    settle(core, where);
    if (words[where] != expected) return false;
    words[where] = desired;
    return true;
  }

  void exchange(int core, int where, uint8_t desired, order kind = order::relaxed) {
    if (kind == order::release) flush(core);
    settle(core, where);
    words[where] = desired;
  }

  bool drained() const {
    for (const uint8_t count : counts)
      if (count != 0) return false;
    return true;
  }

 private:
  // Commits the core's stores to one word, and before a release store all that it must follow.
  void settle(int core, int where) {
    for (int i = 0; i < counts[core];) {
      if (buffers[core][i].where != where) {
        ++i;
        continue;
      }
      if (buffers[core][i].kind == order::release)
        for (; i > 0; --i) commit(core, 0);
      commit(core, i);
    }
  }
};

}  // namespace model
