// SPDX-License-Identifier: MIT
// A fuzzer in the place of a channel's peer. It owns the other end: all of the shared memory, and its side of the control stream. Between its
// steps our side makes calls with short deadlines: whatever comes, each of them is back in time with a status, reads nothing outside the
// channel and the caller's buffers, and nothing is left open.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <utility>

#include "channel.h"
#include "fuzz_support.h"
#include "posix/stream_record.h"

namespace {

using fuzz::hostile_mapping;
using fuzz::reader;
using kith::channel_object;
using kith::object_kind;
using kith::pinned;

constexpr uint64_t ring_size = 4096;
constexpr int most_steps = 200;
constexpr size_t largest_message = 3 * ring_size;
constexpr size_t most_hostages = 4;
constexpr size_t most_descriptors = 5;  // more than a parcel may have
// Of messages and of buffers alike: what is wrong when a buffer just fits is found sooner so.
constexpr size_t favoured_sizes[] = {0, 64, 512, 1000, ring_size, largest_message};

class attack {
 public:
  explicit attack(reader& input) : input_(input) { open(); }
  ~attack() { close_all(); }
  attack(const attack&) = delete;
  attack& operator=(const attack&) = delete;

  void play() {
    for (int i = 0; i < most_steps && !input_.empty(); ++i) input_.byte() % 2 == 0 ? peer_step() : our_step();
  }

 private:
  void open();
  void close_all();
  void peer_step();
  void our_step();

  // What the peer does.
  kith::shm::ring_state& ring(uint32_t direction);
  std::atomic<uint64_t>& packing(uint32_t direction);
  uint64_t some_total(uint64_t payload);
  uint32_t some_payload();
  void put_frame(const kith::shm::frame_header& header);
  void put_frame(const kith::shm::frame_header& header, const void* payload, size_t size);
  void write_frame();
  void write_parts();
  void store_into_state();
  void move_positions();
  void empty_rings();
  void send_by_the_book();
  void send_raw();
  void send_packed();
  void send_with_record(const void* bytes, size_t size, size_t count);
  void take_hostage();
  void scribble_on_hostage();
  void send_hostage();
  void end_peer();
  fuzz::meddler meddle();

  // What we do.
  void send();
  void send_many();
  void receive();
  void receive_many();
  void receive_object();
  void reserve();
  void commit();
  void peek();
  void send_object();
  void wait();

  int64_t some_timeout() { return input_.byte() % 64 == 63 ? 1 : 0; }
  size_t some_size();

