// SPDX-License-Identifier: MIT
// Strangers that meet by a name.
#include <uv.h>

#include <cstring>

#include "foreign.h"
#include "strangers.h"

using test::generous;
using test::nothing_leaks;

namespace {

int32_t listens_until_told(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  const std::string name = test::heard(line);
  test::endpoint place;
  CHILD_NEEDS(kith_endpoint_listen(name.c_str(), nullptr, place.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "ready"));
  CHILD_NEEDS(test::hear(line, "go on"));
  test::channel stranger;
  CHILD_NEEDS(kith_endpoint_accept(place, stranger.out(), generous) == KITH_OK);
  CHILD_NEEDS(test::tell(stranger, "hello " + test::heard(stranger)));
  size_t size = 0;
  CHILD_NEEDS(kith_channel_recv(stranger, nullptr, 0, &size, generous) == KITH_E_CLOSED);
  return 0;
}

int32_t connects_and_stays(const void* argument, size_t size) {
  const std::string name(static_cast<const char*>(argument), size);
  test::channel stranger;
  CHILD_NEEDS(kith_connect(name.c_str(), nullptr, stranger.out(), generous) == KITH_OK);
  CHILD_NEEDS(test::tell(stranger, std::to_string(uv_os_getpid())));
  size_t got = 0;
  (void)kith_channel_recv(stranger, nullptr, 0, &got, KITH_FOREVER);
  return 0;
}

struct listener_elsewhere {
  explicit listener_elsewhere(const std::string& name) {
    test::channel_pair ends = test::make_channel();
    child = test::start(listens_until_told, {{"line", ends.b}});
    line = std::move(ends.a);
    REQUIRE(test::tell(line, name));
    REQUIRE(test::hear(line, "ready"));
  }
  test::process child;
  test::channel line;
};

kith_status connect_to(const std::string& name, int64_t timeout_ms = generous, uint32_t flags = 0) {
  test::channel line;
  auto options = test::defaults<kith_connect_options>();
  options.flags = flags;
  return kith_connect(name.c_str(), &options, line.out(), timeout_ms);
}

kith_peer peer_of(kith_channel* line) {
  kith_peer peer{};
  REQUIRE_OK(kith_channel_peer(line, &peer));
  return peer;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "two who know a name get a channel as any other") {
  const std::string name = test::unique_name("camera");
  const test::endpoint place = test::listen(name);
  test::meeting made = test::meet(place, name);
  REQUIRE_OK(made.accepted);
  REQUIRE_OK(made.connected);
  CHECK(test::tell(made.ends.a, "from who listens"));
  CHECK(test::hear(made.ends.b, "from who listens"));
  CHECK(test::tell(made.ends.b, "from who connected"));
  CHECK(test::hear(made.ends.a, "from who connected"));
  const std::vector<unsigned char> large = test::noise(300'000, 1);
  std::thread sender([&] { CHECK_OK(kith_channel_send(made.ends.b, large.data(), large.size(), generous)); });
  std::vector<unsigned char> came;
  CHECK_OK(test::receive(made.ends.a, came));
  sender.join();
  CHECK(came == large);
  made.ends.b.close();
  CHECK(test::heard(made.ends.a) == "(KITH_E_CLOSED)");
}

TEST_CASE_FIXTURE(nothing_leaks, "objects go through a channel of strangers") {
  const std::string name = test::unique_name("objects");
  const test::endpoint place = test::listen(name);
  const test::meeting made = test::meet(place, name);
  REQUIRE_OK(made.connected);
  const test::value counter = test::make_value(KITH_I64);
  for (kith_channel* from : {made.ends.a.get(), made.ends.b.get()}) {
    kith_channel* const to = from == made.ends.a ? made.ends.b : made.ends.a;
    CHECK_OK(kith_channel_send_object(from, counter, "x", 1, generous));
    void* came = nullptr;
    int32_t kind = 0;
    char text[4];
    size_t size = 0;
    REQUIRE_OK(kith_channel_recv_object(to, &came, &kind, text, sizeof text, &size, generous));
    REQUIRE(kind == KITH_OBJECT_VALUE);
    const test::value same(static_cast<kith_value*>(came));
    test::count_up(same);
  }
  CHECK(test::count_in(counter) == 2);
  CHECK_STATUS(kith_channel_send_object(made.ends.a, place, nullptr, 0, generous), KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks, "processes that are no relatives meet, and know of each other") {
  const std::string name = test::unique_name("service");
  listener_elsewhere service(name);
  const int64_t pid = kith_process_id(service.child);
  REQUIRE(test::tell(service.line, "go on"));
  test::channel line;
  REQUIRE_OK(kith_connect(name.c_str(), nullptr, line.out(), generous));
  REQUIRE(test::tell(line, "you"));
  CHECK(test::hear(line, "hello you"));
  const kith_peer peer = peer_of(line);
  CHECK(peer.pid == pid);
  CHECK(peer.told_by_os == 1);
  CHECK(peer.alive == 1);
  CHECK(std::strlen(peer.user) > 0);
  line.close();
  CHECK_EXIT(service.child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "who accepts sees the peer, and its death") {
  const std::string name = test::unique_name("peer");
  const test::endpoint place = test::listen(name);
  const test::process child = test::start(connects_and_stays, {}, name.data(), name.size());
  test::channel line;
  REQUIRE_OK(kith_endpoint_accept(place, line.out(), generous));
  CHECK(test::heard(line) == std::to_string(kith_process_id(child)));
  CHECK(peer_of(line).pid == kith_process_id(child));
  CHECK(peer_of(line).alive == 1);
  REQUIRE_OK(kith_process_kill(child));
  CHECK(test::heard(line) == "(KITH_E_PEER_DIED)");
  CHECK(peer_of(line).alive == 0);
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "the peer of a channel that was made as a pair names itself") {
  test::channel_pair pair = test::make_channel();
  CHECK(peer_of(pair.a).pid == uv_os_getpid());
  CHECK(peer_of(pair.a).told_by_os == 0);
  CHECK(peer_of(pair.a).user[0] == '\0');
  pair.b.close();
  CHECK(peer_of(pair.a).alive == 0);
  CHECK_STATUS(kith_channel_peer(pair.a, nullptr), KITH_E_INVALID);
  kith_peer peer{};
  CHECK_STATUS(kith_channel_peer(nullptr, &peer), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a live name is not stolen, and is free once it is closed") {
  const std::string name = test::unique_name("live");
  test::endpoint place = test::listen(name);
  kith_endpoint* out = test::untouched<kith_endpoint>();
  CHECK_STATUS(kith_endpoint_listen(name.c_str(), nullptr, &out), KITH_E_EXISTS);
  CHECK(out == test::untouched<kith_endpoint>());
  CHECK_OK(test::meet(place, name).connected);
  place.close();
  CHECK_STATUS(connect_to(name), KITH_E_NOT_FOUND);
  place = test::listen(name);
  CHECK_OK(test::meet(place, name).connected);
}

TEST_CASE_FIXTURE(nothing_leaks, "a name that a killed process left is taken over, a live one is not") {
  const std::string name = test::unique_name("left");
  {
    const listener_elsewhere service(name);
    kith_endpoint* out = nullptr;
    CHECK_STATUS(kith_endpoint_listen(name.c_str(), nullptr, &out), KITH_E_EXISTS);
    REQUIRE_OK(kith_process_kill(service.child));
    CHECK_EXIT(service.child, KITH_EXIT_KILLED, 9);
  }
  CHECK_STATUS(connect_to(name), KITH_E_NOT_FOUND);
  const test::endpoint place = test::listen(name);
  CHECK_OK(test::meet(place, name).connected);
}

TEST_CASE_FIXTURE(nothing_leaks, "a name is any UTF-8, of any length up to 4,096 bytes") {
  std::string longest;
  while (longest.size() + 3 <= 4096) longest += "\u20AC";
  longest += "x";
  REQUIRE(longest.size() == 4096);
  for (const std::string& each : {std::string("../../etc/passwd"), std::string("a/b\\c:d"),
                                  std::string(300, 'n'), std::string("K\u00E4mera \U0001F4F7"), longest}) {
    const std::string name = each.size() == 4096 ? each : each + test::unique_name("");
    const test::endpoint place = test::listen(name);
    CHECK_OK(test::meet(place, name).connected);
    CHECK_STATUS(connect_to(name.substr(0, name.size() - 1)), KITH_E_NOT_FOUND);
  }
  kith_endpoint* out = test::untouched<kith_endpoint>();
  CHECK_STATUS(kith_endpoint_listen((longest + "x").c_str(), nullptr, &out), KITH_E_INVALID);
  CHECK_STATUS(kith_endpoint_listen("", nullptr, &out), KITH_E_INVALID);
  CHECK_STATUS(kith_endpoint_listen(nullptr, nullptr, &out), KITH_E_INVALID);
  CHECK_STATUS(kith_endpoint_listen("x", nullptr, nullptr), KITH_E_INVALID);
  CHECK(out == test::untouched<kith_endpoint>());
}

TEST_CASE_FIXTURE(nothing_leaks, "bad options are refused") {
  kith_endpoint* out = test::untouched<kith_endpoint>();
  kith_channel* line = test::untouched<kith_channel>();
  const auto listen_with = [&](const kith_endpoint_options& options) {
    return kith_endpoint_listen("bad options", &options, &out);
  };
  auto options = test::defaults<kith_endpoint_options>();
  options.flags = 1;
  CHECK_STATUS(listen_with(options), KITH_E_UNSUPPORTED);
  options = test::defaults<kith_endpoint_options>();
  options.ring_size = 5000;
  CHECK_STATUS(listen_with(options), KITH_E_INVALID);
  options = test::defaults<kith_endpoint_options>();
  options.channel_flags = KITH_CHANNEL_SHARED_ENDS;
  CHECK_STATUS(listen_with(options), KITH_E_UNSUPPORTED);
  options = test::defaults<kith_endpoint_options>();
  options.key = "k";
  CHECK_STATUS(listen_with(options), KITH_E_INVALID);
  options = test::defaults<kith_endpoint_options>();
  for (const char* user : {"", "root", "-1", "4294967295", "007", "S-1-", "BA"}) {
    const char* const users[] = {user, nullptr};
    options.users = users;
    CHECK_STATUS(listen_with(options), KITH_E_INVALID);
    auto wish = test::defaults<kith_connect_options>();
    wish.user = user;
    CHECK_STATUS(kith_connect("bad options", &wish, &line, 0), KITH_E_INVALID);
  }
  auto wish = test::defaults<kith_connect_options>();
  wish.user = "*";
  CHECK_STATUS(kith_connect("bad options", &wish, &line, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_connect("bad options", nullptr, &line, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_connect("bad options", nullptr, nullptr, 0), KITH_E_INVALID);
  CHECK(out == test::untouched<kith_endpoint>());
  CHECK(line == test::untouched<kith_channel>());
}

TEST_CASE_FIXTURE(nothing_leaks, "both sides have their deadlines") {
  const std::string name = test::unique_name("deadlines");
  const test::endpoint place = test::listen(name);
  kith_channel* line = test::untouched<kith_channel>();
  CHECK_STATUS(kith_endpoint_accept(place, &line, 0), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_endpoint_accept(place, &line, 20), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_endpoint_accept(place, &line, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_endpoint_accept(place, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_connect(name.c_str(), nullptr, &line, 20), KITH_E_TIMEOUT);  // nobody accepts
  CHECK(line == test::untouched<kith_channel>());
  // Who gave up is not let in later, and holds up nobody.
  CHECK_OK(test::meet(place, name).connected);
}

TEST_CASE_FIXTURE(nothing_leaks, "who wants to waits for somebody to listen") {
  const std::string name = test::unique_name("later");
  CHECK_STATUS(connect_to(name, 30, KITH_CONNECT_WAIT), KITH_E_TIMEOUT);
  test::endpoint place;
  std::thread later([&] {
    place = test::listen(name);
    test::channel line;
    CHECK_OK(kith_endpoint_accept(place, line.out(), generous));
  });
  CHECK_OK(connect_to(name, generous, KITH_CONNECT_WAIT));
  later.join();
}

TEST_CASE_FIXTURE(nothing_leaks, "waits of both sides are ended by a cancel, and by a close") {
  const std::string name = test::unique_name("ended");
  test::endpoint place = test::listen(name);
  const test::cancel stop = test::make_cancel();
  const auto cancelled = [&](auto call) {
    std::thread waits([&] {
      REQUIRE_OK(kith_cancel_use(stop));
      CHECK_STATUS(call(), KITH_E_CANCELLED);
    });
    CHECK_OK(kith_cancel_fire(stop));
    waits.join();
    CHECK_OK(kith_cancel_reset(stop));
  };
  test::channel line;
  cancelled([&] { return kith_endpoint_accept(place, line.out(), generous); });
  cancelled([&] { return kith_connect(name.c_str(), nullptr, line.out(), generous); });
  kith_endpoint* const handle = place;
  std::thread waits([&] {
    kith_channel* out = nullptr;
    // The connection of the call above, which was given up.
    const kith_status status = kith_endpoint_accept(handle, &out, generous);
    CHECK((status == KITH_E_CLOSED || status == KITH_E_INVALID));
  });
  place.close();
  waits.join();
}

TEST_CASE_FIXTURE(nothing_leaks, "several threads accept from one endpoint") {
  const std::string name = test::unique_name("threads");
  const test::endpoint place = test::listen(name);
  const int each = test::repetitions(40);
  test::in_threads(4, [&](int number) {
    for (int i = 0; i < each; ++i) {
      test::channel line;
      if (number % 2 == 0) {
        REQUIRE_OK(kith_endpoint_accept(place, line.out(), generous));
        CHECK(test::tell(line, "there"));
        CHECK(test::heard(line) == "(KITH_E_CLOSED)");
      } else {
        REQUIRE_OK(kith_connect(name.c_str(), nullptr, line.out(), generous));
        CHECK(test::hear(line, "there"));
      }
    }
  });
}

TEST_CASE_FIXTURE(nothing_leaks, "an endpoint is waited for together with other things") {
  const std::string name = test::unique_name("wait");
  const test::endpoint place = test::listen(name);
  const test::event event = test::make_event();
  test::wait_items items{test::item_of(event), test::item_of(place)};
  CHECK_STATUS(test::wait_any(items, 0), KITH_E_TIMEOUT);
  CHECK_STATUS(test::wait_any(items, 20), KITH_E_TIMEOUT);
  std::thread other([&] { CHECK_OK(connect_to(name)); });
  test::channel line;
  kith_status status = KITH_E_TIMEOUT;
  while (status == KITH_E_TIMEOUT) {
    REQUIRE_OK(test::wait_any(items, generous));
    CHECK(items[0].ready == 0);
    CHECK(items[1].ready == KITH_WAIT_READ);
    status = kith_endpoint_accept(place, line.out(), 0);
  }
  CHECK_OK(status);
  other.join();
  kith_channel* none = test::untouched<kith_channel>();
  CHECK_STATUS(kith_endpoint_accept(place, &none, 0), KITH_E_TIMEOUT);
  CHECK_STATUS(test::wait_any(items, 0), KITH_E_TIMEOUT);
  test::wait_items writes{test::item_of(place, KITH_WAIT_WRITE)};
  CHECK_STATUS(test::wait_any(writes, 0), KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks, "an endpoint has a handle for loops") {
  const std::string name = test::unique_name("loop");
  test::endpoint place = test::listen(name);
  int64_t handle = -1;
  REQUIRE_OK(kith_endpoint_poll_handle(place, &handle));
  REQUIRE_OK(kith_poll_arm(place, 0));
  CHECK_FALSE(test::handle_is_ready(handle, 0));
  std::thread other([&] { CHECK_OK(connect_to(name)); });
  test::channel line;
  kith_status status = KITH_E_TIMEOUT;
  while (status == KITH_E_TIMEOUT) {
    const kith_status armed = kith_poll_arm(place, 0);
    CHECK((armed == KITH_OK || armed == KITH_E_BUSY));
    if (armed == KITH_OK) REQUIRE(test::handle_is_ready(handle, static_cast<int>(generous)));
    status = kith_endpoint_accept(place, line.out(), 0);
  }
  CHECK_OK(status);
  other.join();
  CHECK_OK(kith_poll_disarm(place));
  place.close();
  CHECK_STATUS(kith_endpoint_poll_handle(place, &handle), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "thousands of connections leave nothing behind") {
  const std::string name = test::unique_name("many");
  const test::endpoint place = test::listen(name);
  const int count = test::repetitions(5000);
  std::thread accepts([&] {
    for (int i = 0; i < count; ++i) {
      test::channel line;
      REQUIRE_OK(kith_endpoint_accept(place, line.out(), generous));
      CHECK(test::tell(line, "x"));
    }
  });
  for (int i = 0; i < count; ++i) {
    test::channel line;
    REQUIRE_OK(kith_connect(name.c_str(), nullptr, line.out(), generous));
    CHECK(test::hear(line, "x"));
  }
  accepts.join();
}

TEST_CASE_FIXTURE(nothing_leaks, "a key is proven, both ways") {
  const std::string name = test::unique_name("key");
  auto options = test::defaults<kith_endpoint_options>();
  options.key = "open sesame";
  options.key_size = 11;
  const test::endpoint place = test::listen(name, &options);
  auto wish = test::defaults<kith_connect_options>();
  wish.key = "open sesame";
  wish.key_size = 11;
  const test::meeting made = test::meet(place, name, &wish);
  CHECK_OK(made.connected);
  CHECK(test::tell(made.ends.a, "in"));
  CHECK(test::hear(made.ends.b, "in"));
  std::thread serves([&] {
    kith_channel* none = test::untouched<kith_channel>();
    CHECK_STATUS(kith_endpoint_accept(place, &none, 300), KITH_E_TIMEOUT);
  });
  wish.key = "open sesamE";
  test::channel line;
  CHECK_STATUS(kith_connect(name.c_str(), &wish, line.out(), generous), KITH_E_WRONG_KEY);
  CHECK_STATUS(connect_to(name), KITH_E_WRONG_KEY);
  serves.join();
  const std::string open_name = test::unique_name("no key");
  const test::endpoint open_place = test::listen(open_name);
  std::thread serves_too([&] {
    kith_channel* none = test::untouched<kith_channel>();
    CHECK_STATUS(kith_endpoint_accept(open_place, &none, 300), KITH_E_TIMEOUT);
  });
  CHECK_STATUS(kith_connect(open_name.c_str(), &wish, line.out(), generous), KITH_E_WRONG_KEY);
  serves_too.join();
}
