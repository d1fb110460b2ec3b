// SPDX-License-Identifier: MIT
// A fuzzer in the place of a process that has our broadcast: all of its memory is also the fuzzer's. Between its steps we publish and read:
// whatever comes, each call is back in time with a status, reads nothing outside the ring and the caller's buffers, and nothing is left open.
#include <cstring>
#include <optional>

#include "fuzz_support.h"
#include "segment_object.h"
#include "shm/broadcast.h"

namespace {

using fuzz::reader;

constexpr uint64_t ring_size = 4096;
constexpr int most_steps = 120;
constexpr size_t most_readers = 3;

class attack {
 public:
  explicit attack(reader& input) : input_(input) { open(); }
  ~attack() { close_all(); }
  attack(const attack&) = delete;
  attack& operator=(const attack&) = delete;

  void play() {
    for (int i = 0; i < most_steps && !input_.empty(); ++i)
      input_.byte() % 3 == 0 ? hostile_step() : fuzz::in_time([this] { our_step(); });
  }

 private:
  void open() {
    kith_broadcast_options options{};
    options.struct_size = sizeof options;
    options.ring_size = ring_size;
    const uint8_t choice = input_.byte();
    options.flags = choice % 2 == 0 ? KITH_BROADCAST_HOLD : 0u;
    options.history = choice / 2 % 4;
    if (kith_broadcast_create(&options, &ours_) != KITH_OK) fuzz::found("no broadcast");
    const kith::pinned<kith::segment_object> pin(ours_, kith::object_kind::broadcast);
    memory_.emplace(pin->segment());
    const auto* const base = static_cast<const unsigned char*>(pin->segment().memory.base);
    state_at_ = static_cast<size_t>(pin->segment().state - base);
    data_at_ = static_cast<size_t>(pin->segment().data - base);
    data_end_ = pin->segment().data + pin->segment().data_size;
    ring_at_ = data_at_ + pin->segment().data_size - ring_size;
  }

  void close_all() {
    fuzz::in_time([this] {
      for (kith_reader* each : readers_) kith_reader_close(each);
      kith_broadcast_close(ours_);
    });
  }

  // ---- the other process ----------------------------------------------------------------------------------------------------------

  void hostile_step() {
    switch (input_.byte() % 8) {
      case 0:
      case 1: return memory_->store_number(input_, state_at_, state_at_ + sizeof(kith::shm::broadcast_state));
      case 2:
      case 3:
      case 4: return write_frame();
      // The seats of readers, and messages.
      case 5: return memory_->store_number(input_, data_at_, memory_->size());
      case 6: return memory_->scribble(input_);
      default: return input_.byte() % 8 == 0 ? while_it_writes() : void();
    }
  }

  kith::shm::broadcast_state& state() {
    return *reinterpret_cast<kith::shm::broadcast_state*>(memory_->base() + state_at_);
  }

  std::atomic<uint64_t>& word_of_ring(uint64_t position) {
    return *memory_->number_at(ring_at_ + static_cast<size_t>(position & (ring_size - 8)));
  }

  // A header at the head, with the next one's number behind it; or over one that is there.
  void write_frame() {
    const uint64_t head = state().head.load();
    const bool is_new = input_.byte() % 4 != 0;
    const uint64_t position = is_new ? head : state().tail.load() + 16 * input_.up_to(256);
    const uint64_t size = input_.byte() % 8 == 0 ? input_.hostile_number(64) : input_.up_to(ring_size / 4);
    const uint64_t empty = input_.byte() % 16 == 0 ? kith::shm::broadcast_empty_frame : 0;
    const uint64_t number = word_of_ring(position + 8).load();
    word_of_ring(position).store(size | empty);
    if (input_.byte() % 8 == 0) word_of_ring(position + 8).store(input_.hostile_number(number));
    if (!is_new) return;
    const uint64_t end = head + kith::shm::broadcast_bytes_of(size);
    word_of_ring(end + 8).store(number + 1);
    state().head.store(end);
  }

