// SPDX-License-Identifier: MIT
// Strangers: connecting by a name, a first message, its answer, and hanging up. The other process waits in accept.
#include <memory>
#include <string>

#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

struct task {
  char address[80];
  int32_t count;
  int32_t yardstick;  // -1: kith
};

int32_t serve_kith(const task& given) {
  kith_endpoint* place = nullptr;
  check(kith_endpoint_listen(given.address, nullptr, &place), "listen");
  for (int32_t i = 0; i < given.count; ++i) {
    kith_channel* line = nullptr;
    char message[64];
    size_t size = 0;
    check(kith_endpoint_accept(place, &line, KITH_FOREVER), "accept");
    check(kith_channel_recv(line, message, sizeof message, &size, KITH_FOREVER), "receive");
    check(kith_channel_send(line, message, size, KITH_FOREVER), "answer");
    kith_channel_close(line);
  }
  kith_endpoint_close(place);
  return 0;
}

int32_t serve(const void* argument, size_t) {
  const task& given = *static_cast<const task*>(argument);
  if (given.yardstick < 0) return serve_kith(given);
  connect_yardsticks()[static_cast<size_t>(given.yardstick)].serve(given.address, given.count);
  return 0;
}

void connect_kith(const char* name) {
  kith_connect_options options{};
  options.struct_size = sizeof options;
  options.flags = KITH_CONNECT_WAIT;
  kith_channel* line = nullptr;
  char message[64] = {};
  size_t size = 0;
  check(kith_connect(name, &options, &line, KITH_FOREVER), "connect");
  check(kith_channel_send(line, message, sizeof message, KITH_FOREVER), "send");
  check(kith_channel_recv(line, message, sizeof message, &size, KITH_FOREVER), "receive the answer");
  kith_channel_close(line);
}

// The process that listens, for so many connections.
class server {
 public:
  server(const std::string& address, int32_t count, int32_t yardstick) {
    task given{};
    address.copy(given.address, sizeof given.address - 1);
    given.count = count;
    given.yardstick = yardstick;
    kith_process_options options{};
    options.struct_size = sizeof options;
    options.entry = serve;
    options.argument = &given;
    options.argument_size = sizeof given;
    check(kith_process_spawn(&options, &process_), "start a server");
  }
  ~server() {
    kith_exit end;
    check(kith_process_wait(process_, KITH_FOREVER, &end), "wait for the server");
    kith_process_close(process_);
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;

 private:
  kith_process* process_ = nullptr;
};

subject connecting(const char* name, const std::string& address, int count, void (*connect)(const char*)) {
  return {name, [=] {
            const stopwatch watch;
            for (int i = 0; i < count; ++i) connect(address.c_str());
            return watch.seconds() * 1e6 / count;
          }};
}

}  // namespace

void bench_connect(table& out, const settings& how) {
  const int32_t count = how.quick ? 2 : 50, rounds = how.quick ? 1 : 41;
  // Once before, to have found the way there.
  const int32_t all = count * rounds + 1;
  const std::string address =
      "kith bench " + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  std::vector<std::unique_ptr<server>> servers;
  std::vector<subject> subjects{connecting("kith", address, count, connect_kith)};
  servers.push_back(std::make_unique<server>(address, all, -1));
  connect_kith(address.c_str());
  int32_t index = 0;
  for (const connect_yardstick& each : connect_yardsticks()) {
    servers.push_back(std::make_unique<server>(address, all, index++));
    each.connect(address.c_str());
    subjects.push_back(connecting(each.name, address, count, each.connect));
  }
  out.add(measure_in_turns({"connect", "us", better::smaller, "unix socket", {}}, rounds, subjects));
}

}  // namespace bench
