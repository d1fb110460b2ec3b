// SPDX-License-Identifier: MIT
// What names there are, and removing some. A list is made of copies: what other processes write meanwhile is read once, and believed only as far as it was
// checked; nothing is mapped, so no object is kept from going, and nobody can shrink one under us.
#include <kith/kith.h>

#include <cstddef>
#include <cstring>
#include <new>

#include "allocator.h"
#include "handshake.h"
#include "named.h"
#include "object.h"
#include "options.h"
#include "shm/barrier.h"
#include "shm/broadcast.h"
#include "shm/condition.h"
#include "shm/event.h"
#include "shm/lock_word.h"
#include "shm/queue.h"
#include "shm/semaphore.h"

namespace kith {

namespace {

struct known_kind {
  object_kind kind;
  shm::segment_kind segment;
};

constexpr known_kind known_kinds[] = {
    {object_kind::memory, shm::segment_kind::memory},
    {object_kind::array, shm::segment_kind::array},
    {object_kind::value, shm::segment_kind::value},
    {object_kind::lock, shm::segment_kind::lock},
    {object_kind::semaphore, shm::segment_kind::semaphore},
    {object_kind::condition, shm::segment_kind::condition},
    {object_kind::event, shm::segment_kind::event},
    {object_kind::barrier, shm::segment_kind::barrier},
    {object_kind::queue, shm::segment_kind::queue},
    {object_kind::broadcast, shm::segment_kind::broadcast},
};

int32_t public_kind_of(shm::segment_kind segment) {
  for (const known_kind& each : known_kinds) {
    if (each.segment == segment) return static_cast<int32_t>(each.kind);
  }
  return KITH_OBJECT_NONE;
}

// ---- the list ------------------------------------------------------------------------------------------------------------------------------

struct listed_name {
  kith_name_info info;  // without its pointers
  size_t name;          // where it begins in the texts
  size_t users;         // where they begin
};

struct names_object : object {
  buffer<listed_name> list;
  buffer<char> texts;
  buffer<int64_t> users;
};

void destroy(object* self) { unmake(static_cast<names_object*>(self)); }

constexpr object_class names_class{object_kind::names, nullptr, destroy};

kith_status add_name(names_object& self, const char* text, size_t size, listed_name& out) {
  out.name = self.texts.size();
  return self.texts.append(text, size) && self.texts.append('\0') ? KITH_OK : KITH_E_NO_MEMORY;
}

// ---- one object ----------------------------------------------------------------------------------------------------------------------------

// Words behind the state: the permits of a semaphore, the waiters of a condition, the seats of a barrier.
constexpr size_t most_words = KITH_BARRIER_MOST_PARTIES * (sizeof(shm::barrier_seat) / sizeof(uint64_t));
static_assert(most_words >= KITH_SEMAPHORE_MOST_OWNED && most_words >= KITH_CONDITION_MOST_WAITERS);
constexpr size_t largest_state = 1024;

// A copy of all that tells of an object.
struct snapshot {
  shm::segment_header header;
  alignas(64) unsigned char state[largest_state];
  shm::name_card card;
  uint64_t words[most_words];
};

using word = std::atomic<uint64_t>;

uint64_t value_of(const word& from) { return from.load(std::memory_order_relaxed); }

// Each part is read once. KITH_E_MISMATCH: it is none.
kith_status take_snapshot(const platform::native_handle& taken, shm::segment_kind kind, snapshot& out) {
  kith_status status = platform::place_read(taken, 0, &out.header, sizeof out.header);
  if (status != KITH_OK) return status;
  const shm::segment_header& header = out.header;
  const size_t size = static_cast<size_t>(platform::place_size(taken));
  if (header.card == 0 || !shm::header_is_sound(header, kind, size) || header.state_size > sizeof out.state)
    return KITH_E_MISMATCH;
  if (header.state_size != 0)
    status = platform::place_read(taken, sizeof header, out.state, header.state_size);
  if (status == KITH_OK) status = platform::place_read(taken, header.card, &out.card, sizeof out.card);
  const bool has_words = kind == shm::segment_kind::semaphore || kind == shm::segment_kind::condition ||
                         kind == shm::segment_kind::barrier;
  if (status != KITH_OK || !has_words || header.data_size == 0) return status;
  const size_t data = shm::lay_out(header.state_size, header.slot_count, header.data_size, true).data;
  if (header.data_size > sizeof out.words) return KITH_E_MISMATCH;
  return platform::place_read(taken, data, out.words, static_cast<size_t>(header.data_size));
}

bool lives(uint64_t bits) { return platform::alive({bits}) != liveness::dead; }

void tell_lock(const shm::lock_state& lock, kith_name_info& out) {
  constexpr uint64_t identity_bits = ~uint64_t{3};
  const identity owner{value_of(lock.word) & identity_bits};
  if (owner.nobody() || !lives(owner.bits)) return;
  out.owner_pid = owner.pid();
  out.owner_held_ms = static_cast<int64_t>(shm::lock_held_ns(lock, platform::clock_now()) / ns_per_ms);
}

void tell_semaphore(const snapshot& from, kith_name_info& out) {
  const shm::semaphore_state& state = *reinterpret_cast<const shm::semaphore_state*>(from.state);
  const size_t count = static_cast<size_t>(from.header.data_size / sizeof(uint64_t));
  if (count == 0) {
    out.used = static_cast<int64_t>(value_of(state.count));
    out.capacity = static_cast<int64_t>(value_of(state.maximum));
  }
  for (size_t i = 0; i < count; ++i) out.used += from.words[i] != 0 ? 1 : 0;
  if (count != 0) out.capacity = static_cast<int64_t>(count);
}

// As shm/condition.h writes it down.
void tell_condition(const snapshot& from, kith_name_info& out) {
  constexpr uint64_t waiting = 1, state_mask = 3;
  uint64_t alive = 0;  // the last one that was found so: threads of a process often follow each other
  for (size_t i = 0; i < KITH_CONDITION_MOST_WAITERS; ++i) {
    const uint64_t process = from.words[i] & ~state_mask;
    if (process == 0 || (from.words[i] & state_mask) != waiting) continue;
    if (process != alive && !lives(process)) continue;
    alive = process;
    ++out.waiting;
  }
}

void tell_barrier(snapshot& from, kith_name_info& out) {
  const size_t parties = static_cast<size_t>(from.header.data_size / sizeof(shm::barrier_seat));
  const shm::barrier_view view{reinterpret_cast<shm::barrier_state*>(from.state),
                               reinterpret_cast<shm::barrier_seat*>(from.words),
                               static_cast<uint32_t>(parties), nullptr};
  out.waiting = out.used = shm::barrier_waiting(view);
  out.capacity = static_cast<int64_t>(parties);
}

void tell_event(const shm::event_state& state, kith_name_info& out) {
  out.used = (value_of(state.word) & shm::event_set_bit) != 0 ? 1 : 0;
  out.capacity = 1;
}

// Read one after the other, so the difference may be anything.
int64_t bytes_between(uint64_t tail, uint64_t head, uint64_t ring) {
  const uint64_t used = head - tail;
  return static_cast<int64_t>(used > ring ? ring : used);
}

void tell_queue(const snapshot& from, kith_name_info& out) {
  const shm::queue_state& state = *reinterpret_cast<const shm::queue_state*>(from.state);
  const uint64_t ring = shm::queue_capacity(from.header.data_size);
  out.used = bytes_between(value_of(state.tail), value_of(state.head), ring);
  out.capacity = static_cast<int64_t>(ring);
}

void tell_broadcast(const snapshot& from, kith_name_info& out) {
  const shm::broadcast_state& state = *reinterpret_cast<const shm::broadcast_state*>(from.state);
  const uint64_t ring = from.header.element_size;
  out.used = bytes_between(value_of(state.tail), value_of(state.head), ring);
  out.capacity = static_cast<int64_t>(ring);
}

void tell_kind(snapshot& from, shm::segment_kind kind, kith_name_info& out) {
  const auto tell_elements = [&] {
    out.type = from.header.type;
    out.size = static_cast<int64_t>(from.header.data_size);
    out.element_size = static_cast<int64_t>(from.header.element_size);
    tell_lock(*reinterpret_cast<const shm::lock_state*>(from.state), out);
  };
  switch (kind) {
    case shm::segment_kind::memory:
      out.size = static_cast<int64_t>(from.header.data_size);
      out.waiting = -1;
      return;
    case shm::segment_kind::array:
    case shm::segment_kind::value: return tell_elements();
    case shm::segment_kind::lock:
      return tell_lock(*reinterpret_cast<const shm::lock_state*>(from.state), out);
    case shm::segment_kind::semaphore: return tell_semaphore(from, out);
    case shm::segment_kind::condition: return tell_condition(from, out);
    case shm::segment_kind::barrier: return tell_barrier(from, out);
    case shm::segment_kind::event:
      return tell_event(*reinterpret_cast<const shm::event_state*>(from.state), out);
    case shm::segment_kind::queue: return tell_queue(from, out);
    case shm::segment_kind::broadcast: return tell_broadcast(from, out);
    default: return;
  }
}

bool is_known(const buffer<int64_t>& pids, size_t begin, int64_t pid) {
  for (size_t i = begin; i < pids.size(); ++i) {
    if (pids[i] == pid) return true;
  }
  return false;
}

// Conditions and barriers have seats for those who wait.
bool has_seats(shm::segment_kind kind) {
  return kind == shm::segment_kind::condition || kind == shm::segment_kind::barrier;
}

// The living, and how many threads of theirs sleep. Pids of another namespace mean nothing here.
kith_status add_users(names_object& self, const snapshot& from, listed_name& out, int64_t& sleepers) {
  out.users = self.users.size();
  const uint64_t there = from.header.pid_namespace, here = platform::pid_namespace();
  sleepers = -1;
  if (there != 0 && here != 0 && there != here) return KITH_OK;
  sleepers = 0;
  for (uint32_t i = 0; i < shm::name_card_users; ++i) {
    const identity user{value_of(from.card.users[i])};
    const uint32_t asleep = from.card.sleepers[i].load(std::memory_order_relaxed);
    const bool is_new = !user.nobody() && !is_known(self.users, out.users, user.pid());
    if (user.nobody() || (!is_new && asleep == 0) || !lives(user.bits)) continue;
    sleepers += asleep;
    if (!is_new) continue;
    if (!self.users.append(user.pid())) return KITH_E_NO_MEMORY;
    ++out.info.user_count;
  }
  return KITH_OK;
}

kith_status describe(names_object& self, snapshot& from, shm::segment_kind kind, platform::place_state state,
                     listed_name& out) {
  const uint64_t flags = value_of(from.card.flags);
  const bool is_ready = value_of(from.card.ready) == shm::name_card_ready;
  const bool is_kept = is_ready && (flags & KITH_NAME_PERSISTENT) != 0;
  const uint64_t size = value_of(from.card.name_size);
  if (!is_ready || size == 0 || size > sizeof from.card.name) return KITH_E_MISMATCH;
  out.info.kind = public_kind_of(kind);
  out.info.flags = static_cast<uint32_t>(flags & shm::card_public_flags);
  out.info.stale = state == platform::place_state::unused && !is_kept ? 1 : 0;
  tell_kind(from, kind, out.info);
  kith_status status = add_name(self, from.card.name, static_cast<size_t>(size), out);
  int64_t sleepers = 0;
  if (status == KITH_OK && state == platform::place_state::used)
    status = add_users(self, from, out, sleepers);
  if (!has_seats(kind) && kind != shm::segment_kind::memory) out.info.waiting = sleepers;
  return status;
}

// Copied with the lock, looked at without: whether processes live takes longer.
kith_status add_object(names_object& self, platform::name_place& place, const platform::name_key& key,
                       snapshot& copy) {
  const shm::segment_kind kind = shm::name_kind_of(key.text[0]);
  if (kind == shm::segment_kind{}) return KITH_OK;
  const deadline until = deadline_in(platform::clock_now(), longest_wait_for_names_ms);
  platform::place_state state{};
  {
    const place_guard locked(place, until);
    if (locked.status() != KITH_OK) return locked.status();
    platform::native_handle taken;
    kith_status status = platform::place_take(place, key, until, state, taken);
    // Something strange, which is no object; or one that is just going.
    if (status == KITH_E_DENIED || status == KITH_E_BUSY) return KITH_OK;
    if (status != KITH_OK || state == platform::place_state::none) return status;
    status = take_snapshot(taken, kind, copy);
    taken.reset();  // before the lock goes: who closes it as the last one must find it unused
    if (status != KITH_OK) return status == KITH_E_MISMATCH ? KITH_OK : status;
  }
  listed_name added{};
  const size_t texts = self.texts.size(), users = self.users.size();
  const kith_status status = describe(self, copy, kind, state, added);
  if (status == KITH_OK && self.list.append(added)) return KITH_OK;
  if (!self.texts.resize(texts) || !self.users.resize(users)) return KITH_E_NO_MEMORY;  // they shrink
  return status == KITH_E_MISMATCH ? KITH_OK : KITH_E_NO_MEMORY;
}

kith_status add_endpoint(names_object& self, platform::name_place& place, const platform::name_key& key) {
  platform::endpoint_claim claim;
  kith_status status = platform::place_look_at_endpoint(place, key, claim);
  if (status != KITH_OK) return status == KITH_E_NOT_FOUND || status == KITH_E_DENIED ? KITH_OK : status;
  listed_name added{};
  added.info.kind = KITH_OBJECT_ENDPOINT;
  added.info.stale = claim.lives ? 0 : 1;
  added.info.waiting = -1;
  added.users = self.users.size();
  if (claim.lives && claim.pid > 0) {
    if (!self.users.append(claim.pid)) return KITH_E_NO_MEMORY;
    added.info.user_count = 1;
  }
  status = add_name(self, claim.name, claim.name_size, added);
  return status == KITH_OK && self.list.append(added) ? KITH_OK : KITH_E_NO_MEMORY;
}

kith_status fill_list(names_object& self, snapshot& copy) {
  platform::name_place place;
  buffer<platform::name_key> keys;
  kith_status status = platform::place_open(false, place);
  if (status == KITH_E_NOT_FOUND) return KITH_OK;
  if (status == KITH_OK) status = platform::place_list(place, keys);
  if (status != KITH_OK) return status;
  for (const platform::name_key& each : keys) {
    status = each.text[0] == platform::letter_of_endpoint ? add_endpoint(self, place, each)
                                                          : add_object(self, place, each, copy);
    if (status != KITH_OK) return status;
  }
  return KITH_OK;
}

const names_object* find_names(const kith_names* names) {
  object* found = nullptr;
  return handle_find(names, object_kind::names, found) == KITH_OK ? static_cast<names_object*>(found)
                                                                  : nullptr;
}

// ---- removing ------------------------------------------------------------------------------------------------------------------------------

bool remove_left_over(platform::name_place& place, const platform::name_key& key, deadline until) {
  platform::place_state state{};
  platform::native_handle taken;
  if (platform::place_take(place, key, until, state, taken) != KITH_OK ||
      state != platform::place_state::unused)
    return false;
  const card_glance card = named_glance(taken);
  if (!card.is_ours || card.is_kept()) return false;
  taken.reset();
  return platform::place_remove(place, key) == KITH_OK;
}

// One that is used: from now on it goes with its last user, and until that is this call is one of them.
kith_status take_persistence(shm::segment_kind kind, platform::native_handle&& taken) {
  platform::memory mapped;
  kith_status status = platform::place_attach(std::move(taken), mapped);
  if (status != KITH_OK) return status;
  shm::segment found;
  status = shm::segment_attach_memory(std::move(mapped), kind, found);
  if (status != KITH_OK) {
    platform::memory_close(mapped);
    return status;
  }
  // Relaxed: it refers to nothing else; whoever decides by it has the lock of the place, or is the last.
  if (found.name.card != nullptr)
    found.name.card->flags.fetch_and(~uint64_t{KITH_NAME_PERSISTENT}, std::memory_order_relaxed);
  named_let_go(found);
  return KITH_OK;
}

// With the lock. `taken`: it is used.
kith_status remove_unused(platform::name_place& place, const platform::name_key& key, deadline until,
                          platform::native_handle& taken) {
  platform::place_state state{};
  kith_status status = platform::place_take(place, key, until, state, taken);
  if (status != KITH_OK || state == platform::place_state::used) return status;
  if (state == platform::place_state::none) return KITH_E_NOT_FOUND;
  const card_glance card = named_glance(taken);
  taken.reset();
  if (!card.is_ours) return KITH_E_DENIED;
  status = platform::place_remove(place, key);
  // What nobody sees was not there.
  return status == KITH_OK && !card.is_kept() ? kith_status{KITH_E_NOT_FOUND} : status;
}

kith_status remove_name(shm::segment_kind kind, const platform::meeting_name& name) {
  platform::name_place place;
  kith_status status = platform::place_open(false, place);
  if (status != KITH_OK) return status;
  const platform::name_key key = platform::name_key_of(shm::name_letter_of(kind), name.hash);
  const deadline until = deadline_in(platform::clock_now(), longest_wait_for_names_ms);
  platform::native_handle taken;
  status = while_busy(until, [&] {
    const place_guard locked(place, until);
    return locked.status() == KITH_OK ? remove_unused(place, key, until, taken) : locked.status();
  });
  return status == KITH_OK && taken.valid() ? take_persistence(kind, std::move(taken)) : status;
}

}  // namespace

kith_status names_collect(deadline until, size_t& removed) {
  platform::name_place place;
  buffer<platform::name_key> keys;
  removed = 0;
  kith_status status = platform::place_open(false, place);
  if (status == KITH_E_NOT_FOUND) return KITH_OK;
  if (status == KITH_OK) status = platform::place_list(place, keys);
  if (status != KITH_OK) return status;
  for (const platform::name_key& each : keys) {
    // Each for itself, so that others have their turn.
    const place_guard locked(place, until);
    if (locked.status() != KITH_OK) return locked.status();
    const bool is_gone =
        each.text[0] == platform::letter_of_endpoint
            ? platform::place_remove_endpoint(place, each)
            : shm::name_kind_of(each.text[0]) != shm::segment_kind{} && remove_left_over(place, each, until);
    if (is_gone) ++removed;
  }
  const place_guard locked(place, until);
  if (locked.status() == KITH_OK) platform::place_sweep(place);
  return locked.status();
}

}  // namespace kith

