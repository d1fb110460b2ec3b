// SPDX-License-Identifier: MIT
// Broadcasts: what anybody publishes, each reader gets.
#pragma once

#include <iterator>

#include <kith/cpp/base.hpp>

namespace kith {
inline namespace cpp {

struct broadcast_options {
  uint32_t flags = 0;         // KITH_BROADCAST_HOLD
  uint64_t ring_size = 0;     // bytes; 0: the default
  uint64_t history = 0;       // messages of the past that a new reader can begin with; 0: as many as the ring still has
  uint32_t most_readers = 0;  // KITH_BROADCAST_HOLD; 0: the default
};

namespace detail {
// What a message is: a plain value, or a std::string, std::vector<int> and the like.
template <class T>
concept message = growing<T> || plain<T>;
}  // namespace detail

// One reader, with a position of its own. For one thread at a time.
//   for (const auto& message : reader) takes messages until the broadcast is shut down and all has been read.
template <detail::message T = std::string>
class reader : public owner<kith_reader, kith_reader_close> {
 public:
  using value_type = T;
  using owner::owner;

  // KITH_MISSED: a message, but some before it were missed: see missed(). KITH_E_MISMATCH: a message that is no T, and is gone.
  status try_next(T& to, timeout wait = forever) {  // may throw std::bad_alloc
    uint64_t missed = 0;
    const auto receive = [&](void* data, std::size_t capacity, std::size_t* size) {
      return kith_reader_next(get(), data, capacity, size, &missed, wait.ms());
    };
    const status got = [&] {
      if constexpr (detail::growing<T>) {
        return detail::receive_growing(to, receive);
      } else {
        return detail::receive_value(to, receive);
      }
    }();
    missed_ += missed;
    return got;
  }
  uint64_t missed() const noexcept { return missed_; }  // all that it has missed until now
  uint64_t pending() const noexcept { return kith_reader_pending(get()); }

  // The next message where it lies. It is not taken if it is not consumed.
  class shown {
   public:
    shown(shown&& other) noexcept : reader_(std::exchange(other.reader_, nullptr)), bytes_(other.bytes_), news_(other.news_) {}
    shown& operator=(shown&&) = delete;
    ~shown() {
      if (reader_ != nullptr) (void)kith_reader_release(reader_);
    }
    std::span<const std::byte> bytes() const noexcept { return bytes_; }
    status news() const noexcept { return news_; }  // KITH_MISSED: some before it were missed
    // KITH_MISSED: writers may have overwritten what you saw: throw away what you made of it.
    status try_consume() noexcept { return kith_reader_consume(std::exchange(reader_, nullptr)); }
#if KITH_HPP_THROWS
    // Whether what you saw was the message.
    bool consume() { return detail::checked(try_consume(), "kith::reader::shown::consume") == KITH_OK; }
#endif

   private:
    friend reader;
    shown(kith_reader* reader, std::span<const std::byte> bytes, status news) noexcept : reader_(reader), bytes_(bytes), news_(news) {}
    kith_reader* reader_;
    std::span<const std::byte> bytes_;
    status news_;
  };
  result<shown> try_peek(timeout wait = forever) const noexcept {
    const void* data = nullptr;
    std::size_t size = 0;
    const status got = kith_reader_peek(get(), &data, &size, nullptr, wait.ms());
    if (!got.ok()) return got;
    return shown(get(), {static_cast<const std::byte*>(data), size}, got);
  }

#if KITH_HPP_THROWS
  // Nothing: the broadcast was shut down, and all has been read.
  std::optional<T> next(timeout wait = forever) {
    T message{};
    const status got = try_next(message, wait);
    if (got == KITH_E_CLOSED) return std::nullopt;
    detail::check(got, "kith::reader::next");
    return message;
  }
  shown peek(timeout wait = forever) const { return try_peek(wait).value("kith::reader::peek"); }

  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    iterator() = default;
    explicit iterator(reader* from) : from_(from) {}
    const T& operator*() const noexcept { return *from_->item_; }
    iterator& operator++() {
      from_->item_ = from_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept { return at.is_at_end(); }

   private:
    bool is_at_end() const noexcept { return !from_->item_; }
    reader* from_ = nullptr;
  };
  iterator begin() {
    item_ = next();
    return iterator(this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }
#endif

 private:
  uint64_t missed_ = 0;
  std::optional<T> item_;
};

template <detail::message T = std::string>
class broadcast : public owner<kith_broadcast, kith_broadcast_close> {
 public:
  using value_type = T;
  // What can be published: a T; where that grows, any bytes.
  using published = std::conditional_t<detail::growing<T>, bytes_view, const T&>;
  using owner::owner;
  static result<broadcast> try_create(const broadcast_options& wanted) noexcept {
    const auto options = options_of(wanted);
    return detail::own<broadcast>([&](kith_broadcast** out) { return kith_broadcast_create(&options, out); });
  }
  static result<broadcast> try_inherit(const char* name) noexcept {
    return detail::own<broadcast>([&](kith_broadcast** out) { return kith_broadcast_inherit(name, out); });
  }

  // Options that are not 0 must be those that it has.
  static result<broadcast> try_open(const naming& where, const broadcast_options& wanted = {}) noexcept {
    const auto options = options_of(wanted);
    return detail::own<broadcast>([&](kith_broadcast** out) { return kith_broadcast_open_named(where.get(), &options, out, nullptr); });
  }

  status try_publish(published message, timeout wait = forever) const noexcept {
    if constexpr (detail::growing<T>) {
      return kith_broadcast_publish(get(), message.data(), message.size(), wait.ms());
    } else {
      return kith_broadcast_publish(get(), &message, sizeof message, wait.ms());
    }
  }
  // From now on (0), or beginning with the last messages, or all that there still are (KITH_HISTORY_ALL).
  result<reader<T>> try_subscribe(int64_t history = 0) const noexcept {
    return detail::own<reader<T>>([&](kith_reader** out) { return kith_broadcast_subscribe(get(), history, out); });
  }
  void shutdown() const noexcept { (void)kith_broadcast_shutdown(get()); }
  uint64_t count() const noexcept { return kith_broadcast_count(get()); }

  // Room in the ring itself, to be written in place. It is given back if it is not published. Other writers wait meanwhile.
  class reservation {
   public:
    reservation(reservation&& other) noexcept : broadcast_(std::exchange(other.broadcast_, nullptr)), room_(other.room_) {}
    reservation& operator=(reservation&&) = delete;
    ~reservation() {
      if (broadcast_ != nullptr) (void)kith_broadcast_abort(broadcast_);
    }
    std::span<std::byte> room() const noexcept { return room_; }
    status try_commit(std::size_t size) noexcept {
      const status got = kith_broadcast_commit(broadcast_, size);
      if (got != KITH_E_TOO_LARGE) broadcast_ = nullptr;
      return got;
    }
#if KITH_HPP_THROWS
    void commit(std::size_t size) { detail::check(try_commit(size), "kith::broadcast::reservation::commit"); }
#endif

   private:
    friend broadcast;
    reservation(kith_broadcast* broadcast, std::span<std::byte> room) noexcept : broadcast_(broadcast), room_(room) {}
    kith_broadcast* broadcast_;
    std::span<std::byte> room_;
  };
  result<reservation> try_reserve(std::size_t size, timeout wait = forever) const noexcept {
    void* data = nullptr;
    const status got = kith_broadcast_reserve(get(), size, &data, wait.ms());
    if (!got.ok()) return got;
    return reservation(get(), {static_cast<std::byte*>(data), size});
  }

#if KITH_HPP_THROWS
  broadcast() : broadcast(broadcast_options{}) {}
  explicit broadcast(const broadcast_options& wanted) : broadcast(try_create(wanted).value("kith::broadcast")) {}
  static broadcast inherit(const char* name) { return try_inherit(name).value("kith::broadcast::inherit"); }
  static broadcast open(const naming& where, const broadcast_options& wanted = {}) { return try_open(where, wanted).value("kith::broadcast::open"); }
  void publish(published message, timeout wait = forever) const { detail::check(try_publish(message, wait), "kith::broadcast::publish"); }
  reader<T> subscribe(int64_t history = 0) const { return try_subscribe(history).value("kith::broadcast::subscribe"); }
  reservation reserve(std::size_t size, timeout wait = forever) const { return try_reserve(size, wait).value("kith::broadcast::reserve"); }
#endif

 private:
  static kith_broadcast_options options_of(const broadcast_options& wanted) noexcept {
    auto options = detail::options<kith_broadcast_options>(wanted.flags);
    options.ring_size = wanted.ring_size;
    options.history = wanted.history;
    options.most_readers = wanted.most_readers;
    return options;
  }
};

}  // namespace cpp
}  // namespace kith
