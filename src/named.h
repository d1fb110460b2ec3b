// SPDX-License-Identifier: MIT
// Opening and making objects that have a name. What a port does for that is in platform.h, at name_place.cpp; docs/internals.md has the whole of it.
#pragma once

#include <kith/kith.h>

#include <utility>

#include "platform.h"
#include "segment_object.h"
#include "shm/segment.h"

namespace kith {

// What a caller wants, checked.
struct named_wish {
  uint32_t flags = 0;
  const char* user = nullptr;  // another one; nullptr: this user
  platform::meeting_name name{};

  bool creates() const { return (flags & KITH_NAME_CREATE) != 0; }
  bool opens() const { return (flags & KITH_NAME_OPEN) != 0; }
};

// The statuses are those of kith_memory_open_named. The text is the caller's.
kith_status named_read_wish(const kith_naming* naming, shm::segment_kind kind, named_wish& out);

// What a kind has to say.
struct named_terms {
  const shm::segment_plan* plan;  // to make one
  uint32_t bells;
  void* context;
  bool (*fits)(void* context, const shm::segment& found);  // whether it is one as the caller wants
  void (*prepare)(void* context, shm::segment& made);      // writes what it begins with
};

// The segment is to be closed by named_let_go.
kith_status named_open(const named_wish& wish, const named_terms& terms, shm::segment& out,
                       platform::bells& out_bells, bool& created);

// Closes a segment, of whatever kind, and ends it if it had a name and this was its last user.
void named_let_go(shm::segment& self);

// Looks for an object with the place locked. What is left over is removed, and there is none; `out` may have the last of it then. KITH_E_BUSY: what
// lies there is half made, and will go.
kith_status named_look(platform::name_place& place, const platform::name_key& key, deadline until,
                       bool& found, platform::native_handle& out);
// What it has written on itself.
struct card_glance {
  bool is_ours = false;  // kith has begun to write it, or nobody
  bool is_ready = false;
  uint64_t flags = 0;

  bool is_kept() const { return is_ready && (flags & KITH_NAME_PERSISTENT) != 0; }
};
card_glance named_glance(const platform::native_handle& taken);

inline constexpr int64_t longest_wait_for_names_ms = 5000;

// As long as the attempt answers KITH_E_BUSY, it is made again, with naps; KITH_E_TIMEOUT at the deadline.
template <class Attempt>
kith_status while_busy(deadline until, Attempt attempt) {
  for (;;) {
    const kith_status status = attempt();
    if (status != KITH_E_BUSY) return status;
    const uint64_t now = platform::clock_now();
    if (passed(until, now)) return KITH_E_TIMEOUT;
    platform::wait_slot none;
    platform::wait_slot_leave_out(none);
    (void)platform::wait_many(&none, 1, deadline_after(now, ns_per_ms));
  }
}

// Locks a place for the time of a block.
class place_guard {
 public:
  place_guard(platform::name_place& place, deadline until)
      : place_(place), status_(platform::place_lock(place, until)) {}
  ~place_guard() { platform::place_unlock(place_); }
  place_guard(const place_guard&) = delete;
  place_guard& operator=(const place_guard&) = delete;
  kith_status status() const { return status_; }

 private:
  platform::name_place& place_;
  kith_status status_;
};

// ---- names.cpp -------------------------------------------------------------------------------------------------------------

// Removes what is left over, waiting for the lock up to the deadline each time.
kith_status names_collect(deadline until, size_t& removed);

// ---- what the open functions of the kinds have in common --------------------------------------------------------------------

// One that the caller has described by a plan, with 0 for what may be as it is.
inline bool sizes_agree(const shm::segment_plan& plan, const shm::segment& found) {
  return (plan.data_size == 0 || plan.data_size == found.data_size) &&
         (plan.element_size == 0 || plan.element_size == found.element_size) &&
         (plan.type == 0 || plan.type == found.type);
}

template <class Fits, class Prepare>
kith_status segment_open_named(const named_wish& wish, const shm::segment_plan& plan, uint32_t bell_count,
                               shm::segment& out, platform::bells& bells, int32_t* out_created, Fits fits,
                               Prepare prepare) {
  struct both {
    Fits& fits;
    Prepare& prepare;
  } context{fits, prepare};
  const named_terms terms{
      &plan, bell_count, &context,
      [](void* self, const shm::segment& found) { return static_cast<both*>(self)->fits(found); },
      [](void* self, shm::segment& made) { static_cast<both*>(self)->prepare(made); }};
  bool created = false;
  const kith_status status = named_open(wish, terms, out, bells, created);
  if (status == KITH_OK && out_created != nullptr) *out_created = created ? 1 : 0;
  return status;
}

// For all kinds that are a segment_class.
template <class Handle, class Fits, class Prepare>
kith_status object_open_named(const segment_class& type, const named_wish& wish,
                              const shm::segment_plan& plan, Handle** out, int32_t* out_created, Fits fits,
                              Prepare prepare) {
  shm::segment segment;
  platform::bells bells;
  int32_t created = 0;
  kith_status status = segment_open_named(wish, plan, type.bells, segment, bells, &created, fits, prepare);
  void* handle = nullptr;
  if (status == KITH_OK) status = segment_object_open(type, std::move(segment), std::move(bells), &handle);
  if (status != KITH_OK) return status;
  *out = static_cast<Handle*>(handle);
  if (out_created != nullptr) *out_created = created;
  return KITH_OK;
}

}  // namespace kith
