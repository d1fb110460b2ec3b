// SPDX-License-Identifier: MIT
// One receive, with the turn. The parts of a message that fits go into the caller's buffer at once; if the call ends before the last one has
// come, what there is moves to the assembly, where room for it was reserved before the first was taken.
#pragma once

#include "channel_turn.h"

namespace kith {

class reception {
 public:
  reception(channel_object& self, const destination& to) : self_(self), to_(to) {}

  // The next message is shown in self.shown, and stays: *to.out_size is its size. A part of one is never shown.
  void show_only() { only_shows_ = true; }
  // A message with an object is shown in *frame, and stays; without this it is KITH_E_MISMATCH.
  void show_object(shm::frame_view* frame) { object_ = frame; }

  // Waits for a message that is whole. `has_spun`: the caller has waited a little already.
  kith_status run(const shm::patience& limits, bool has_spun);
  bool met_object() const { return met_object_; }

 private:
  kith_status wait(const shm::patience& limits, bool has_spun);
  kith_status take_what_is_there();
  kith_status take_whole(const shm::frame_view& frame);
  kith_status take_memory(const shm::frame_view& frame);
  kith_status meet_object(const shm::frame_view& frame);
  kith_status take_part(const shm::frame_view& frame);
  kith_status take_assembled();
  bool part_is_sound(const shm::frame_header& header) const;
  unsigned char* place_of(const shm::frame_header& header);
  void consume(const shm::frame_view& frame);
  void keep_parts();
  kith_status look_around();

  channel_object& self_;
  const destination& to_;
  shm::frame_view* object_ = nullptr;
  bool only_shows_ = false;
  bool met_object_ = false;
  bool direct_ = false;  // the parts go into the caller's buffer
  bool done_ = false;
};

// The message in the assembly was taken, or given up by its sender.
void forget_assembly(channel_object& self);

}  // namespace kith