  reader& input_;
  kith_channel* ours_ = nullptr;    // end 0
  kith_channel* theirs_ = nullptr;  // end 1; nullptr: the peer is gone
  std::optional<hostile_mapping> memory_;
  size_t state_at_ = 0, state_size_ = 0, data_at_ = 0;
  fuzz::hostage hostages_[most_hostages];
  size_t next_hostage_ = 0;
  uint64_t last_total_ = 0;
  uint64_t last_ticket_ = 0;
  void* reserved_ = nullptr;
  size_t reserved_size_ = 0;
};

// ---- the channel -------------------------------------------------------------------------------------------------------------

void attack::open() {
  kith_channel_options options{};
  options.struct_size = sizeof options;
  options.ring_size = ring_size;
  const uint8_t choice = input_.byte();
  options.flags = choice % 4 == 1 ? KITH_CHANNEL_SHARED_ENDS : choice % 4 == 0 ? 0 : KITH_CHANNEL_LOW_CPU;
  options.large_message = choice % 8 < 4 ? 0 : 4096;
  if (kith_channel_create(&options, &ours_, &theirs_) != KITH_OK) fuzz::found("no channel");
  const pinned<channel_object> pin(ours_, object_kind::channel);
  const kith::shm::segment& segment = pin->segment;
  const auto* const base = static_cast<const unsigned char*>(segment.memory.base);
  memory_.emplace(segment);
  state_at_ = static_cast<size_t>(segment.state - base);
  state_size_ = sizeof(kith::shm::channel_state);
  data_at_ = static_cast<size_t>(segment.data - base);
}

void attack::close_all() {
  // As long as the peer says that it is packing an object, a close waits for it, up to a second: tried now and then is enough.
  if (input_.byte() % 64 != 63) packing(1).store(0);
  fuzz::in_time([this] { kith_channel_close(ours_); });
  packing(0).store(0);  // it is not the peer's close that is tried
  kith_channel_close(theirs_);
}

// ---- the peer ----------------------------------------------------------------------------------------------------------------

// Direction 1 is the one that we receive from.
kith::shm::ring_state& attack::ring(uint32_t direction) {
  return reinterpret_cast<kith::shm::channel_state*>(memory_->base() + state_at_)->rings[direction];
}

size_t attack::some_size() {
  const uint8_t choice = input_.byte();
  if (choice % 4 == 0) return static_cast<size_t>(input_.up_to(largest_message + 1));
  return favoured_sizes[choice / 4 % std::size(favoured_sizes)];
}

std::atomic<uint64_t>& attack::packing(uint32_t direction) {
  return reinterpret_cast<kith::shm::channel_state*>(memory_->base() + state_at_)->parcels[direction].ticket;
}

// Of a message of one frame, or of several, which agree about it.
uint64_t attack::some_total(uint64_t payload) {
  switch (input_.byte() % 8) {
    case 0: return input_.hostile_number(payload);
    case 1:
    case 2: return last_total_ = some_size();
    case 3:
    case 4:
    case 5: return last_total_;
    default: return payload;
  }
}

// At the place where we look for the next one. It ends where it says, or somewhere else in the ring.
void attack::put_frame(const kith::shm::frame_header& header) {
  const std::vector<uint8_t> payload = input_.bytes(64);
  put_frame(header, payload.data(), payload.size());
}

void attack::put_frame(const kith::shm::frame_header& header, const void* payload, size_t size) {
  kith::shm::ring_state& in = ring(1);
  const uint64_t head = in.head.load();
  unsigned char* const data = memory_->base() + data_at_ + ring_size;
  std::memcpy(data + (head & (ring_size - 16)), &header, sizeof header);
  const auto* const bytes = static_cast<const unsigned char*>(payload);
  for (size_t i = 0; i < size; ++i) data[(head + sizeof header + i) & (ring_size - 1)] = bytes[i];
  const bool fits = header.payload < ring_size;
  const bool truthful = input_.byte() % (fits ? 8u : 2u) != 0;
  in.head.store(head + (truthful ? sizeof header + kith::shm::ring_padded(header.payload)
                                 : 16 * (1 + input_.up_to(ring_size / 16))));
}

uint32_t attack::some_payload() {
  return static_cast<uint32_t>(input_.byte() % 4 == 0 ? some_size() : input_.up_to(1024));
}

// One that might be true.
void attack::write_frame() {
  const uint32_t payload = some_payload();
  uint32_t flags = input_.byte() % 8 == 0 ? input_.byte() : input_.byte() % 4u;
  if (input_.byte() % 4 == 0) flags |= kith::shm::frame_object;
  put_frame({payload, flags, some_total(payload)});
}

// Parts of one message, which might make it up.
void attack::write_parts() {
  const uint64_t total = last_total_ = some_size();
  const uint32_t first = some_payload(), second = some_payload();
  const uint64_t sum = uint64_t{first} + second;
  const uint32_t rest = total > sum ? static_cast<uint32_t>(total - sum) : 0;
  put_frame({first, kith::shm::frame_first, total});
  put_frame({second, 0, total});
  put_frame({input_.byte() % 4 == 0 ? some_payload() : rest, kith::shm::frame_last, total});
}

void attack::store_into_state() { memory_->store_number(input_, state_at_, state_at_ + state_size_); }

void attack::move_positions() {
  kith::shm::ring_state& either = ring(input_.byte() % 2);
  std::atomic<uint64_t>& position = input_.byte() % 2 == 0 ? either.head : either.tail;
  position.store(input_.hostile_number(position.load()));
}

// As they should be, so that what comes next is looked at.
void attack::empty_rings() {
  const pinned<channel_object> pin(ours_, object_kind::channel);
  if (pin.status() != KITH_OK) return;
  ring(1).head.store(pin->receiver.position);
  ring(0).tail.store(pin->sender.position);
}

void attack::send_by_the_book() {
  const std::vector<unsigned char> message = fuzz::exactly(some_size());
  if (theirs_ != nullptr) (void)kith_channel_send(theirs_, message.data(), message.size(), 0);
}

// Through the control stream, with so many descriptors, at most most_descriptors.
void attack::send_with_record(const void* bytes, size_t size, size_t count) {
  const pinned<channel_object> pin(theirs_, object_kind::channel);
  iovec part{const_cast<void*>(bytes), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))] = {};
  int sent[most_descriptors];
  for (size_t i = 0; i < count; ++i)
    sent[i] = input_.byte() % 2 == 0
                  ? ::open("/dev/null", O_RDONLY | O_CLOEXEC)
                  : fcntl(kith::platform::memory_handle(pin->segment.memory).get(), F_DUPFD_CLOEXEC, 3);
  if (count != 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(head), sent, count * sizeof(int));
  }
  (void)sendmsg(pin->stream.socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  for (size_t i = 0; i < count; ++i) ::close(sent[i]);
}

