// SPDX-License-Identifier: MIT
// A fuzzer in the place of a stranger: of those who connect to an endpoint of ours, and of the one who listens where we connect. They say any bytes,
// in any pieces, with any descriptors. Nobody is let in who has not said all, or does not know the key; an honest one is, whatever the others do;
// all calls are back in time, and nothing is left open.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "channel.h"
#include "fuzz_support.h"
#include "handshake.h"
#include "posix/descriptor_message.h"

namespace {

using fuzz::reader;
using kith::platform::caller;
using kith::platform::native_handle;

constexpr int most_steps = 60;
constexpr size_t most_strangers = 4;
constexpr size_t most_descriptors = 5;
constexpr char key_bytes[] = "open sesame";
const kith::shared_key the_key{key_bytes, sizeof key_bytes - 1};

// Longer than what a listener reads at a time.
const std::string& name() {
  static const std::string made = "fuzz " + std::to_string(getpid()) + " " + std::string(300, 'n');
  return made;
}

kith::platform::meeting_name meeting() {
  kith::platform::meeting_name out{};
  if (kith::read_meeting_name(name().c_str(), out) != KITH_OK) fuzz::found("no name");
  return out;
}

std::string bytes_of(const void* data, size_t size) { return {static_cast<const char*>(data), size}; }

// What somebody says, as it should be or nearly.
std::string alter(reader& input, std::string words) {
  for (int changes = input.byte() % 4; changes > 0 && !words.empty(); --changes)
    words[static_cast<size_t>(input.up_to(words.size()))] = static_cast<char>(input.byte());
  switch (input.byte() % 8) {
    case 0: words.resize(static_cast<size_t>(input.up_to(words.size() + 1))); break;
    case 1:
      for (const uint8_t each : input.bytes(64)) words += static_cast<char>(each);
      break;
    default: break;
  }
  return words;
}

// ---- descriptors ----------------------------------------------------------------------------------------------------------------

native_handle copy_of(const kith::shm::segment& segment) {
  native_handle out;
  (void)kith::platform::handle_duplicate(kith::platform::memory_handle(segment.memory), out);
  return out;
}

// Of a channel, as it should be or nearly; of something else; or of another size than its header says.
native_handle some_memory(reader& input) {
  kith_channel_options options{};
  options.ring_size = 4096;
  kith::shm::segment made;
  const uint8_t choice = input.byte();
  const kith_status status = choice % 8 == 0
                                 ? kith::shm::segment_create({kith::shm::segment_kind::lock}, made)
                                 : kith::channel_make_segment(options, made);
  if (status != KITH_OK) fuzz::found("no memory for the fuzzer");
  native_handle out;
  {
    fuzz::hostile_mapping mapping(made);
    for (int changes = choice / 8 % 4; changes > 0; --changes)
      mapping.store_number(input, 0, input.byte() % 2 == 0 ? sizeof(kith::shm::segment_header) : 2048);
    out = choice % 8 == 1 ? fuzz::copy_of_some_size(input, mapping) : copy_of(made);
  }
  kith::shm::segment_close(made);
  return out;
}

native_handle some_descriptor(reader& input) {
  switch (input.byte() % 8) {
    case 0: return native_handle(open("/dev/null", O_RDWR | O_CLOEXEC));
    case 1: return native_handle(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    case 2: {  // of any size, and not sealed
      native_handle out(memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
      (void)!ftruncate(out.get(), static_cast<off_t>(input.number(2)));
      return out;
    }
    default: return some_memory(input);
  }
}

// How much of it went.
size_t send_some(const caller& line, const std::string& words, const std::vector<native_handle>& with) {
  const native_handle* handles[most_descriptors];
  for (size_t i = 0; i < with.size(); ++i) handles[i] = &with[i];
  if (words.empty()) return 0;
  const ssize_t sent =
      kith::platform::send_with_descriptors(line.socket.get(), const_cast<char*>(words.data()), words.size(),
                                            MSG_DONTWAIT | MSG_NOSIGNAL, handles, with.size());
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

std::vector<native_handle> some_descriptors(reader& input) {
  std::vector<native_handle> out;
  for (size_t count = input.byte() % 4 == 0 ? input.byte() % (most_descriptors + 1) : 0; count > 0; --count)
    out.push_back(some_descriptor(input));
  return out;
}

// ---- strangers who connect ------------------------------------------------------------------------------------------------------

class stranger {
 public:
  explicit stranger(bool has_key) : has_key_(has_key) {
    if (kith::platform::caller_connect(meeting(), nullptr, line_) != KITH_OK) fuzz::found("cannot connect");
  }
  ~stranger() { kith::platform::caller_close(line_); }
  stranger(const stranger&) = delete;
  stranger& operator=(const stranger&) = delete;

  void say(const std::string& words, const std::vector<native_handle>& with) {
    said_.append(words, 0, send_some(line_, words, with));
  }
  void greet(reader& input, bool truly) {
    const std::string words = greeting_and_name(input);
    say(truly ? words : alter(input, words), some_descriptors(input));
  }
  void prove(reader& input, bool truly) {
    size_t got = 0;
    if (kith::read_message(line_, &asked_, sizeof asked_, got) != KITH_OK) return;
    const std::string words = right_proof();
    say(truly ? words : alter(input, words), some_descriptors(input));
  }
  void end(bool half) {
    half ? (void)shutdown(line_.socket.get(), SHUT_WR) : kith::platform::caller_close(line_);
  }

  // Whether all that he said is what lets somebody in.
  bool may_be_let_in() const {
    kith::greeting words;
    const size_t all = sizeof words + name().size();
    if (said_.size() < all) return false;
    std::memcpy(&words, said_.data(), sizeof words);
    const kith::handshake_begin begin = kith::handshake_beginning();
    const bool is_right = std::memcmp(&words.begin, &begin, sizeof begin) == 0 &&
                          words.name_size == name().size() &&
                          said_.compare(sizeof words, name().size(), name()) == 0 &&
                          ((words.flags & kith::greeting_has_key) != 0) == has_key_;
    return is_right && (!has_key_ || said_.compare(all, sizeof(kith::proof), right_proof()) == 0);
  }

 private:
  std::string greeting_and_name(reader& input) const {
    kith::greeting words{};
    words.begin = kith::handshake_beginning();
    words.flags = (has_key_ ? kith::greeting_has_key : 0u) | (input.byte() % 8 == 0 ? input.byte() : 0u);
    words.name_size = static_cast<uint32_t>(name().size());
    words.pid_namespace = kith::platform::pid_namespace();
    return bytes_of(&words, sizeof words) + name();
  }
  std::string right_proof() const {
    kith::greeting words{};
    std::memcpy(&words, said_.data(), std::min(said_.size(), sizeof words));
    kith::proof out{};
    out.begin = kith::handshake_beginning();
    out.mine = kith::handshake_proof(the_key, kith::side::connects, words.mine, asked_.mine, meeting());
    return bytes_of(&out, sizeof out);
  }

  const bool has_key_;
  caller line_;
  std::string said_;
  kith::answer asked_{};
};

class attack_on_listener {
 public:
  explicit attack_on_listener(reader& input) : input_(input), has_key_(input.byte() % 2 == 0) {
    kith_endpoint_options options{};
    options.struct_size = sizeof options;
    options.ring_size = 4096;
    if (has_key_) {
      options.key = the_key.bytes;
      options.key_size = the_key.size;
    }
    if (kith_endpoint_listen(name().c_str(), &options, &place_) != KITH_OK) fuzz::found("cannot listen");
  }
  ~attack_on_listener() { kith_endpoint_close(place_); }
  attack_on_listener(const attack_on_listener&) = delete;
  attack_on_listener& operator=(const attack_on_listener&) = delete;

  void play() {
    for (int i = 0; i < most_steps && !input_.empty(); ++i) step();
    let_honest_one_in();
  }

 private:
  void step() {
    std::optional<stranger>& who = strangers_[input_.byte() % most_strangers];
    const uint8_t choice = input_.byte() % 16;
    if (choice < 5) return accept();
    if (choice == 5 || !who) return replace(who);
    switch (choice) {
      case 6:
      case 7: return who->greet(input_, true);
      case 8:
      case 9:
      case 10: return who->greet(input_, false);
      case 11:
      case 12: return who->prove(input_, true);
      case 13: return who->prove(input_, false);
      case 14: return who->say(alter(input_, name()), some_descriptors(input_));
      default: return who->end(input_.byte() % 2 == 0);
    }
  }

  void replace(std::optional<stranger>& who) {
    if (who && who->may_be_let_in()) ++gone_;
    who.emplace(has_key_);
  }

  void accept() {
    kith_channel* line = nullptr;
    kith_status status = KITH_OK;
    fuzz::in_time([&] { status = kith_endpoint_accept(place_, &line, 0); });
    if (status == KITH_E_TIMEOUT) return;
    if (status != KITH_OK) fuzz::found("an accept fails");
    size_t most = gone_;
    for (const std::optional<stranger>& each : strangers_) most += each && each->may_be_let_in() ? 1 : 0;
    if (++let_in_ > most + honest_) fuzz::found("somebody is let in who should not be");
    fuzz::in_time([&] { fuzz::use_and_close(KITH_OBJECT_CHANNEL, line); });
  }

  void let_honest_one_in() {
    kith::platform::user_name own;
    if (kith::platform::own_user(own) != KITH_OK) fuzz::found("no user");
    const kith::connection_wish wish{meeting(), own.text, has_key_ ? the_key : kith::shared_key{}};
    kith::connector line;
    if (line.begin(wish, true) != KITH_OK) fuzz::found("cannot connect");
    honest_ = 1;
    kith_status status = KITH_E_TIMEOUT;
    native_handle memory;
    for (size_t i = 0; i < 2 * most_strangers + 8 && status == KITH_E_TIMEOUT; ++i) {
      accept();
      status = line.advance(wish, memory);
    }
    if (status != KITH_OK) fuzz::found("an honest stranger is not let in");
  }

  reader& input_;
  const bool has_key_;
  kith_endpoint* place_ = nullptr;
  std::optional<stranger> strangers_[most_strangers];
  size_t gone_ = 0, let_in_ = 0, honest_ = 0;
};

// ---- one who listens ------------------------------------------------------------------------------------------------------------

class attack_on_connector {
 public:
  explicit attack_on_connector(reader& input) : input_(input), has_key_(input.byte() % 2 == 0) {
    lingers_ = input.byte() % 64 == 63;
    if (kith::platform::listener_open(meeting(), nullptr, place_) != KITH_OK) fuzz::found("cannot listen");
  }
  ~attack_on_connector() {
    kith::platform::caller_close(line_);
    kith::platform::listener_withdraw(place_);
    kith::platform::listener_close(place_);
  }
  attack_on_connector(const attack_on_connector&) = delete;
  attack_on_connector& operator=(const attack_on_connector&) = delete;

  void play() {
    kith_connect_options options{};
    options.struct_size = sizeof options;
    if (has_key_) {
      options.key = the_key.bytes;
      options.key_size = the_key.size;
    }
    kith_channel* made = nullptr;
    kith_status status = KITH_OK;
    std::thread other([this] { listen(); });
    fuzz::in_time([&] { status = kith_connect(name().c_str(), &options, &made, deadline_ms); });
    is_over_.store(true);
    other.join();
    if (status != KITH_OK) return;
    if (has_key_ && !proven_) fuzz::found("a listener is believed that does not know the key");
    fuzz::in_time([&] { fuzz::use_and_close(KITH_OBJECT_CHANNEL, made); });
  }

 private:
  static constexpr int64_t deadline_ms = 20;

  // Whether the other side goes on.
  template <class Done>
  bool wait_until(Done done) {
    while (!done()) {
      if (is_over_.load()) return false;
      std::this_thread::yield();
    }
    return true;
  }

  // While the other thread waits in kith_connect, and does not touch what is ours.
  void listen() {
    if (!wait_until([&] { return kith::platform::listener_take(place_, line_) == KITH_OK; })) return;
    size_t got = 0;
    if (!wait_until([&] { return kith::read_message(line_, &greeted_, sizeof greeted_, got) == KITH_OK; }))
      return;
    std::string rest(name().size(), '\0');
    (void)kith::platform::caller_read(line_, rest.data(), rest.size(), got);
    for (int i = 0; i < 8 && !input_.empty(); ++i) step();
    // One who was let in has somebody to talk to; the others need not wait for their deadline.
    const auto last = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    while (!is_over_.load() && std::chrono::steady_clock::now() < last) std::this_thread::yield();
    if (!lingers_ && !is_over_.load()) kith::platform::caller_close(line_);
  }

  void step() {
    switch (input_.byte() % 8) {
      case 0: return ask_for_proof(true);
      case 1: return ask_for_proof(false);
      case 2: return say(alter(input_, bytes_of(&last_, sizeof last_)));
      case 3: return let_in(false);
      case 4: return say(std::string(1, static_cast<char>(input_.byte())));
      default: return let_in(true);
    }
  }

  void say(const std::string& words) { (void)send_some(line_, words, some_descriptors(input_)); }

  void ask_for_proof(bool truly) {
    kith::answer words{};
    words.begin = kith::handshake_beginning();
    words.flags = kith::answer_asks_for_proof;
    words.mine.bytes[0] = input_.byte();
    last_ = words;
    say(truly ? bytes_of(&words, sizeof words) : alter(input_, bytes_of(&words, sizeof words)));
    asked_ = words.mine;
  }

  // In pieces, perhaps, and with memory that is a channel's, perhaps.
  void let_in(bool truly) {
    kith::answer words{};
    words.begin = kith::handshake_beginning();
    words.status = truly ? KITH_OK : static_cast<kith_status>(input_.hostile_number(0));
    if (input_.byte() % 2 == 0) {
      words.proven = kith::handshake_proof(the_key, kith::side::listens, greeted_.mine, asked_, meeting());
      proven_ = true;
    }
    last_ = words;
    std::string all = bytes_of(&words, sizeof words);
    if (!truly) all = alter(input_, std::move(all));
    const size_t first =
        input_.byte() % 4 == 0 ? static_cast<size_t>(input_.up_to(all.size() + 1)) : all.size();
    std::vector<native_handle> with;
    with.push_back(some_memory(input_));
    (void)send_some(line_, all.substr(0, first), with);
    say(all.substr(first));
  }

  reader& input_;
  const bool has_key_;
  bool lingers_ = false;
  std::atomic<bool> is_over_{false};
  kith::platform::listener place_;
  caller line_;
  kith::greeting greeted_{};
  kith::answer last_{};
  kith::nonce asked_{};
  bool proven_ = false;  // it has shown at least once that it knows the key
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::run([&] {
    reader input(data, size);
    if (input.byte() % 4 == 0) {
      attack_on_connector(input).play();
    } else {
      attack_on_listener(input).play();
    }
  });
  return 0;
}