using namespace kith;

kith_status kith_names_list(kith_names** out) {
  if (out == nullptr) return KITH_E_INVALID;
  names_object* self = make<names_object>();
  snapshot* copy = static_cast<snapshot*>(allocate(sizeof(snapshot)));
  kith_status status = self == nullptr || copy == nullptr ? KITH_E_NO_MEMORY : KITH_OK;
  if (status == KITH_OK) {
    ::new (copy) snapshot;
    self->type = &names_class;
    status = fill_list(*self, *copy);
  }
  deallocate(copy);
  void* handle = status == KITH_OK ? handle_open(self) : nullptr;
  if (handle == nullptr) {
    unmake(self);
    return status == KITH_OK ? kith_status{KITH_E_NO_MEMORY} : status;
  }
  *out = static_cast<kith_names*>(handle);
  return KITH_OK;
}

size_t kith_names_count(const kith_names* names) {
  const names_object* self = find_names(names);
  return self == nullptr ? 0 : self->list.size();
}

kith_status kith_names_at(const kith_names* names, size_t index, kith_name_info* out) {
  const names_object* self = find_names(names);
  if (self == nullptr || out == nullptr || out->struct_size < sizeof *out) return KITH_E_INVALID;
  if (index >= self->list.size()) return KITH_E_NOT_FOUND;
  const listed_name& found = self->list[index];
  const uint32_t size = out->struct_size;
  *out = found.info;
  out->struct_size = size;
  out->name = self->texts.data() + found.name;
  out->users = found.info.user_count == 0 ? nullptr : self->users.data() + found.users;
  return KITH_OK;
}

void kith_names_close(kith_names* names) { handle_close(names, object_kind::names); }

kith_status kith_name_remove(int32_t kind, const char* name) {
  platform::meeting_name wanted;
  if (const kith_status status = read_meeting_name(name, wanted); status != KITH_OK) return status;
  for (const known_kind& each : known_kinds) {
    if (static_cast<int32_t>(each.kind) == kind) return remove_name(each.segment, wanted);
  }
  return KITH_E_INVALID;
}

kith_status kith_collect(size_t* out_removed) {
  size_t removed = 0;
  const deadline until = deadline_in(platform::clock_now(), longest_wait_for_names_ms);
  const kith_status status = names_collect(until, removed);
  if (status == KITH_OK && out_removed != nullptr) *out_removed = removed;
  return status;
}