// Any bytes, and any descriptors with them.
void attack::send_raw() {
  if (theirs_ == nullptr) return;
  std::vector<uint8_t> bytes = input_.bytes(48);
  if (bytes.empty()) bytes.push_back(1);
  send_with_record(bytes.data(), bytes.size(), input_.byte() % (most_descriptors + 1));
}

// A parcel and its message, which agree with each other, but perhaps not with what there can be.
void attack::send_packed() {
  if (theirs_ == nullptr) return;
  const uint32_t count = input_.byte() % (most_descriptors + 1);
  const uint64_t ticket = ++last_ticket_;
  const kith::platform::stream_record record{kith::platform::record_parcel, count, ticket};
  send_with_record(&record, sizeof record, count);
  // As src/channel_object.cpp lays it out: kind, end, ticket, three numbers, process, size, count.
  const uint64_t message[8] = {input_.byte() % 14u, ticket, 0, 0, 0, input_.byte(), input_.byte(), count};
  put_frame({sizeof message, kith::shm::frame_whole | kith::shm::frame_object, sizeof message}, message,
            sizeof message);
}

void attack::take_hostage() {
  if (next_hostage_ < most_hostages && hostages_[next_hostage_].make(input_.byte())) ++next_hostage_;
}

// Also on what the header says of the object.
void attack::scribble_on_hostage() {
  if (next_hostage_ == 0) return;
  fuzz::hostage& one = hostages_[input_.byte() % next_hostage_];
  one.memory->store_number(input_, 0, input_.byte() % 2 == 0 ? 128 : 1024);
}

void attack::send_hostage() {
  if (next_hostage_ == 0 || theirs_ == nullptr) return;
  const fuzz::hostage& one = hostages_[input_.byte() % next_hostage_];
  const std::vector<uint8_t> message = input_.bytes(32);
  (void)kith_channel_send_object(theirs_, one.object, message.data(), message.size(), 0);
}

// In good order, or as a process that dies.
void attack::end_peer() {
  if (theirs_ == nullptr) return;
  if (input_.byte() % 2 == 0) {
    const pinned<channel_object> pin(theirs_, object_kind::channel);
    pin->moved.store(true);
    kith::platform::stream_close(pin->stream);
  }
  packing(0).store(0);  // it is not the peer's close that is tried
  kith_channel_close(theirs_);
  theirs_ = nullptr;
}

void attack::peer_step() {
  switch (input_.byte() % 16) {
    case 0:
    case 1: return write_frame();
    case 2: return write_parts();
    case 3:
    case 4: return store_into_state();
    case 5: return empty_rings();
    case 6: return move_positions();
    case 7: return memory_->scribble(input_);
    case 8: return memory_->store_number(input_, data_at_ + ring_size, data_at_ + 2 * ring_size);
    case 9: return send_by_the_book();
    case 10: return input_.byte() % 2 == 0 ? send_raw() : send_packed();
    case 11: return take_hostage();
    case 12: return scribble_on_hostage();
    case 13:
    case 14: return send_hostage();
    default: return input_.byte() % 4 == 0 ? end_peer() : void();
  }
}

// ---- our side ----------------------------------------------------------------------------------------------------------------

void attack::send() {
  const std::vector<unsigned char> message = fuzz::exactly(some_size());
  (void)kith_channel_send(ours_, message.data(), message.size(), some_timeout());
}

void attack::send_many() {
  const size_t sizes[3] = {some_size(), some_size(), 0};
  const std::vector<unsigned char> messages = fuzz::exactly(sizes[0] + sizes[1]);
  size_t sent = 0;
  (void)kith_channel_send_many(ours_, messages.data(), sizes, 3, &sent, some_timeout());
  if (sent > 3) fuzz::found("more were sent than there are");
}

void attack::receive() {
  std::vector<unsigned char> buffer = fuzz::exactly(some_size());
  size_t size = 0;
  const kith_status status = kith_channel_recv(ours_, buffer.data(), buffer.size(), &size, some_timeout());
  if (status == KITH_OK && size > buffer.size()) fuzz::found("a message that is larger than the buffer");
}

