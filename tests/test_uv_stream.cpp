// SPDX-License-Identifier: MIT
// kith_uv: the standard streams of children in a libuv loop.
#include <kith/kith_uv.h>

#include "child_streams.h"

using test::inherited;
using test::piped;

namespace {

// A child that copies, watched from both sides.
struct conversation {
  uv_loop_t loop;
  uv_timer_t alarm;  // ends a case that would hang
  test::process child = test::start_with_streams(test::copies, piped, piped, inherited);
  test::stream in = test::taken(child, KITH_STDIN);
  test::stream out = test::taken(child, KITH_STDOUT);
  kith_uv_watch* writer = nullptr;
  kith_uv_watch* reader = nullptr;
  std::string got;
  std::vector<int> sent;
  std::vector<kith_status> sent_statuses;
  kith_status end = KITH_OK;
  int last = 0;  // after this request stdin is closed

  conversation() {
    REQUIRE(uv_loop_init(&loop) == 0);
    REQUIRE(uv_timer_init(&loop, &alarm) == 0);
    uv_timer_start(
        &alarm, [](uv_timer_t* timer) { uv_stop(timer->loop); }, test::generous, 0);
    uv_unref(reinterpret_cast<uv_handle_t*>(&alarm));
  }
  ~conversation() {
    kith_uv_close(writer, nullptr);
    kith_uv_close(reader, nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&alarm), nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
  }
  conversation(const conversation&) = delete;
  conversation& operator=(const conversation&) = delete;

  kith_uv_options options() {
    kith_uv_options all = test::defaults<kith_uv_options>();
    all.user = this;
    return all;
  }
  bool run() { return uv_run(&loop, UV_RUN_DEFAULT) == 0; }
};

conversation& talk_of(kith_uv_watch* watch) { return *static_cast<conversation*>(kith_uv_user(watch)); }

void note_bytes(kith_uv_watch* watch, kith_status status, const kith_uv_message* message) {
  conversation& talk = talk_of(watch);
  if (status == KITH_OK) {
    CHECK(message->size != 0);
    talk.got.append(static_cast<const char*>(message->data), message->size);
    return;
  }
  talk.end = status;
  kith_uv_close(watch, nullptr);
  talk.reader = nullptr;
}

void note_sent(kith_uv_watch* watch, kith_status status, void* request) {
  conversation& talk = talk_of(watch);
  talk.sent.push_back(static_cast<int>(reinterpret_cast<intptr_t>(request)));
  talk.sent_statuses.push_back(status);
  if (talk.sent.back() != talk.last) return;
  kith_uv_close(talk.writer, [](kith_uv_watch* closed) { talk_of(closed).in.close(); });
  talk.writer = nullptr;
}

void* request_number(int number) { return reinterpret_cast<void*>(static_cast<intptr_t>(number)); }

void send_and_hear(conversation& talk, const std::string& first, const std::string& second) {
  const kith_uv_options options = talk.options();
  talk.last = 2;
  REQUIRE_OK(kith_uv_stream(&talk.loop, talk.in, &options, nullptr, &talk.writer));
  REQUIRE_OK(kith_uv_stream(&talk.loop, talk.out, &options, note_bytes, &talk.reader));
  CHECK_OK(kith_uv_send(talk.writer, first.data(), first.size(), note_sent, request_number(1)));
  CHECK_OK(kith_uv_send(talk.writer, second.data(), second.size(), note_sent, request_number(2)));
  CHECK(talk.run());
  CHECK(talk.sent == std::vector<int>{1, 2});
  CHECK(talk.sent_statuses == std::vector<kith_status>{KITH_OK, KITH_OK});
  CHECK(talk.got == first + second);
  CHECK_STATUS(talk.end, KITH_E_CLOSED);
  CHECK_EXIT(talk.child, KITH_EXIT_CODE, 0);
}

// libuv and Windows keep some things for the life of the process.
struct nothing_leaks {
  nothing_leaks() {
    for (int i = 0; i < 3; ++i) {
      conversation talk;
      send_and_hear(talk, "warm", "up");
    }
    leaks = new test::nothing_leaks;
  }
  ~nothing_leaks() { delete leaks; }
  nothing_leaks(const nothing_leaks&) = delete;
  nothing_leaks& operator=(const nothing_leaks&) = delete;
  test::nothing_leaks* leaks;
};

}  // namespace

TEST_CASE("a loop writes more than a pipe holds to a child, and reads what it answers, to the end") {
  const nothing_leaks leaks;
  conversation talk;
  send_and_hear(talk, std::string(3'000'000, 'x'), "and the rest");
}

TEST_CASE("a loop is told when nobody reads a stream any more") {
  const nothing_leaks leaks;
  conversation talk;
  const kith_uv_options options = talk.options();
  const std::string much(3'000'000, 'x');
  talk.last = 1;
  REQUIRE_OK(kith_uv_stream(&talk.loop, talk.in, &options, nullptr, &talk.writer));
  CHECK_OK(kith_uv_send(talk.writer, much.data(), much.size(), note_sent, request_number(1)));
  CHECK_OK(kith_process_kill(talk.child));
  CHECK(talk.run());
  CHECK(talk.sent == std::vector<int>{1});
  CHECK(talk.sent_statuses == std::vector<kith_status>{KITH_E_CLOSED});
  test::end_of(talk.child);
}

TEST_CASE("a loop takes a stream only for what it is") {
  const nothing_leaks leaks;
  conversation talk;
  const kith_uv_options options = talk.options();
  kith_uv_watch* watch = test::untouched<kith_uv_watch>();
  CHECK_STATUS(kith_uv_stream(&talk.loop, talk.in, &options, note_bytes, &watch), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_stream(&talk.loop, talk.out, &options, nullptr, &watch), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_stream(&talk.loop, nullptr, &options, note_bytes, &watch), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_stream(nullptr, talk.out, &options, note_bytes, &watch), KITH_E_INVALID);
  CHECK(watch == test::untouched<kith_uv_watch>());
  REQUIRE_OK(kith_uv_stream(&talk.loop, talk.out, &options, note_bytes, &talk.reader));
  CHECK_STATUS(kith_uv_send(talk.reader, "x", 1, nullptr, nullptr), KITH_E_MISMATCH);
  CHECK_OK(kith_process_kill(talk.child));
  CHECK(talk.run());
  CHECK_STATUS(talk.end, KITH_E_CLOSED);
  test::end_of(talk.child);
}