  // Two numbers change while we read.
  void while_it_writes() {
    std::vector<fuzz::change> changes;
    for (int i = 0; i < 2; ++i) {
      const bool in_state = input_.byte() % 2 == 0;
      std::atomic<uint64_t>* const at =
          in_state ? memory_->some_number(input_, state_at_, state_at_ + sizeof(kith::shm::broadcast_state))
                   : memory_->some_number(input_, data_at_, memory_->size());
      const uint64_t present = at->load();
      changes.push_back({at, present, input_.hostile_number(present)});
    }
    const fuzz::meddler meddler(std::move(changes));
    for (int i = 0; i < 8; ++i) fuzz::in_time([this] { our_step(); });
  }

  // ---- our side -------------------------------------------------------------------------------------------------------------------

  void our_step() {
    kith_reader*& one = readers_[input_.byte() % most_readers];
    switch (input_.byte() % 12) {
      case 0:
      case 1: return publish();
      case 2: return reserve();
      case 3: return commit();
      case 4:
      case 5: return subscribe(one);
      case 6:
      case 7: return next(one);
      case 8:
      case 9: return peek(one);
      case 10: return let_go(one);
      default: return count(one);
    }
  }

  int64_t some_timeout() { return input_.byte() % 64 == 63 ? 1 : 0; }
  size_t some_size() { return static_cast<size_t>(input_.up_to(input_.byte() % 4 == 0 ? ring_size : 256)); }

  void publish() {
    const std::vector<unsigned char> message = fuzz::exactly(some_size());
    (void)kith_broadcast_publish(ours_, message.data(), message.size(), some_timeout());
  }

  void reserve() {
    const size_t size = some_size();
    void* place = nullptr;
    if (kith_broadcast_reserve(ours_, size, &place, some_timeout()) != KITH_OK) return;
    reserved_ = size;
    std::memset(place, 1, size);
  }

  void commit() {
    if (input_.byte() % 4 == 0) {
      (void)kith_broadcast_abort(ours_);
    } else {
      (void)kith_broadcast_commit(ours_, static_cast<size_t>(input_.up_to(reserved_ + 1)));
    }
  }

  void subscribe(kith_reader*& one) {
    kith_reader_close(one);
    one = nullptr;
    (void)kith_broadcast_subscribe(ours_, input_.byte() % 8, &one);
  }

  void next(kith_reader* one) {
    if (one == nullptr) return;
    std::vector<unsigned char> buffer = fuzz::exactly(some_size());
    size_t size = 0;
    uint64_t missed = 0;
    const kith_status status =
        kith_reader_next(one, buffer.data(), buffer.size(), &size, &missed, some_timeout());
    if (status >= KITH_OK && size > buffer.size()) fuzz::found("a message larger than its buffer");
  }

  void peek(kith_reader* one) {
    const void* data = nullptr;
    size_t size = 0;
    uint64_t missed = 0;
    if (one == nullptr || kith_reader_peek(one, &data, &size, &missed, some_timeout()) < KITH_OK) return;
    const volatile unsigned char* const bytes = static_cast<const unsigned char*>(data);
    // Behind the ring is the rest of a page.
    if (bytes + size > data_end_) fuzz::found("a message reaches behind the ring");
    for (size_t i = 0; i < size; ++i) (void)bytes[i];
  }

  void let_go(kith_reader* one) {
    if (one == nullptr) return;
    (void)(input_.byte() % 2 == 0 ? kith_reader_consume(one) : kith_reader_release(one));
  }

  void count(const kith_reader* one) {
    (void)kith_broadcast_count(ours_);
    if (one != nullptr) (void)kith_reader_pending(one);
    if (input_.byte() % 16 == 0) (void)kith_broadcast_shutdown(ours_);
  }

  reader& input_;
  kith_broadcast* ours_ = nullptr;
  kith_reader* readers_[most_readers] = {};
  std::optional<fuzz::hostile_mapping> memory_;
  size_t state_at_ = 0, data_at_ = 0, ring_at_ = 0;
  const unsigned char* data_end_ = nullptr;
  size_t reserved_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::run([&] {
    reader input(data, size);
    attack(input).play();
  });
  return 0;
}
