// SPDX-License-Identifier: MIT
#include "../yardsticks.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "../bench.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

extern char** environ;

namespace bench {

namespace {

void need(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

double now_us() {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// ---- locks ------------------------------------------------------------------------------------------------------------------

pthread_mutex_t* mutex_at(void* place) { return static_cast<pthread_mutex_t*>(place); }

void create_mutex(void* place, bool robust) {
  pthread_mutexattr_t how;
  need(pthread_mutexattr_init(&how) == 0 && pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0,
       "mutex");
#if defined(__linux__)
  if (robust) need(pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST) == 0, "robust mutex");
#else
  (void)robust;  // macOS has none
#endif
  need(pthread_mutex_init(mutex_at(place), &how) == 0, "mutex");
  pthread_mutexattr_destroy(&how);
}

void work_with_mutex(void* place, volatile int64_t& counter, uint64_t times) {
  for (uint64_t i = 0; i < times; ++i) {
    need(pthread_mutex_lock(mutex_at(place)) == 0, "lock");
    counter = counter + 1;
    need(pthread_mutex_unlock(mutex_at(place)) == 0, "unlock");
  }
}

[[maybe_unused]] void acquire_robust(void* place) {
  const int result = pthread_mutex_lock(mutex_at(place));
  need(result == 0 || result == EOWNERDEAD, "lock");
}

constexpr lock_yardstick locks[] = {
#if defined(__linux__)
    {"pthread robust", [](void* place) { create_mutex(place, true); }, work_with_mutex, acquire_robust},
#endif
    {"pthread", [](void* place) { create_mutex(place, false); }, work_with_mutex, nullptr},
};

// ---- starting ---------------------------------------------------------------------------------------------------------------

void await_end(pid_t child) {
  int status = 0;
  need(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
       "child");
}

void start_by_fork(const char*, const char*) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  await_end(child);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // Apple's opinion of vfork
void start_by_vfork(const char* program, const char* argument) {
  char* const argv[] = {const_cast<char*>(program), const_cast<char*>(argument), nullptr};
  const pid_t child = vfork();
  if (child == 0) {
    execve(program, argv, environ);
    _exit(127);
  }
  await_end(child);
}
#pragma GCC diagnostic pop

void start_by_posix_spawn(const char* program, const char* argument) {
  char* const argv[] = {const_cast<char*>(program), const_cast<char*>(argument), nullptr};
  pid_t child = -1;
  need(posix_spawn(&child, program, nullptr, nullptr, argv, environ) == 0, "posix_spawn");
  await_end(child);
}

constexpr start_yardstick functions[] = {{"fork", start_by_fork}};
constexpr start_yardstick programs[] = {{"vfork+exec", start_by_vfork},
                                        {"posix_spawn", start_by_posix_spawn}};

// ---- messages ---------------------------------------------------------------------------------------------------------------

constexpr size_t message_size = 64;

// A child that answers each message, or only counts them and tells the number at the end.
pid_t start_peer(int& ours, bool answers) {
  int ends[2];
  need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0,
       "socketpair");
  const pid_t child = fork();
  need(child >= 0, "fork");
  if (child == 0) {
    close(ends[0]);
    unsigned char message[message_size];
    ssize_t got;
    while ((got = read(ends[1], message, sizeof message)) > 0 && message[0] == 0) {
      if (answers && write(ends[1], message, static_cast<size_t>(got)) != got) break;
    }
    if (write(ends[1], message, 1) != 1) _exit(1);
    _exit(0);
  }
  close(ends[1]);
  ours = ends[0];
  return child;
}

// Ends the child with a last message, which it answers when it has received all before.
void end_peer(int ours, pid_t child) {
  unsigned char message[message_size] = {1};
  need(write(ours, message, sizeof message) > 0 && read(ours, message, sizeof message) > 0, "last message");
  close(ours);
  await_end(child);
}

std::vector<double> socketpair_round_trips(int count) {
  int ours = -1;
  const pid_t child = start_peer(ours, true);
  unsigned char message[message_size] = {};
  std::vector<double> samples;
  for (int i = 0; i < count; ++i) {
    const double began = now_us();
    need(write(ours, message, sizeof message) > 0 && read(ours, message, sizeof message) > 0, "round trip");
    samples.push_back(now_us() - began);
  }
  end_peer(ours, child);
  return samples;
}

double socketpair_stream(double seconds) {
  int ours = -1;
  const pid_t child = start_peer(ours, false);
  const unsigned char message[message_size] = {};
  const double began = now_us();
  double count = 0;
  for (; now_us() - began < seconds * 1e6; ++count) need(write(ours, message, sizeof message) > 0, "send");
  end_peer(ours, child);
  return count / (now_us() - began);
}

// ---- queues -----------------------------------------------------------------------------------------------------------------

// A ring of slots under a mutex, with a condition for each side: what a program would make of POSIX alone.
struct slot_ring {
  static constexpr uint64_t slot_count = 1024;

