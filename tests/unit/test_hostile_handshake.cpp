// SPDX-License-Identifier: MIT
// Strangers that do not say what kith says: silent ones, rubbish, other versions, lies about the key; on both sides.
#include <atomic>
#include <cstring>

#include "handshake.h"
#include "shm/segment.h"
#include "strangers.h"

using kith::answer;
using kith::greeting;
using test::generous;
using test::nothing_leaks;

namespace {

kith::platform::meeting_name meeting_of(const std::string& name) {
  kith::platform::meeting_name out{};
  REQUIRE_OK(kith::read_meeting_name(name.c_str(), out));
  return out;
}

// One who has connected, and says what a test wants.
class stranger {
 public:
  explicit stranger(const std::string& name) : name_(name) {
    // On Windows only some can connect at a time.
    REQUIRE(test::becomes_true(
        [&] { return kith::platform::caller_connect(meeting_of(name_), nullptr, line_) == KITH_OK; }));
  }
  ~stranger() { kith::platform::caller_close(line_); }
  stranger(const stranger&) = delete;
  stranger& operator=(const stranger&) = delete;

  bool says(const void* bytes, size_t size) {
    return kith::platform::caller_write(line_, bytes, size) == KITH_OK;
  }
  bool greets(const greeting& words, const std::string& name) {
    std::string all(reinterpret_cast<const char*>(&words), sizeof words);
    all += name;
    return says(all.data(), all.size());
  }
  bool says_in_pieces(const std::string& all, size_t piece, kith_endpoint* between) {
    for (size_t i = 0; i < all.size(); i += piece) {
      kith_channel* none = test::untouched<kith_channel>();
      // Each piece is looked at before the next one comes.
      if (kith_endpoint_accept(between, &none, 0) != KITH_E_TIMEOUT) return false;
      if (!says(all.data() + i, all.size() - i < piece ? all.size() - i : piece)) return false;
    }
    return true;
  }
  bool is_told_nothing() {
    char word = 0;
    size_t got = 0;
    return kith::platform::caller_read(line_, &word, 1, got) == KITH_E_TIMEOUT;
  }
  bool is_let_go() {
    char word = 0;
    size_t got = 0;
    return kith::platform::caller_read(line_, &word, 1, got) == KITH_E_PEER_DIED;
  }
  // What comes back: the status in it, or why there is none.
  kith_status is_told(answer* out = nullptr) {
    answer came{};
    size_t got = 0;
    kith_status status = KITH_E_TIMEOUT;
    (void)test::becomes_true([&] {
      status = kith::read_message(line_, &came, sizeof came, got);
      return status != KITH_E_TIMEOUT;
    });
    if (out != nullptr) *out = came;
    // We were let in, and get the memory of the channel.
    kith::platform::native_handle memory;
    if (status == KITH_OK && came.status == KITH_OK && (came.flags & kith::answer_asks_for_proof) == 0)
      CHECK_OK(kith::platform::caller_fetch(line_, came.memory, memory));
    return status == KITH_OK ? came.status : status;
  }

 private:
  const std::string name_;
  kith::platform::caller line_;
};

greeting good_greeting(const std::string& name) {
  greeting out{};
  out.begin = kith::handshake_beginning();
  out.name_size = static_cast<uint32_t>(name.size());
  out.pid_namespace = kith::platform::pid_namespace();
  return out;
}

// Accepts while the test plays. Whoever is let in is counted.
class serving {
 public:
  explicit serving(kith_endpoint* place) : place_(place), thread_([this] { run(); }) {}
  ~serving() {
    kith_endpoint_close(place_);
    thread_.join();
  }
  serving(const serving&) = delete;
  serving& operator=(const serving&) = delete;
  int let_in() const { return let_in_.load(); }

 private:
  void run() {
    for (;;) {
      test::channel line;
      if (kith_endpoint_accept(place_, line.out(), generous) != KITH_OK) return;
      ++let_in_;
      (void)test::tell(line, "in");
    }
  }
  kith_endpoint* const place_;
  std::atomic<int> let_in_{0};
  std::thread thread_;
};

bool can_connect(const std::string& name, const kith_connect_options* options = nullptr) {
  test::channel line;
  return kith_connect(name.c_str(), options, line.out(), generous) == KITH_OK && test::hear(line, "in");
}

// One who listens under a name, and says what a test wants to the first who comes.
class false_listener {
 public:
  explicit false_listener(const std::string& name) : name_(name) {
    REQUIRE_OK(kith::platform::listener_open(meeting_of(name_), nullptr, place_));
  }
  ~false_listener() {
    kith::platform::caller_close(line_);
    kith::platform::listener_withdraw(place_);
    kith::platform::listener_close(place_);
  }
  false_listener(const false_listener&) = delete;
  false_listener& operator=(const false_listener&) = delete;