void attack::receive_many() {
  std::vector<unsigned char> buffer = fuzz::exactly(some_size());
  std::vector<size_t> sizes(1 + input_.byte() % 8u);
  size_t count = 0, sum = 0;
  const kith_status status = kith_channel_recv_many(ours_, buffer.data(), buffer.size(), sizes.data(),
                                                    sizes.size(), &count, some_timeout());
  if (status != KITH_OK) return;
  if (count > sizes.size()) fuzz::found("more messages than were asked for");
  for (size_t i = 0; i < count; ++i) sum += sizes[i];
  if (sum > buffer.size()) fuzz::found("messages that are larger than the buffer");
}

void attack::receive_object() {
  std::vector<unsigned char> buffer = fuzz::exactly(some_size());
  size_t size = 0;
  void* object = nullptr;
  int32_t kind = KITH_OBJECT_NONE;
  const kith_status status =
      kith_channel_recv_object(ours_, &object, &kind, buffer.data(), buffer.size(), &size, some_timeout());
  if (status != KITH_OK) return;
  if (size > buffer.size()) fuzz::found("a message that is larger than the buffer");
  if ((object == nullptr) != (kind == KITH_OBJECT_NONE)) fuzz::found("an object without a kind");
  fuzz::use_and_close(kind, object);
}

void attack::reserve() {
  const size_t size = some_size();
  void* place = nullptr;
  if (kith_channel_reserve(ours_, size, &place, some_timeout()) != KITH_OK) return;
  std::memset(place, 7, size);
  reserved_ = place;
  reserved_size_ = size;
}

void attack::commit() {
  void* const place = std::exchange(reserved_, nullptr);
  if (input_.byte() % 4 == 0) return (void)kith_channel_abort(ours_);
  if (place != nullptr) std::memset(place, 8, reserved_size_);
  (void)kith_channel_commit(ours_, input_.up_to(reserved_size_ + 1));
  (void)kith_channel_abort(ours_);
}

void attack::peek() {
  const void* data = nullptr;
  size_t size = 0;
  if (kith_channel_peek(ours_, &data, &size, some_timeout()) != KITH_OK) return;
  std::vector<unsigned char> copy = fuzz::exactly(size);
  if (size != 0) std::memcpy(copy.data(), data, size);
  peer_step();
  if (size != 0) std::memcpy(copy.data(), data, size);
  (void)(input_.byte() % 2 == 0 ? kith_channel_consume(ours_) : kith_channel_release(ours_));
}

void attack::send_object() {
  kith_event* event = nullptr;
  if (kith_event_create(nullptr, &event) != KITH_OK) return;
  (void)kith_channel_send_object(ours_, event, "an event", 8, some_timeout());
  kith_event_close(event);
}

void attack::wait() {
  kith_wait_item item{};
  item.object = ours_;
  item.events = 1 + input_.byte() % 3u;
  size_t ready = 0;
  (void)kith_wait_any(&item, 1, &ready, some_timeout());
  (void)kith_poll_arm(ours_, item.events);
  int64_t handle = 0;
  (void)kith_channel_poll_handle(ours_, &handle);
  if (input_.byte() % 2 == 0) (void)kith_poll_disarm(ours_);
}

void attack::our_step() {
  using call = void (attack::*)();
  constexpr call calls[] = {
      &attack::receive,      &attack::receive,      &attack::send,           &attack::send_many,
      &attack::receive_many, &attack::receive_many, &attack::receive_object, &attack::receive_object,
      &attack::reserve,      &attack::commit,       &attack::peek,           &attack::peek,
      &attack::send_object,  &attack::wait};
  const call chosen = calls[input_.byte() % std::size(calls)];
  if (input_.byte() % 32 != 0) return fuzz::in_time([&] { (this->*chosen)(); });
  fuzz::meddler peer = meddle();
  fuzz::in_time([&] { (this->*chosen)(); });
}

// What we read first: the next frame, which may be one of the peer's best, and the state.
fuzz::meddler attack::meddle() {
  if (input_.byte() % 2 == 0) {
    empty_rings();
    input_.byte() % 2 == 0 ? send_packed() : write_frame();
  }
  const size_t frame = data_at_ + ring_size + static_cast<size_t>(ring(1).tail.load() & (ring_size - 16));
  std::vector<fuzz::change> changes(1 + input_.byte() % 2u);
  for (fuzz::change& each : changes) {
    each.at = input_.byte() % 4 == 0 ? memory_->some_number(input_, state_at_, state_at_ + state_size_)
                                     : memory_->some_number(input_, frame, frame + 10 * sizeof(uint64_t));
    each.one = each.at->load();
    each.other = input_.hostile_number(each.one);
  }
  return fuzz::meddler(std::move(changes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::run([&] {
    reader input(data, size);
    attack(input).play();
  });
  return 0;
}
