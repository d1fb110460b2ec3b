// SPDX-License-Identifier: MIT
// Our ends of the pipes of a child: deadlines, ends, and waiting for them together with other things.
#include "child_streams.h"
#include "foreign.h"

using test::inherited;
using test::item_of;
using test::nothing_leaks;
using test::piped;

namespace {

constexpr int64_t soon = 20;
const kith_stdio nothing = test::stdio_of(KITH_STDIO_NULL);

// A child that does nothing of what it could do with its streams until it is told; then it ends.
int32_t waits_to_be_told(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(test::tell(line, "ready"));
  for (;;) {
    const std::string order = test::heard(line);
    if (order == "say") {
      CHILD_NEEDS(test::say(KITH_STDOUT, "hello"));
    } else if (order == "drain") {
      std::vector<char> piece(100'000);
      while (test::read_stdin(piece.data(), piece.size()) > 0) continue;
    } else if (order == "read all") {
      std::vector<char> piece(100'000);
      uint64_t count = 0;
      for (int64_t got; (got = test::read_stdin(piece.data(), piece.size())) != 0;) {
        CHILD_NEEDS(got > 0);
        for (int64_t i = 0; i < got; ++i)
          CHILD_NEEDS(piece[static_cast<size_t>(i)] ==
                      static_cast<char>((count + static_cast<uint64_t>(i)) % 251));
        count += static_cast<uint64_t>(got);
      }
      CHILD_NEEDS(test::tell(line, std::to_string(count)));
    } else if (order == "close stdin") {
      test::close_stdin();
    } else {
      return order == "(KITH_E_CLOSED)" ? 0 : 1;
    }
    CHILD_NEEDS(test::tell(line, "done"));
  }
}

struct obedient_child {
  test::channel_pair line = test::make_channel();
  test::process process =
      test::start_with_streams(waits_to_be_told, piped, piped, inherited, {{"line", line.b}});
  test::stream in = test::taken(process, KITH_STDIN);
  test::stream out = test::taken(process, KITH_STDOUT);

  obedient_child() { REQUIRE(test::hear(line.a, "ready")); }
  void order(std::string_view what) { CHECK(test::tell(line.a, what)); }
  void do_at_once(std::string_view what) {
    order(what);
    CHECK(test::hear(line.a, "done"));
  }
  void end() {
    line.a.close();
    CHECK_EXIT(process, KITH_EXIT_CODE, 0);
  }
};

// Bytes that tell where they stand.
std::string counted(size_t size, size_t from = 0) {
  std::string all(size, ' ');
  for (size_t i = 0; i < size; ++i) all[i] = static_cast<char>((from + i) % 251);
  return all;
}

kith_status read_now(kith_stream* stream, std::string& out) {
  char piece[100];
  size_t size = 0;
  const kith_status status = kith_stream_read(stream, piece, sizeof piece, &size, 0);
  if (status == KITH_OK) out.assign(piece, size);
  return status;
}

// Until there is no room. Tells how much that took.
size_t fill(kith_stream* stream) {
  const std::string all = counted(3 << 20);
  size_t written = 0;
  CHECK_STATUS(kith_stream_write(stream, all.data(), all.size(), &written, 0), KITH_E_TIMEOUT);
  CHECK(written > 0);
  CHECK(written < all.size());
  return written;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a read waits for its deadline, and for the first byte") {
  obedient_child child;
  std::string got;
  char byte = 'x';
  size_t size = 77;
  CHECK_STATUS(read_now(child.out, got), KITH_E_TIMEOUT);
  const uint64_t before = test::now_ms();
  CHECK_STATUS(kith_stream_read(child.out, &byte, 1, &size, soon), KITH_E_TIMEOUT);
  CHECK(test::now_ms() - before >= static_cast<uint64_t>(soon));
  CHECK(size == 77);
  child.order("say");
  std::string all;
  while (all.size() < 5) {
    REQUIRE_OK(kith_stream_read(child.out, &byte, 1, &size, test::generous));
    REQUIRE(size == 1);
    all += byte;
  }
  CHECK(all == "hello");
  CHECK_STATUS(read_now(child.out, got), KITH_E_TIMEOUT);
  CHECK(test::hear(child.line.a, "done"));
  child.end();
  CHECK_STATUS(kith_stream_read(child.out, &byte, 1, &size, test::generous), KITH_E_CLOSED);
  CHECK_STATUS(read_now(child.out, got), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a write that finds no room tells how much it wrote, and can go on") {
  obedient_child child;
  const std::string all = counted(3 << 20);
  size_t written = 0;
  size_t more = 77;
  REQUIRE_STATUS(kith_stream_write(child.in, all.data(), all.size(), &written, 0), KITH_E_TIMEOUT);
  const uint64_t before = test::now_ms();
  REQUIRE_STATUS(kith_stream_write(child.in, all.data() + written, all.size() - written, &more, soon),
                 KITH_E_TIMEOUT);
  CHECK(test::now_ms() - before >= static_cast<uint64_t>(soon));
  written += more;
  CHECK_STATUS(kith_stream_write(child.in, all.data(), 1, &more, 0), KITH_E_TIMEOUT);
  CHECK(more == 0);
  child.order("read all");
  CHECK_OK(kith_stream_write(child.in, all.data() + written, all.size() - written, &more, test::generous));
  CHECK(written + more == all.size());
  child.in.close();
  CHECK(test::hear(child.line.a, std::to_string(all.size())));
  CHECK(test::hear(child.line.a, "done"));
  child.end();
}

TEST_CASE_FIXTURE(nothing_leaks, "what was written before the close is read, however long that takes") {
  obedient_child child;
  const size_t written = fill(child.in);
  child.in.close();
  child.order("read all");
  CHECK(test::hear(child.line.a, std::to_string(written)));
  CHECK(test::hear(child.line.a, "done"));
  child.end();
}

TEST_CASE_FIXTURE(nothing_leaks, "a write to a child that has closed its stdin, or has died, says so") {
  const std::string bytes(1000, 'x');
  size_t written = 77;
  obedient_child child;
  child.do_at_once("close stdin");
  CHECK_STATUS(kith_stream_write(child.in, bytes.data(), bytes.size(), &written, test::generous),
               KITH_E_CLOSED);
  CHECK(written == 0);
  CHECK_STATUS(kith_stream_write(child.in, bytes.data(), bytes.size(), nullptr, 0), KITH_E_CLOSED);
  child.end();
  obedient_child victim;
  fill(victim.in);
  CHECK_OK(kith_process_kill(victim.process));
  CHECK_EXIT(victim.process, KITH_EXIT_KILLED, 9);
  CHECK_STATUS(kith_stream_write(victim.in, bytes.data(), bytes.size(), &written, test::generous),
               KITH_E_CLOSED);
  CHECK(written == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a reader and a writer that wait are told when the child dies") {
  obedient_child child;
  fill(child.in);
  kith_status written = KITH_OK;
  kith_status read = KITH_OK;
  std::thread writer([&] { written = kith_stream_write(child.in, "x", 1, nullptr, test::generous); });
  std::thread reader([&] {
    char byte;
    size_t size;
    read = kith_stream_read(child.out, &byte, 1, &size, test::generous);
  });
  CHECK_OK(kith_process_kill(child.process));
  writer.join();
  reader.join();
  CHECK_STATUS(written, KITH_E_CLOSED);
  CHECK_STATUS(read, KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a stream goes one way, for one thread at a time, and not after its close") {
  obedient_child child;
  char byte = 'x';
  size_t size = 77;
  CHECK_STATUS(kith_stream_read(child.in, &byte, 1, &size, 0), KITH_E_MISMATCH);
  CHECK_STATUS(kith_stream_write(child.out, "x", 1, &size, 0), KITH_E_MISMATCH);
  CHECK_STATUS(kith_stream_read(child.out, nullptr, 1, &size, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_stream_read(child.out, &byte, 0, &size, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_stream_read(child.out, &byte, 1, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_stream_read(child.out, &byte, 1, &size, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_stream_write(child.in, nullptr, 1, &size, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_stream_write(child.in, "x", 1, &size, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_stream_read(nullptr, &byte, 1, &size, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_stream_read(reinterpret_cast<kith_stream*>(child.process.get()), &byte, 1, &size, 0),
               KITH_E_MISMATCH);
  CHECK(size == 77);
  CHECK_OK(kith_stream_write(child.in, nullptr, 0, &size, 0));
  CHECK(size == 0);

  std::thread waiter([&] {
    char other;
    size_t of_other;
    kith_status status;
    do status = kith_stream_read(child.out, &other, 1, &of_other, test::generous);
    while (status == KITH_E_BUSY);
    CHECK_OK(status);
  });
  // Which of the two is in the call first is not known; the one that is refused takes nothing.
  CHECK(test::becomes_true([&] { return kith_stream_read(child.out, &byte, 1, &size, 0) == KITH_E_BUSY; }));
  child.do_at_once("say");
  waiter.join();
  kith_stream* const stale = child.out.get();
  child.out.close();
  CHECK_STATUS(kith_stream_read(stale, &byte, 1, &size, 0), KITH_E_INVALID);
  kith_stream_close(stale);
  kith_stream_close(nullptr);
  child.end();
}

TEST_CASE_FIXTURE(nothing_leaks, "kith_wait_any knows streams: bytes, room, and the end") {
  obedient_child child;
  test::event event = test::make_event();
  test::wait_items items = {item_of(event), item_of(child.out), item_of(child.process)};
  size_t ready = 0;
  std::string got;
  CHECK_STATUS(test::wait_any(items, 0), KITH_E_TIMEOUT);
  CHECK_STATUS(test::wait_any(items, soon), KITH_E_TIMEOUT);
  for (int round = 0; round < 2; ++round) {
    child.order("say");
    CHECK_OK(test::wait_any(items, test::generous, &ready));
    CHECK(ready == 1);
    CHECK(items[1].ready == KITH_WAIT_READ);
    CHECK_OK(read_now(child.out, got));
    CHECK(test::hear(child.line.a, "done"));
    while (read_now(child.out, got) == KITH_OK) continue;
    CHECK_STATUS(test::wait_any(items, 0), KITH_E_TIMEOUT);
  }

  test::wait_items room = {item_of(child.in, KITH_WAIT_WRITE), item_of(event)};
  CHECK_OK(test::wait_any(room, 0));
  CHECK(room[0].ready == KITH_WAIT_WRITE);
  fill(child.in);
  CHECK_STATUS(test::wait_any(room, 0), KITH_E_TIMEOUT);
  child.order("drain");
  const std::string more = counted(1000);
  size_t written = 0;
  do CHECK_OK(test::wait_any(room, test::generous));
  while (kith_stream_write(child.in, more.data(), 1, &written, 0) == KITH_E_TIMEOUT);
  child.in.close();
  CHECK_OK(kith_process_kill(child.process));
  CHECK_OK(test::wait_any(items, test::generous));
  test::end_of(child.process);
  CHECK_OK(test::wait_any(items, test::generous));
  CHECK(items[1].ready == KITH_WAIT_READ);
  CHECK(items[2].ready == KITH_WAIT_READ);
}

TEST_CASE_FIXTURE(nothing_leaks, "kith_wait_any refuses the direction that a stream does not have") {
  obedient_child child;
  test::wait_items wrong_read = {item_of(child.in)};
  test::wait_items wrong_write = {item_of(child.out, KITH_WAIT_READ | KITH_WAIT_WRITE)};
  CHECK_STATUS(test::wait_any(wrong_read, 0), KITH_E_MISMATCH);
  CHECK_STATUS(test::wait_any(wrong_write, 0), KITH_E_MISMATCH);
  CHECK_STATUS(kith_poll_arm(child.out, KITH_WAIT_WRITE), KITH_E_MISMATCH);
  child.end();
}

TEST_CASE_FIXTURE(nothing_leaks, "kith_wait_any with a writer that dies") {
  obedient_child child;
  test::wait_items items = {item_of(child.out)};
  std::thread killer([&] { CHECK_OK(kith_process_kill(child.process)); });
  CHECK_OK(test::wait_any(items, test::generous));
  killer.join();
  std::string got;
  CHECK_STATUS(read_now(child.out, got), KITH_E_CLOSED);
  test::end_of(child.process);
}

TEST_CASE_FIXTURE(nothing_leaks, "the handle of a stream becomes ready for bytes and for the end") {
  obedient_child child;
  int64_t handle = 0;
  std::string got;
  CHECK_STATUS(kith_stream_poll_handle(child.out, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_stream_poll_handle(nullptr, &handle), KITH_E_INVALID);
  REQUIRE_OK(kith_stream_poll_handle(child.out, &handle));
  for (int round = 0; round < 2; ++round) {
    CHECK_OK(kith_poll_arm(child.out, 0));
    CHECK_FALSE(test::os_says_ready(handle, soon));
    child.order("say");
    CHECK(test::os_says_ready(handle, test::generous));
    CHECK_STATUS(kith_poll_arm(child.out, KITH_WAIT_READ), KITH_E_BUSY);
    CHECK(test::hear(child.line.a, "done"));
    while (read_now(child.out, got) == KITH_OK) continue;
  }
  CHECK_OK(kith_poll_arm(child.out, 0));
  CHECK_OK(kith_poll_disarm(child.out));
  child.end();
  CHECK(test::os_says_ready(handle, test::generous));
  CHECK_STATUS(read_now(child.out, got), KITH_E_CLOSED);
  const kith_status of_writer = kith_stream_poll_handle(child.in, &handle);
  CHECK_STATUS(of_writer, test::is_windows ? KITH_E_UNSUPPORTED : KITH_OK);
}

// A read that is under way belongs to the thread that began it, on Windows; it ends with that thread.
TEST_CASE_FIXTURE(nothing_leaks, "a stream outlives the threads that waited for it") {
  obedient_child child;
  std::string got;
  for (int round = 0; round < 3; ++round) {
    std::thread([&] { CHECK_STATUS(read_now(child.out, got), KITH_E_TIMEOUT); }).join();
    child.do_at_once("say");
    char piece[100];
    size_t size = 0;
    std::string all;
    while (all.size() < 5) {
      REQUIRE_OK(kith_stream_read(child.out, piece, sizeof piece, &size, test::generous));
      all.append(piece, size);
    }
    CHECK(all == "hello");
  }
  child.end();
}
