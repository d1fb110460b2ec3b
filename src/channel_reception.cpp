// SPDX-License-Identifier: MIT
#include "channel_reception.h"

#include <cstring>
#include <utility>

namespace kith {

namespace {

// By which the buffer for a large message grows ahead of its bytes, and how much of it is kept for the next one.
constexpr size_t largest_step = size_t{1} << 20;

constexpr int most_frames_at_once = 256;
constexpr uint32_t waits_between_clocks = 64;

bool is_first(const shm::frame_header& header) { return (header.flags & shm::frame_first) != 0; }
bool is_last(const shm::frame_header& header) { return (header.flags & shm::frame_last) != 0; }

// A message has come whole, and nobody has taken it.
bool is_assembled(const channel_object& self) { return !self.assembling && !self.assembly.empty(); }

}  // namespace

void reception::consume(const shm::frame_view& frame) {
  shm::ring_consume_frame(self_.receiver, frame);
  channel_tell_sender(self_);
}

// As memory of its own.
kith_status reception::take_memory(const shm::frame_view& frame) {
  if (const kith_status status = channel_open_arrived(self_, frame); status != KITH_OK) return status;
  const arrived_memory& arrived = self_.arrived;
  *to_.out_size = arrived.size;
  if (only_shows_) {
    self_.shown = {false, false, frame};
    done_ = true;
    return KITH_OK;
  }
  if (arrived.size > to_.capacity) return KITH_E_TOO_LARGE;
  std::memcpy(to_.buffer, arrived.segment.data, arrived.size);
  channel_close_arrived(self_, frame);
  done_ = true;
  return KITH_OK;
}

kith_status reception::meet_object(const shm::frame_view& frame) {
  if (channel_is_memory(self_, frame)) return take_memory(frame);
  if (object_ == nullptr) return KITH_E_MISMATCH;
  *object_ = frame;
  met_object_ = done_ = true;
  return KITH_OK;
}

kith_status reception::take_whole(const shm::frame_view& frame) {
  if ((frame.header.flags & shm::frame_object) != 0) return meet_object(frame);
  *to_.out_size = frame.header.payload;
  if (only_shows_) {
    self_.shown = {false, false, frame};
    done_ = true;
    return KITH_OK;
  }
  if (frame.header.payload > to_.capacity) return KITH_E_TOO_LARGE;
  shm::ring_copy_out(self_.receiver, frame, static_cast<unsigned char*>(to_.buffer));
  consume(frame);
  done_ = true;
  return KITH_OK;
}

bool reception::part_is_sound(const shm::frame_header& header) const {
  const bool first = is_first(header);
  if (!first && !self_.assembling) return false;
  const uint64_t before = first ? 0 : self_.assembly_got;
  if (!first && header.total != self_.assembly_total) return false;
  if (header.total > SIZE_MAX / 2 || header.payload > header.total - before) return false;
  return is_last(header) == (before + header.payload == header.total);
}

// Where a part is to be copied; nullptr: no memory. Of the assembly, the size is what the sender says: memory is taken in steps as bytes
// really come, or at once where it is little.
unsigned char* reception::place_of(const shm::frame_header& header) {
  const size_t before = is_first(header) ? 0 : static_cast<size_t>(self_.assembly_got);
  const size_t total = static_cast<size_t>(header.total), known = before + header.payload;
  if (is_first(header)) direct_ = !only_shows_ && total <= to_.capacity && self_.assembly.reserve(total);
  if (direct_) return static_cast<unsigned char*>(to_.buffer) + before;
  if (!self_.assembly.reserve(total - known < largest_step ? total : known)) return nullptr;
  (void)self_.assembly.resize(known);
  return self_.assembly.data() + before;
}

// A frame that is a part of a larger message. KITH_E_NO_MEMORY: it stays in the ring.
kith_status reception::take_part(const shm::frame_view& frame) {
  if (!part_is_sound(frame.header)) return KITH_E_PROTOCOL;
  unsigned char* const place = place_of(frame.header);
  if (place == nullptr) return KITH_E_NO_MEMORY;
  shm::ring_copy_out(self_.receiver, frame, place);
  self_.assembly_total = frame.header.total;
  self_.assembly_got = (is_first(frame.header) ? 0 : self_.assembly_got) + frame.header.payload;
  self_.assembling = !is_last(frame.header);
  consume(frame);
  if (self_.assembling || !direct_) return KITH_OK;
  *to_.out_size = static_cast<size_t>(self_.assembly_total);
  done_ = true;
  forget_assembly(self_);
  return KITH_OK;
}

void reception::keep_parts() {
  if (!direct_ || !self_.assembling) return;
  const size_t got = static_cast<size_t>(self_.assembly_got);
  (void)self_.assembly.resize(got);  // it was reserved
  std::memcpy(self_.assembly.data(), to_.buffer, got);
  direct_ = false;
}

kith_status reception::take_assembled() {
  *to_.out_size = self_.assembly.size();
  if (only_shows_) {
    self_.shown = {true, false, {}};
    done_ = true;
    return KITH_OK;
  }
  if (self_.assembly.size() > to_.capacity) return KITH_E_TOO_LARGE;
  std::memcpy(to_.buffer, self_.assembly.data(), self_.assembly.size());
  done_ = true;
  forget_assembly(self_);
  return KITH_OK;
}

// KITH_E_TIMEOUT: no whole message yet; or so many frames without one that it is time to look at the clock, which a sender that has gone
// mad might else keep us from for ever.
kith_status reception::take_what_is_there() {
  kith_status status = KITH_OK;
  for (int frames = 0; !done_ && status == KITH_OK; ++frames) {
    if (frames == most_frames_at_once) return KITH_E_TIMEOUT;
    if (is_assembled(self_)) return take_assembled();
    shm::frame_view frame;
    if (status = shm::ring_peek_frame(self_.receiver, frame); status != KITH_OK) return status;
    if (frame.header.flags == shm::frame_skip) {
      consume(frame);
      continue;
    }
    // Its sender gave up the message that we have a part of.
    if (is_first(frame.header) && self_.assembling) {
      direct_ = false;
      forget_assembly(self_);
    }
    const bool whole = is_first(frame.header) && is_last(frame.header);
    // The rest of a message that another holder of this end took along when it died.
    if (self_.terms.shared_ends && !is_first(frame.header) && !self_.assembling) {
      consume(frame);
      continue;
    }
    status = whole ? take_whole(frame) : take_part(frame);
  }
  return status;
}

kith_status reception::look_around() {
  if (kith_status status = look_at_self(self_); status != KITH_OK) return status;
  const kith_status status = look_at_peer(self_);
  if (status == KITH_OK) return KITH_OK;
  // It may have sent between our look into the ring and the one at it: what was sent comes before the end.
  const kith_status late = take_what_is_there();
  return late == KITH_E_TIMEOUT ? status : late;
}

kith_status reception::wait(const shm::patience& limits, bool has_spun) {
  constexpr uint64_t nowhere = 1;  // no position is odd
  shm::waiter sleep(limits);
  uint64_t spun_at = has_spun && !something_came(self_) ? self_.receiver.position : nowhere;
  uint32_t waits = 0;
  kith_status status = KITH_OK;
  while (!done_ && status == KITH_OK) {
    status = take_what_is_there();
    if (status != KITH_E_TIMEOUT) break;
    // Once at each place: after a slice without a message it would burn the core for nothing.
    const bool may_spin = std::exchange(spun_at, self_.receiver.position) != self_.receiver.position;
    if (may_spin && ++waits % waits_between_clocks != 0 &&
        limits.spin_for([&] { return something_came(self_); })) {
      status = KITH_OK;
      continue;
    }
    status = look_around();
    if (done_ || status != KITH_OK) break;
    const uint64_t now = platform::clock_now();
    if (status = sleep.must_stop(now); status != KITH_OK) break;
    sleep_until_sent(self_, sleep, now);
  }
  return status;
}

kith_status reception::run(const shm::patience& limits, bool has_spun) {
  self_.receiver.straight_until = 0;  // a message in parts may be left behind
  const kith_status status = wait(limits, has_spun);
  keep_parts();
  const bool keeps = is_assembled(self_);
  if (keeps != self_.keeps_message.load(std::memory_order_relaxed))
    self_.keeps_message.store(keeps, std::memory_order_relaxed);
  return status;
}

void forget_assembly(channel_object& self) {
  self.assembling = false;
  if (self.assembly_total > largest_step) {
    self.assembly.reset();
  } else {
    self.assembly.clear();
  }
}

}  // namespace kith
