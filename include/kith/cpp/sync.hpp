// SPDX-License-Identifier: MIT
// Locks, semaphores, conditions, events, barriers, and what ends a wait.
#pragma once

#include <kith/cpp/base.hpp>

namespace kith {
inline namespace cpp {

// A lock that somebody else owns: that of an array or value, or a kith::mutex. Fits std::scoped_lock and std::unique_lock.
class mutex_view {
 public:
  constexpr mutex_view() noexcept = default;
  constexpr explicit mutex_view(kith_lock* lock) noexcept : lock_(lock) {}

  status try_acquire(timeout wait = forever) const noexcept { return kith_lock_acquire(lock_, wait.ms()); }
  status try_release() const noexcept { return kith_lock_release(lock_); }
  status try_mark_consistent() const noexcept { return kith_lock_mark_consistent(lock_); }

  // For std::unique_lock. One who died is not told of here: a lock that is taken from the dead is given back, and false is returned.
  bool try_lock() const noexcept { return took(try_acquire(at_once)); }
  template <class Rep, class Period>
  bool try_lock_for(std::chrono::duration<Rep, Period> wait) const noexcept {
    return took(try_acquire(wait));
  }
  template <class Clock, class Duration>
  bool try_lock_until(std::chrono::time_point<Clock, Duration> until) const noexcept {
    return took(try_acquire(until - Clock::now()));
  }
  void unlock() const noexcept { (void)kith_lock_release(lock_); }

#if KITH_HPP_THROWS
  // Held afterwards. owner_died: repair what the lock protects, then mark_consistent.
  status acquire(timeout wait = forever) const { return detail::checked(try_acquire(wait), "kith::mutex::acquire"); }
  void release() const { detail::check(try_release(), "kith::mutex::release"); }
  void mark_consistent() const { detail::check(try_mark_consistent(), "kith::mutex::mark_consistent"); }
  // For std::scoped_lock. Throws kith::owner_died, not holding it, where acquire would report it.
  void lock() const {
    if (acquire().owner_died()) {
      unlock();
      throw cpp::owner_died("kith::mutex::lock");
    }
  }
#endif

  // Who holds it, and since when as far as that is known; pid 0: nobody.
  kith_owner holder() const noexcept {
    kith_owner found{};
    (void)kith_lock_owner(lock_, &found);
    return found;
  }
  kith_lock* get() const noexcept { return lock_; }

 private:
  bool took(status got) const noexcept {
    if (got.owner_died()) unlock();
    return got == KITH_OK;
  }
  kith_lock* lock_ = nullptr;
};

// A lock for threads of any number of processes, which survives the death of its owner.
class mutex : public owner<kith_lock, kith_lock_close> {
 public:
  using owner::owner;
  static result<mutex> try_create(uint32_t flags = 0) noexcept {
    const auto wanted = detail::options<kith_lock_options>(flags);
    return detail::own<mutex>([&](kith_lock** out) { return kith_lock_create(&wanted, out); });
  }
  static result<mutex> try_inherit(const char* name) noexcept {
    return detail::own<mutex>([&](kith_lock** out) { return kith_lock_inherit(name, out); });
  }
  static result<mutex> try_open(const naming& where, uint32_t flags = 0) noexcept {
    const auto wanted = detail::options<kith_lock_options>(flags);
    return detail::own<mutex>([&](kith_lock** out) { return kith_lock_open_named(where.get(), &wanted, out, nullptr); });
  }

  mutex_view view() const noexcept { return mutex_view(get()); }
  status try_acquire(timeout wait = forever) const noexcept { return view().try_acquire(wait); }
  status try_release() const noexcept { return view().try_release(); }
  status try_mark_consistent() const noexcept { return view().try_mark_consistent(); }
  bool try_lock() const noexcept { return view().try_lock(); }
  template <class Rep, class Period>
  bool try_lock_for(std::chrono::duration<Rep, Period> wait) const noexcept {
    return view().try_lock_for(wait);
  }
  template <class Clock, class Duration>
  bool try_lock_until(std::chrono::time_point<Clock, Duration> until) const noexcept {
    return view().try_lock_until(until);
  }
  void unlock() const noexcept { view().unlock(); }
  kith_owner holder() const noexcept { return view().holder(); }
#if KITH_HPP_THROWS
  mutex() : mutex(uint32_t{0}) {}
  explicit mutex(uint32_t flags) : mutex(try_create(flags).value("kith::mutex")) {}
  static mutex inherit(const char* name) { return try_inherit(name).value("kith::mutex::inherit"); }
  static mutex open(const naming& where, uint32_t flags = 0) { return try_open(where, flags).value("kith::mutex::open"); }
  status acquire(timeout wait = forever) const { return view().acquire(wait); }
  void release() const { view().release(); }
  void mark_consistent() const { view().mark_consistent(); }
  void lock() const { view().lock(); }
#endif
};

class semaphore : public owner<kith_semaphore, kith_semaphore_close> {
 public:
  using owner::owner;
  static result<semaphore> try_create(uint32_t initial, uint32_t flags = 0, uint32_t maximum = 0) noexcept {
    auto wanted = detail::options<kith_semaphore_options>(flags);
    wanted.maximum = maximum;
    return detail::own<semaphore>([&](kith_semaphore** out) { return kith_semaphore_create(initial, &wanted, out); });
  }
  static result<semaphore> try_inherit(const char* name) noexcept {
    return detail::own<semaphore>([&](kith_semaphore** out) { return kith_semaphore_inherit(name, out); });
  }
  static result<semaphore> try_open(const naming& where, uint32_t initial, uint32_t flags = 0, uint32_t maximum = 0) noexcept {
    auto wanted = detail::options<kith_semaphore_options>(flags);
    wanted.maximum = maximum;
    return detail::own<semaphore>([&](kith_semaphore** out) { return kith_semaphore_open_named(where.get(), initial, &wanted, out, nullptr); });
  }
  status try_acquire(timeout wait = forever) const noexcept { return kith_semaphore_acquire(get(), wait.ms()); }
  status try_release() const noexcept { return kith_semaphore_release(get()); }
  uint32_t available() const noexcept { return kith_semaphore_available(get()); }
#if KITH_HPP_THROWS
  explicit semaphore(uint32_t initial, uint32_t flags = 0, uint32_t maximum = 0)
      : semaphore(try_create(initial, flags, maximum).value("kith::semaphore")) {}
  static semaphore inherit(const char* name) { return try_inherit(name).value("kith::semaphore::inherit"); }
  static semaphore open(const naming& where, uint32_t initial, uint32_t flags = 0, uint32_t maximum = 0) { return try_open(where, initial, flags, maximum).value("kith::semaphore::open"); }
  status acquire(timeout wait = forever) const { return detail::checked(try_acquire(wait), "kith::semaphore::acquire"); }
  void release() const { detail::check(try_release(), "kith::semaphore::release"); }
#endif
};

class condition : public owner<kith_condition, kith_condition_close> {
 public:
  using owner::owner;
  static result<condition> try_create() noexcept {
    return detail::own<condition>([](kith_condition** out) { return kith_condition_create(nullptr, out); });
  }
  static result<condition> try_inherit(const char* name) noexcept {
    return detail::own<condition>([&](kith_condition** out) { return kith_condition_inherit(name, out); });
  }
  static result<condition> try_open(const naming& where) noexcept {
    return detail::own<condition>([&](kith_condition** out) { return kith_condition_open_named(where.get(), nullptr, out, nullptr); });
  }
  status try_wait(mutex_view lock, timeout wait = forever) const noexcept {
    return kith_condition_wait(get(), lock.get(), wait.ms());
  }
  status try_wait(const mutex& lock, timeout wait = forever) const noexcept { return try_wait(lock.view(), wait); }
  void notify_one() const noexcept { (void)kith_condition_notify(get(), 1); }
  void notify(uint32_t count) const noexcept { (void)kith_condition_notify(get(), count); }
  void notify_all() const noexcept { (void)kith_condition_notify_all(get()); }
#if KITH_HPP_THROWS
  condition() : condition(try_create().value("kith::condition")) {}
  static condition inherit(const char* name) { return try_inherit(name).value("kith::condition::inherit"); }
  static condition open(const naming& where) { return try_open(where).value("kith::condition::open"); }
  status wait(mutex_view lock, timeout wait = forever) const {
    return detail::checked(try_wait(lock, wait), "kith::condition::wait");
  }
  status wait(const mutex& lock, timeout wait = forever) const { return this->wait(lock.view(), wait); }
  // Until ready() says so, which is asked with the lock held. owner_died: somebody died with the lock; look before you believe ready().
  template <class Mutex, std::predicate Ready>
  status wait_until(const Mutex& lock, Ready ready) const {
    status news = KITH_OK;
    while (!ready()) {
      if (const status got = wait(lock); got != KITH_OK) news = got;
    }
    return news;
  }
#endif
};

class event : public owner<kith_event, kith_event_close> {
 public:
  using owner::owner;
  static result<event> try_create(uint32_t flags = 0) noexcept {
    const auto wanted = detail::options<kith_event_options>(flags);
    return detail::own<event>([&](kith_event** out) { return kith_event_create(&wanted, out); });
  }
  static result<event> try_inherit(const char* name) noexcept {
    return detail::own<event>([&](kith_event** out) { return kith_event_inherit(name, out); });
  }
  static result<event> try_open(const naming& where, uint32_t flags = 0) noexcept {
    const auto wanted = detail::options<kith_event_options>(flags);
    return detail::own<event>([&](kith_event** out) { return kith_event_open_named(where.get(), &wanted, out, nullptr); });
  }
  status try_wait(timeout wait = forever) const noexcept { return kith_event_wait(get(), wait.ms()); }
  void set() const noexcept { (void)kith_event_set(get()); }
  void clear() const noexcept { (void)kith_event_clear(get()); }
  bool is_set() const noexcept { return kith_event_is_set(get()) != 0; }
#if KITH_HPP_THROWS
  event() : event(uint32_t{0}) {}
  explicit event(uint32_t flags) : event(try_create(flags).value("kith::event")) {}
  static event inherit(const char* name) { return try_inherit(name).value("kith::event::inherit"); }
  static event open(const naming& where, uint32_t flags = 0) { return try_open(where, flags).value("kith::event::open"); }
  void wait() const { detail::check(try_wait(), "kith::event::wait"); }
  bool wait(timeout most) const {  // false: the time was up
    const status got = try_wait(most);
    return !got.timed_out() && detail::checked(got, "kith::event::wait").ok();
  }
#endif
};

class barrier : public owner<kith_barrier, kith_barrier_close> {
 public:
  using owner::owner;
  static result<barrier> try_create(uint32_t parties) noexcept {
    return detail::own<barrier>([&](kith_barrier** out) { return kith_barrier_create(parties, nullptr, out); });
  }
  static result<barrier> try_inherit(const char* name) noexcept {
    return detail::own<barrier>([&](kith_barrier** out) { return kith_barrier_inherit(name, out); });
  }
  static result<barrier> try_open(const naming& where, uint32_t parties) noexcept {
    return detail::own<barrier>([&](kith_barrier** out) { return kith_barrier_open_named(where.get(), parties, nullptr, out, nullptr); });
  }
  // KITH_LAST: this party was the last to arrive.
  status try_wait(timeout wait = forever, uint32_t* place = nullptr) const noexcept {
    return kith_barrier_wait(get(), wait.ms(), place);
  }
  void abort() const noexcept { (void)kith_barrier_abort(get()); }
  void reset_round() const noexcept { (void)kith_barrier_reset(get()); }
  uint32_t parties() const noexcept { return kith_barrier_parties(get()); }
  uint32_t waiting() const noexcept { return kith_barrier_waiting(get()); }
  bool is_broken() const noexcept { return kith_barrier_is_broken(get()) != 0; }
#if KITH_HPP_THROWS
  explicit barrier(uint32_t parties) : barrier(try_create(parties).value("kith::barrier")) {}
  static barrier inherit(const char* name) { return try_inherit(name).value("kith::barrier::inherit"); }
  static barrier open(const naming& where, uint32_t parties) { return try_open(where, parties).value("kith::barrier::open"); }
  status wait(timeout wait = forever, uint32_t* place = nullptr) const {
    return detail::checked(try_wait(wait, place), "kith::barrier::wait");
  }
#endif
};

// Ends the waits of all threads of this process that use it.
class cancel : public owner<kith_cancel, kith_cancel_close> {
 public:
  using owner::owner;
  static result<cancel> try_create() noexcept {
    return detail::own<cancel>([](kith_cancel** out) { return kith_cancel_create(out); });
  }
#if KITH_HPP_THROWS
  cancel() : cancel(try_create().value("kith::cancel")) {}
#endif
  void fire() const noexcept { (void)kith_cancel_fire(get()); }
  void rearm() const noexcept { (void)kith_cancel_reset(get()); }
  // The calling thread's waits can be ended by it as long as this lives. One at a time.
  class [[nodiscard]] use {
   public:
    explicit use(const cancel& by) noexcept { (void)kith_cancel_use(by.get()); }
    ~use() { (void)kith_cancel_use(nullptr); }
    use(const use&) = delete;
    use& operator=(const use&) = delete;
  };
};

}  // namespace cpp
}  // namespace kith
