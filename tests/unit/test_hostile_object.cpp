// SPDX-License-Identifier: MIT
// A peer that sends messages with objects as kith does not: without handles, with others than it says, with a wrong kind or ticket. We
// get a status, the message is gone, and nothing leaks.
#include <cstring>

#include "../send_object.h"
#include "channel.h"

using namespace kith;
using test::nothing_leaks;
using test::received_object;

namespace {

// As channel_object.cpp lays it out.
struct written_record {
  uint32_t kind = KITH_OBJECT_MEMORY;
  uint32_t end = 0;
  uint64_t ticket = 1;
  uint64_t numbers[3] = {};
  uint64_t who = 0;
  uint64_t size = 0;
  uint32_t handle_count = 1;
  uint32_t reserved = 0;
};
static_assert(sizeof(written_record) == 64);

// A sender that does everything by hand.
struct mad_sender {
  test::channel_pair line = test::make_channel();
  pinned<channel_object> pin{line.a.get(), object_kind::channel};

  void send_parcel(uint64_t ticket, const std::vector<const platform::native_handle*>& handles,
                   written_record& record) {
    platform::parcel packed;
    packed.ticket = ticket;
    for (const platform::native_handle* each : handles) packed.handles[packed.count++] = each;
    platform::parcel_label label;
    shm::parcel_slot& slot = pin->state().parcels[pin->end];
    REQUIRE_OK(platform::parcel_send(pin->stream, platform::self(), packed, slot, label));
    for (size_t i = 0; i < label.count; ++i) record.numbers[i] = label.numbers[i];
  }

  void send_frame(const written_record& record, size_t size = sizeof(written_record)) {
    shm::ring_put_frame(pin->sender,
                        {static_cast<uint32_t>(size), shm::frame_whole | shm::frame_object, size}, &record);
    pin->state().rings[pin->end].objects_sent.fetch_add(1);
  }

  // The message is refused and gone, and the channel works on.
  void check_refused(kith_status expected) {
    received_object came;
    CHECK_STATUS(came.receive(line.b, 0), expected);
    CHECK(came.object == nullptr);
    CHECK(test::tell(line.a, "a true one"));
    CHECK(test::hear(line.b, "a true one"));
  }
};

shm::segment some_segment(shm::segment_kind kind) {
  shm::segment made;
  shm::segment_plan plan{kind};
  plan.data_size = 4096;
  REQUIRE_OK(shm::segment_create(plan, made));
  return made;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a message that says it has an object, and has none, is refused") {
  mad_sender mad;
  written_record record;
  mad.send_frame(record);
  mad.check_refused(KITH_E_PROTOCOL);
  record.ticket = 2;
  record.numbers[0] = 0x7FFF'FFF0;  // no handle of this process has that number
  mad.send_frame(record);
  mad.check_refused(KITH_E_PROTOCOL);
}

TEST_CASE_FIXTURE(nothing_leaks, "a record that cannot be is refused") {
  mad_sender mad;
  mad.send_frame({}, 16);  // shorter than a record
  mad.check_refused(KITH_E_PROTOCOL);
  written_record no_ticket;
  no_ticket.ticket = 0;
  mad.send_frame(no_ticket);
  mad.check_refused(KITH_E_PROTOCOL);
  written_record too_many;
  too_many.handle_count = 4;
  mad.send_frame(too_many);
  mad.check_refused(KITH_E_PROTOCOL);
  written_record very_many;
  very_many.handle_count = UINT32_MAX;
  mad.send_frame(very_many);
  mad.check_refused(KITH_E_PROTOCOL);
}

TEST_CASE_FIXTURE(nothing_leaks, "an object of another kind than the message says is refused") {
  mad_sender mad;
  shm::segment memory = some_segment(shm::segment_kind::memory);
  const uint32_t kinds[] = {0,
                            KITH_OBJECT_ARRAY,
                            KITH_OBJECT_VALUE,
                            KITH_OBJECT_LOCK,
                            KITH_OBJECT_CHANNEL,
                            KITH_OBJECT_SEMAPHORE,
                            KITH_OBJECT_CONDITION,
                            KITH_OBJECT_EVENT,
                            KITH_OBJECT_BARRIER,
                            11,
                            KITH_OBJECT_QUEUE,
                            13,
                            UINT32_MAX};
  uint64_t ticket = 0;
  for (uint32_t kind : kinds) {
    written_record record;
    record.kind = kind;
    record.ticket = ++ticket;
    platform::native_handle copy;
    REQUIRE_OK(platform::handle_duplicate(platform::memory_handle(memory.memory), copy));
    mad.send_parcel(ticket, {&copy}, record);
    mad.send_frame(record);
    // A message that is memory has a size, an end of a channel two handles.
    const bool cannot_be = kind == KITH_OBJECT_NONE || kind == KITH_OBJECT_CHANNEL;
    mad.check_refused(cannot_be ? KITH_E_PROTOCOL : KITH_E_MISMATCH);
    // Windows does not close what is not what it should be; here it is ours.
    platform::native_handle left;
    if (record.numbers[0] != 0) (void)platform::handle_adopt(record.numbers[0], left);
  }
  shm::segment_close(memory);
}

TEST_CASE_FIXTURE(nothing_leaks, "a message that is memory is not read beyond that memory") {
  mad_sender mad;
  shm::segment memory = some_segment(shm::segment_kind::memory);
  const uint64_t sizes[] = {0, 4097, uint64_t{1} << 40, UINT64_MAX};
  uint64_t ticket = 0;
  for (uint64_t size : sizes) {
    written_record record;
    record.kind = KITH_OBJECT_NONE;
    record.ticket = ++ticket;
    record.size = size;
    mad.send_parcel(ticket, {&platform::memory_handle(memory.memory)}, record);
    mad.send_frame(record);
    unsigned char buffer[8192];
    size_t told = 0;
    CHECK_STATUS(kith_channel_recv(mad.line.b, buffer, sizeof buffer, &told, 0), KITH_E_PROTOCOL);
    platform::native_handle left;  // as above
    if (record.numbers[0] != 0) (void)platform::handle_adopt(record.numbers[0], left);
  }
  CHECK(test::tell(mad.line.a, "a true one"));
  CHECK(test::hear(mad.line.b, "a true one"));
  shm::segment_close(memory);
}

TEST_CASE_FIXTURE(nothing_leaks, "rubbish in the state for objects does not hurt who closes") {
  uint64_t state = 5;
  for (int i = 0; i < 50; ++i) {
    mad_sender mad;
    shm::channel_state& shared = mad.pin->state();
    shm::parcel_slot& slot = shared.parcels[mad.pin->end];
    shared.rings[mad.pin->end].objects_sent.store(test::next_random(state));
    shared.rings[mad.pin->end].objects_taken.store(test::next_random(state));
    slot.kind.store(test::next_random(state) % 14);
    for (auto& number : slot.numbers) number.store((test::next_random(state) % 1000 + 0x10'0000) * 4);
    if (i % 25 == 0) slot.ticket.store(test::next_random(state));
    if (i % 3 == 0) mad.send_frame({});
    mad.line.b.close();
  }
}