  pthread_mutex_t mutex;
  pthread_cond_t not_empty, not_full;
  uint64_t head, tail;
  unsigned char slots[slot_count][message_size];
};

slot_ring& ring_at(void* place) { return *static_cast<slot_ring*>(place); }

void create_ring(void* place) {
  create_mutex(&ring_at(place).mutex, false);
  pthread_condattr_t how;
  need(pthread_condattr_init(&how) == 0 && pthread_condattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_cond_init(&ring_at(place).not_empty, &how) == 0 &&
           pthread_cond_init(&ring_at(place).not_full, &how) == 0,
       "condition");
  pthread_condattr_destroy(&how);
}

void put_into_ring(void* place, const void* item) {
  slot_ring& ring = ring_at(place);
  need(pthread_mutex_lock(&ring.mutex) == 0, "lock");
  while (ring.head - ring.tail == slot_ring::slot_count) pthread_cond_wait(&ring.not_full, &ring.mutex);
  std::memcpy(ring.slots[ring.head++ % slot_ring::slot_count], item, message_size);
  pthread_mutex_unlock(&ring.mutex);
  pthread_cond_signal(&ring.not_empty);
}

void get_from_ring(void* place, void* item) {
  slot_ring& ring = ring_at(place);
  need(pthread_mutex_lock(&ring.mutex) == 0, "lock");
  while (ring.head == ring.tail) pthread_cond_wait(&ring.not_empty, &ring.mutex);
  std::memcpy(item, ring.slots[ring.tail++ % slot_ring::slot_count], message_size);
  pthread_mutex_unlock(&ring.mutex);
  pthread_cond_signal(&ring.not_full);
}

constexpr queue_yardstick queues[] = {
    {"pthread ring", sizeof(slot_ring), create_ring, put_into_ring, get_from_ring}};

// ---- wakes ------------------------------------------------------------------------------------------------------------------

#if defined(__linux__)
using word = std::atomic<uint32_t>;

void sleep_while(word& w, uint32_t value) {
  while (w.load() == value) syscall(SYS_futex, &w, FUTEX_WAIT, value, nullptr, nullptr, 0);
}

void set_and_wake(word& w, uint32_t value) {
  w.store(value);
  syscall(SYS_futex, &w, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

// Both sides sleep on a word each, without spinning: what it costs to wake another process, twice.
std::vector<double> futex_wakes(int count, int pause_us) {
  void* const place = mmap(nullptr, 128, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  need(place != MAP_FAILED, "mmap");
  word& ping = *static_cast<word*>(place);
  word& pong = *reinterpret_cast<word*>(static_cast<unsigned char*>(place) + 64);
  const auto turns = static_cast<uint32_t>(count);
  const pid_t child = fork();
  if (child == 0) {
    for (uint32_t i = 0; i < turns; ++i) {
      sleep_while(ping, i);
      set_and_wake(pong, i + 1);
    }
    _exit(0);
  }
  std::vector<double> samples;
  for (uint32_t i = 0; i < turns; ++i) {
    rest(pause_us);
    const double began = now_us();
    set_and_wake(ping, i + 1);
    sleep_while(pong, i);
    samples.push_back(now_us() - began);
  }
  await_end(child);
  munmap(place, 128);
  return samples;
}

std::vector<double> futex_round_trips(int count) { return futex_wakes(count, 0); }
#endif

constexpr message_yardstick messages[] = {
    {"socketpair", socketpair_round_trips, socketpair_stream},
#if defined(__linux__)
    {"futex", futex_round_trips, nullptr},
#endif
};

#if defined(__linux__)
constexpr wake_yardstick wakes[] = {{"futex", futex_wakes}};
#endif

// ---- connecting ------------------------------------------------------------------------------------------------------------

sockaddr_un socket_at(const char* address) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  std::snprintf(out.sun_path, sizeof out.sun_path, "/tmp/%.60s", address);
  return out;
}

int open_socket() {
  const int made = socket(AF_UNIX, SOCK_STREAM, 0);
  need(made >= 0, "socket");
  return made;
}

void serve_socket(const char* address, int32_t count) {
  const sockaddr_un place = socket_at(address);
  const int waits = open_socket();
  need(bind(waits, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0, "bind");
  need(listen(waits, 16) == 0, "listen");
  for (int32_t i = 0; i < count; ++i) {
    const int line = accept(waits, nullptr, nullptr);
    char message[64];
    need(line >= 0, "accept");
    need(read(line, message, sizeof message) == sizeof message, "read");
    need(write(line, message, sizeof message) == sizeof message, "write");
    close(line);
  }
  close(waits);
  unlink(place.sun_path);
}

void connect_socket(const char* address) {
  const sockaddr_un place = socket_at(address);
  int line = open_socket();
  while (connect(line, reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) {
    need(errno == ENOENT || errno == ECONNREFUSED, "connect");  // the server begins
    close(line);
    sched_yield();
    line = open_socket();
  }
  char message[64] = {};
  need(write(line, message, sizeof message) == sizeof message, "write");
  need(read(line, message, sizeof message) == sizeof message, "read");
  close(line);
}

constexpr connect_yardstick connections[] = {{"unix socket", serve_socket, connect_socket}};

// ---- many connections ---------------------------------------------------------------------------------------------------------------

void answer_what_is_ready(std::vector<pollfd>& ends) {
  need(poll(ends.data(), static_cast<nfds_t>(ends.size()), -1) > 0, "poll");
  for (const pollfd& each : ends) {
    if (each.revents == 0) continue;
    char message[64];
    need(read(each.fd, message, sizeof message) == sizeof message, "read");
    need(write(each.fd, message, sizeof message) == sizeof message, "write");
    return;
  }
}

std::vector<double> poll_round_trips(size_t ends, int count) {
  std::vector<pollfd> ours;
  std::vector<int> theirs;
  for (size_t i = 0; i < ends; ++i) {
    int pair[2];
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    ours.push_back({pair[0], POLLIN, 0});
    theirs.push_back(pair[1]);
  }
  std::thread waiter([&] {
    for (int i = 0; i < count; ++i) answer_what_is_ready(ours);
  });
  std::vector<double> samples;
  char message[64] = {};
  for (int i = 0; i < count; ++i) {
    const int end = theirs[nth_of(i, ends)];
    const double began = now_us();
    need(write(end, message, sizeof message) == sizeof message, "write");
    need(read(end, message, sizeof message) == sizeof message, "read");
    samples.push_back(now_us() - began);
  }
  waiter.join();
  for (const pollfd& each : ours) close(each.fd);
  for (const int each : theirs) close(each);
  return samples;
}

constexpr many_yardstick multiplexers[] = {{"poll", poll_round_trips}};

}  // namespace

std::span<const lock_yardstick> lock_yardsticks() { return locks; }
std::span<const start_yardstick> function_yardsticks() { return functions; }
std::span<const start_yardstick> program_yardsticks() { return programs; }
std::span<const message_yardstick> message_yardsticks() { return messages; }
std::span<const queue_yardstick> queue_yardsticks() { return queues; }
std::span<const connect_yardstick> connect_yardsticks() { return connections; }
std::span<const many_yardstick> many_yardsticks() { return multiplexers; }

bool allow_handles(size_t count) {
  constexpr rlim_t others = 100;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  if (limit.rlim_cur >= count + others) return true;
  limit.rlim_cur = count + others;
  return limit.rlim_cur <= limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

#if defined(__linux__)
std::span<const wake_yardstick> wake_yardsticks() { return wakes; }

void use_last_cpu() {
  const long count = sysconf(_SC_NPROCESSORS_ONLN);
  cpu_set_t set;
  CPU_ZERO(&set);
  if (count > 0 && count <= CPU_SETSIZE) CPU_SET(static_cast<size_t>(count - 1), &set);
  sched_setaffinity(0, sizeof set, &set);
}

one_cpu::one_cpu() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return;
  for (size_t cpu = 0; cpu < 64; ++cpu) before_ |= CPU_ISSET(cpu, &set) ? uint64_t{1} << cpu : 0;
  bool found = false;
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set) && std::exchange(found, true)) CPU_CLR(cpu, &set);
  }
  sched_setaffinity(0, sizeof set, &set);
}

one_cpu::~one_cpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (size_t cpu = 0; cpu < 64; ++cpu) {
    if ((before_ >> cpu & 1) != 0) CPU_SET(cpu, &set);
  }
  if (before_ != 0) sched_setaffinity(0, sizeof set, &set);
}
#else
std::span<const wake_yardstick> wake_yardsticks() { return {}; }
void use_last_cpu() {}
one_cpu::one_cpu() {}
one_cpu::~one_cpu() { (void)before_; }
#endif

}  // namespace bench
