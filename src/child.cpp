// SPDX-License-Identifier: MIT
#include "child.h"

#include <cstdlib>

#include "broadcast_object.h"
#include "channel.h"
#include "endpoint.h"
#include "object.h"
#include "object_transfer.h"
#include "segment_object.h"
#include "stream_object.h"
#include "waiting.h"

namespace kith {

namespace {

constexpr int32_t code_of_no_entry =
    127;  // as a shell says "command not found"; the parent is told more by the bootstrap

// Own copies of the handles that were given, under numbers that the parent's objects, also copied, do not own.
bool copy_given_handles(boot_segment& boot, buffer<uint64_t>& keep) {
  for (platform::passed_handle& each : boot.passed) {
    platform::native_handle copy;
    if (platform::handle_duplicate(*each.handle, copy) != KITH_OK) return false;
    *each.number = platform::handle_number(copy);
    if (!keep.append(*each.number)) return false;
    (void)copy.release();  // the one who claims the share owns it
  }
  return true;
}

// The mappings stay good, as all memory of the parent does; the descriptors behind them are not the child's.
KITH_IN_FORKED_CHILD void keep_mappings_only() {
  const auto keep_mapping = [](void*, object& object, void*) {
    segment_object& self = static_cast<segment_object&>(object);
    platform::memory_keep_mapping_only(self.shared->segment.memory);
    self.bells = {};
  };
  constexpr object_kinds segments(object_kind::memory, object_kind::array, object_kind::value,
                                  object_kind::semaphore, object_kind::condition, object_kind::event,
                                  object_kind::barrier, object_kind::queue, object_kind::broadcast,
                                  object_kind::pool_bell, object_kind::pool_lane);
  handle_for_each(segments, keep_mapping, nullptr);
  // The handle of its broadcast may be closed: then only the reader knows of it.
  const auto keep_reader = [](void*, object& object, void*) {
    reader_object& self = static_cast<reader_object&>(object);
    platform::memory_keep_mapping_only(self.source->shared->segment.memory);
    self.source->bells = {};
    self.ear = {};
  };
  handle_for_each(object_kind::reader, keep_reader, nullptr);
  const auto keep_lock = [](void*, object& object, void*) {
    platform::memory_keep_mapping_only(static_cast<lock_object&>(object).shared->segment.memory);
  };
  handle_for_each(object_kind::lock, keep_lock, nullptr);
  const auto forget_bell = [](void*, object& object, void*) {
    static_cast<cancel_object&>(object).state.forget_bell();
  };
  handle_for_each(object_kind::cancel, forget_bell, nullptr);
}

void keep_mapping_only(boot_segment& boot) {
  boot.stop_bells = {};
  platform::memory_keep_mapping_only(boot.segment.memory);
}

}  // namespace

KITH_IN_FORKED_CHILD void child_run_forked(boot_segment& boot, kith_entry entry, bool keep_descriptors) {
  buffer<uint64_t> keep;
  if (!copy_given_handles(boot, keep)) platform::exit_now(code_of_no_entry);
  channel_forget_all();
  endpoint_forget_all();
  stream_forget_all();
  os_handle_forget_all();
  keep_mappings_only();
  process_keep_mappings();
  if ((boot.state().flags & shm::boot_can_be_asked) != 0) keep_mapping_only(boot);
  if (keep_descriptors) {
    process_forget_all();
  } else {
    platform::close_all_handles_but(keep.data(), keep.size());
  }
  const shm::bootstrap_piece piece = boot.state().argument;
  const void* argument = piece.size == 0 ? nullptr : boot.segment.data + piece.offset;
  boot_adopt(boot);
  const int32_t code = entry(argument, static_cast<size_t>(piece.size));
  channel_close_all();
  platform::flush_standard_streams();
  platform::exit_now(code);
}

}  // namespace kith

using namespace kith;

int32_t kith_child_main(int32_t* out_code) {
  if (boot_run() == shm::run_kind::program || boot_taken_over()) return 0;
  boot_take_over();
  boot_task task;
  int32_t code = code_of_no_entry;
  if (boot_find_task(task) == KITH_OK) {
    code = task.entry(task.argument, task.argument_size);
    channel_close_all();
    boot_end_guest();
  }
  if (out_code != nullptr) *out_code = code;
  return 1;
}