  // What the one who connects makes of it. `say(line)` answers.
  template <class Say>
  kith_status asked(const kith_connect_options* options, int64_t timeout_ms, Say say) {
    kith_status status = KITH_OK;
    std::thread other([&] {
      kith_channel* none = test::untouched<kith_channel>();
      status = kith_connect(name_.c_str(), options, &none, timeout_ms);
      if (status == KITH_OK) kith_channel_close(none);
    });
    REQUIRE(test::becomes_true([&] { return kith::platform::listener_take(place_, line_) == KITH_OK; }));
    size_t got = 0;
    greeting came{};
    REQUIRE(
        test::becomes_true([&] { return kith::read_message(line_, &came, sizeof came, got) == KITH_OK; }));
    say(line_);
    other.join();
    kith::platform::caller_close(line_);
    return status;
  }
  kith_status answered_by(const void* bytes, size_t size, int64_t timeout_ms = generous, bool ends = false) {
    return asked(nullptr, timeout_ms, [&](kith::platform::caller& line) {
      CHECK_OK(kith::platform::caller_write(line, bytes, size));
      if (ends) kith::platform::caller_close(line);
    });
  }

 private:
  const std::string name_;
  kith::platform::listener place_;
  kith::platform::caller line_;
};

answer good_answer() {
  answer out{};
  out.begin = kith::handshake_beginning();
  return out;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a stranger who is silent holds up nobody") {
  const std::string name = test::unique_name("silent");
  kith_endpoint* place = nullptr;
  REQUIRE_OK(kith_endpoint_listen(name.c_str(), nullptr, &place));
  const serving serves(place);
  stranger silent(name);
  stranger half(name);
  const greeting words = good_greeting(name);
  CHECK(half.says(&words, sizeof words / 2));
  stranger nameless(name);
  CHECK(nameless.says(&words, sizeof words));
  for (int i = 0; i < 3; ++i) CHECK(can_connect(name));
  // They may take their time.
  CHECK(half.says(reinterpret_cast<const char*>(&words) + sizeof words / 2, sizeof words - sizeof words / 2));
  CHECK(half.says(name.data(), name.size()));
  CHECK(half.is_told() == KITH_OK);
  CHECK(test::becomes_true(
      [&] { return serves.let_in() == 4; }));  // he was told before the other side counted him
}

TEST_CASE_FIXTURE(nothing_leaks, "a greeting may come in any pieces") {
  const std::string name = test::unique_name("pieces") + std::string(700, 'n');
  const test::endpoint place = test::listen(name);
  const greeting words = good_greeting(name);
  const std::string all = std::string(reinterpret_cast<const char*>(&words), sizeof words) + name;
  for (const size_t piece :
       {size_t{1}, size_t{7}, sizeof words - 1, sizeof words, sizeof words + 1, size_t{400}}) {
    CAPTURE(piece);
    stranger right(name);
    CHECK(right.says_in_pieces(all, piece, place));
    test::channel line;
    CHECK_OK(kith_endpoint_accept(place, line.out(), generous));
    CHECK(right.is_told() == KITH_OK);
    // The last letter is another one.
    stranger wrong(name);
    CHECK(wrong.says_in_pieces(all.substr(0, all.size() - 1) + "!", piece, place));
    kith_channel* none = test::untouched<kith_channel>();
    CHECK_STATUS(kith_endpoint_accept(place, &none, 0), KITH_E_TIMEOUT);
    CHECK(wrong.is_told() == KITH_E_NOT_FOUND);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "who has waited is let in before who comes") {
  const std::string name = test::unique_name("turn");
  const test::endpoint place = test::listen(name);
  const greeting words = good_greeting(name);
  stranger first(name);
  kith_channel* none = test::untouched<kith_channel>();
  CHECK_STATUS(kith_endpoint_accept(place, &none, 0), KITH_E_TIMEOUT);
  CHECK(first.greets(words, name));
  stranger second(name);
  CHECK(second.greets(words, name));
  test::channel one, other;
  CHECK_OK(kith_endpoint_accept(place, one.out(), generous));
  CHECK(first.is_told() == KITH_OK);
  CHECK(second.is_told_nothing());
  CHECK_OK(kith_endpoint_accept(place, other.out(), generous));
  CHECK(second.is_told() == KITH_OK);
}

TEST_CASE_FIXTURE(nothing_leaks, "of many silent strangers the first ones are let go") {
  const std::string name = test::unique_name("crowd");
  kith_endpoint* place = nullptr;
  REQUIRE_OK(kith_endpoint_listen(name.c_str(), nullptr, &place));
  const serving serves(place);
  std::vector<kith::platform::caller> crowd(150);
  for (kith::platform::caller& each : crowd) {
    // On Windows only some can connect at a time.
    REQUIRE(test::becomes_true(
        [&] { return kith::platform::caller_connect(meeting_of(name), nullptr, each) == KITH_OK; }));
  }
  CHECK(can_connect(name));
  CHECK(serves.let_in() == 1);
  for (kith::platform::caller& each : crowd) kith::platform::caller_close(each);
}

TEST_CASE_FIXTURE(nothing_leaks, "a stranger who takes too long is let go") {
  const std::string name = test::unique_name("late");
  auto options = test::defaults<kith_endpoint_options>();
  options.handshake_ms = 20;
  kith_endpoint* place = nullptr;
  REQUIRE_OK(kith_endpoint_listen(name.c_str(), &options, &place));
  const serving serves(place);
  stranger silent(name);
  // With somebody who comes later.
  CHECK(test::becomes_true([&] { return can_connect(name) && silent.is_let_go(); }));
}

TEST_CASE_FIXTURE(nothing_leaks, "rubbish and other versions are refused") {
  const std::string name = test::unique_name("rubbish");
  kith_endpoint* place = nullptr;
  REQUIRE_OK(kith_endpoint_listen(name.c_str(), nullptr, &place));
  const serving serves(place);
  {
    stranger who(name);
    const std::vector<unsigned char> bytes = test::noise(sizeof(greeting) + 100, 3);
    (void)who.says(bytes.data(), bytes.size());
    const kith_status told = who.is_told();
    CHECK((told == KITH_E_PEER_DIED || told == KITH_E_PROTOCOL));
  }
  const auto told = [&](auto change, const std::string& spoken) {
    greeting words = good_greeting(name);
    change(words);
    stranger who(name);
    (void)who.greets(words, spoken);
    return who.is_told();
  };
  CHECK(told([](greeting& words) { ++words.begin.version; }, name) == KITH_E_MISMATCH);
  CHECK(told([](greeting& words) { ++words.begin.layout; }, name) == KITH_E_MISMATCH);
  CHECK(told([](greeting& words) { ++words.name_size; }, name) == KITH_E_NOT_FOUND);
  CHECK(told([](greeting& words) { words.name_size = UINT32_MAX; }, name) == KITH_E_NOT_FOUND);
  CHECK(told([](greeting& words) { words.name_size = 0; }, name) == KITH_E_NOT_FOUND);
  // Another name with the same hash, as if there was one.
  CHECK(told([](greeting&) {}, name.substr(0, name.size() - 1) + "!") == KITH_E_NOT_FOUND);
  CHECK(told([](greeting& words) { words.flags = kith::greeting_has_key; }, name) == KITH_E_WRONG_KEY);
  CHECK(serves.let_in() == 0);
  // A message of a version that is shorter than ours is answered, too.
  kith::handshake_begin older = kith::handshake_beginning();
  older.version = 0;
  stranger who(name);
  CHECK(who.says(&older, sizeof older));
  CHECK(who.is_told() == KITH_E_MISMATCH);
  CHECK(can_connect(name));
}

TEST_CASE_FIXTURE(nothing_leaks, "random greetings let nobody in and end nothing") {
  const std::string name = test::unique_name("random");
  kith_endpoint* place = nullptr;
  REQUIRE_OK(kith_endpoint_listen(name.c_str(), nullptr, &place));
  const serving serves(place);
  uint64_t state = 7;
  const int rounds = test::repetitions(300);
  for (int i = 0; i < rounds; ++i) {
    greeting words = good_greeting(name);
    unsigned char* const bytes = reinterpret_cast<unsigned char*>(&words);
    const size_t changed = test::next_random(state) % (sizeof words - sizeof words.mine);
    bytes[changed] ^= static_cast<unsigned char>(1 + test::next_random(state) % 255);
    // Of the flags only those count that say something.
    words.flags |= kith::greeting_has_key;
    stranger who(name);
    const size_t size =
        test::next_random(state) % 2 == 0 ? sizeof words : test::next_random(state) % sizeof words;
    (void)who.says(bytes, size);
    if (test::next_random(state) % 4 == 0) (void)who.says(name.data(), name.size());
  }
  CHECK(can_connect(name));
  CHECK(serves.let_in() == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "a proof is good for one connection, and for one side") {
  const std::string name = test::unique_name("proof");
  auto options = test::defaults<kith_endpoint_options>();
  options.key = "key";
  options.key_size = 3;
  kith_endpoint* place = nullptr;
  REQUIRE_OK(kith_endpoint_listen(name.c_str(), &options, &place));
  const serving serves(place);
  greeting words = good_greeting(name);
  words.flags = kith::greeting_has_key;
  const auto told = [&](auto make_proof) {
    stranger who(name);
    REQUIRE(who.greets(words, name));
    answer asks{};
    REQUIRE(who.is_told(&asks) == KITH_OK);
    REQUIRE((asks.flags & kith::answer_asks_for_proof) != 0);
    // Nothing that depends on the key.
    CHECK(kith::digests_are_equal(asks.proven, kith::digest{}));
    kith::proof known{};
    known.begin = kith::handshake_beginning();
    known.mine = make_proof(asks.mine);
    REQUIRE(who.says(&known, sizeof known));
    return who.is_told();
  };
  const kith::shared_key key{"key", 3};
  const auto right = [&](const kith::nonce& theirs) {
    return kith::handshake_proof(key, kith::side::connects, words.mine, theirs, meeting_of(name));
  };
  kith::digest used{};
  CHECK(told([&](const kith::nonce& theirs) { return used = right(theirs); }) == KITH_OK);
  CHECK(told([&](const kith::nonce&) { return used; }) == KITH_E_WRONG_KEY);
  CHECK(told([&](const kith::nonce& theirs) {
          return kith::handshake_proof(key, kith::side::listens, words.mine, theirs, meeting_of(name));
        }) == KITH_E_WRONG_KEY);
  CHECK(told([](const kith::nonce&) { return kith::digest{}; }) == KITH_E_WRONG_KEY);
  CHECK(serves.let_in() == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "a listener that is not kith, or lies, is found out") {
  false_listener liar(test::unique_name("liar"));
  const std::vector<unsigned char> bytes = test::noise(sizeof(answer), 5);
  CHECK_STATUS(liar.answered_by(bytes.data(), bytes.size()), KITH_E_PROTOCOL);
  answer words = good_answer();
  ++words.begin.layout;
  CHECK_STATUS(liar.answered_by(&words, sizeof words), KITH_E_MISMATCH);
  words = good_answer();
  CHECK_STATUS(liar.answered_by(&words, sizeof words / 2, 50), KITH_E_TIMEOUT);
  CHECK_STATUS(liar.answered_by(&words, sizeof words / 2, generous, true), KITH_E_PEER_DIED);
  words.status = KITH_E_DENIED;
  CHECK_STATUS(liar.answered_by(&words, sizeof words), KITH_E_DENIED);
  for (const kith_status status :
       {kith_status{KITH_OWNER_DIED}, kith_status{KITH_E_TIMEOUT}, kith_status{77777}, kith_status{-77777}}) {
    words.status = status;
    CHECK_STATUS(liar.answered_by(&words, sizeof words), KITH_E_PROTOCOL);
  }
  // We are let in, but get no memory.
  words = good_answer();
  const kith_status status = liar.answered_by(&words, sizeof words);
  CHECK((status == KITH_E_PROTOCOL || status == KITH_E_PEER_DIED));
  // It asks for the proof of a key that we have not.
  words.flags = kith::answer_asks_for_proof;
  CHECK_STATUS(liar.answered_by(&words, sizeof words), KITH_E_PROTOCOL);
}

TEST_CASE_FIXTURE(nothing_leaks, "a listener that does not know the key is found out") {
  false_listener liar(test::unique_name("no key"));
  auto options = test::defaults<kith_connect_options>();
  options.key = "key";
  options.key_size = 3;
  const auto answers = [](std::vector<answer> all) {
    return [all = std::move(all)](kith::platform::caller& line) {
      for (const answer& each : all) CHECK_OK(kith::platform::caller_write(line, &each, sizeof each));
    };
  };
  answer asks = good_answer();
  asks.flags = kith::answer_asks_for_proof;
  CHECK_STATUS(liar.asked(&options, generous, answers({good_answer()})), KITH_E_WRONG_KEY);
  CHECK_STATUS(liar.asked(&options, generous, answers({asks, good_answer()})), KITH_E_WRONG_KEY);
  CHECK_STATUS(liar.asked(&options, generous, answers({asks, asks})), KITH_E_PROTOCOL);
}

TEST_CASE_FIXTURE(nothing_leaks, "memory from a listener that is no channel is refused") {
  if (test::is_windows) SKIP_CASE("a number that came is not closed when it is refused: it may be another's");
  false_listener liar(test::unique_name("memory"));
  kith::shm::segment segment;
  REQUIRE_OK(kith::shm::segment_create({kith::shm::segment_kind::lock}, segment));
  const kith_status status = liar.asked(nullptr, generous, [&](kith::platform::caller& line) {
    answer words = good_answer();
    CHECK_OK(kith::platform::caller_write_with(line, &words, sizeof words, words.memory, true,
                                               kith::platform::memory_handle(segment.memory)));
  });
  CHECK_STATUS(status, KITH_E_MISMATCH);
  kith::shm::segment_close(segment);
}
