// SPDX-License-Identifier: MIT
// One end of a channel, for whole messages of any size.
#pragma once

#include <kith/cpp/base.hpp>
#include <kith/cpp/received.hpp>

namespace kith {
inline namespace cpp {

struct channel_pair;

struct channel_options {
  uint32_t flags = 0;          // KITH_CHANNEL_...
  uint64_t ring_size = 0;      // bytes a direction; 0: the default
  uint64_t large_message = 0;  // from so many bytes on a message is memory of its own; 0: never
};

class channel : public owner<kith_channel, kith_channel_close> {
 public:
  using owner::owner;
  static result<channel_pair> try_create(const channel_options& wanted = {}) noexcept;
  static result<channel> try_inherit(const char* name) noexcept {
    return detail::own<channel>([&](kith_channel** out) { return kith_channel_inherit(name, out); });
  }

  status try_send(bytes_view message, timeout wait = forever) const noexcept {
    return kith_channel_send(get(), message.data(), message.size(), wait.ms());
  }
  template <detail::plain T>
  status try_send_value(const T& value, timeout wait = forever) const noexcept {
    return try_send(bytes_of(value), wait);
  }
  // Into bytes of yours; KITH_E_TOO_LARGE: *size is what is needed, and the message stays.
  status try_recv(std::span<std::byte> to, std::size_t* size, timeout wait = forever) const noexcept {
    return kith_channel_recv(get(), to.data(), to.size(), size, wait.ms());
  }
  // Into a std::string, std::vector<std::byte> and the like, which grows as needed. Allocates, so it may throw std::bad_alloc.
  template <detail::growing Container>
  status try_recv(Container& to, timeout wait = forever) const {
    return detail::receive_growing(
        to, [&](void* data, std::size_t capacity, std::size_t* size) { return kith_channel_recv(get(), data, capacity, size, wait.ms()); });
  }
  template <detail::plain T>
  status try_recv_value(T& to, timeout wait = forever) const noexcept {
    return detail::receive_value(
        to, [&](void* data, std::size_t capacity, std::size_t* size) { return kith_channel_recv(get(), data, capacity, size, wait.ms()); });
  }
  template <shareable Object>
  status try_send_object(const Object& object, bytes_view message = {}, timeout wait = forever) const noexcept {
    return kith_channel_send_object(get(), object.get(), message.data(), message.size(), wait.ms());
  }
  status try_recv_object(received& to, timeout wait = forever) const {
    to = received();
    return detail::receive_growing(to.message, [&](void* data, std::size_t capacity, std::size_t* size) {
      void* object = nullptr;
      int32_t kind = KITH_OBJECT_NONE;
      const kith_status got = kith_channel_recv_object(get(), &object, &kind, data, capacity, size, wait.ms());
      if (got >= 0) to.object = received_object(object, kind);
      return got;
    });
  }

  // Who has the other end.
  status try_peer(kith_peer& who) const noexcept { return kith_channel_peer(get(), &who); }

  // Room in the channel itself, to be written in place. It is given back if it is not sent. One at a time, by one thread.
  class reservation {
   public:
    reservation(reservation&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)), room_(other.room_) {}
    reservation& operator=(reservation&&) = delete;
    ~reservation() {
      if (channel_ != nullptr) (void)kith_channel_abort(channel_);
    }
    std::span<std::byte> room() const noexcept { return room_; }
    status try_commit(std::size_t size) noexcept {
      const status got = kith_channel_commit(channel_, size);
      if (got != KITH_E_TOO_LARGE) channel_ = nullptr;
      return got;
    }
#if KITH_HPP_THROWS
    void commit(std::size_t size) { detail::check(try_commit(size), "kith::channel::reservation::commit"); }
#endif

   private:
    friend class channel;
    reservation(kith_channel* channel, std::span<std::byte> room) noexcept : channel_(channel), room_(room) {}
    kith_channel* channel_;
    std::span<std::byte> room_;
  };
  result<reservation> try_reserve(std::size_t size, timeout wait = forever) const noexcept {
    void* data = nullptr;
    const status got = kith_channel_reserve(get(), size, &data, wait.ms());
    if (!got.ok()) return got;
    return reservation(get(), {static_cast<std::byte*>(data), size});
  }

  // The next message where it lies. It stays in the channel if it is not consumed. One at a time, by one thread.
  class shown {
   public:
    shown(shown&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)), bytes_(other.bytes_) {}
    shown& operator=(shown&&) = delete;
    ~shown() {
      if (channel_ != nullptr) (void)kith_channel_release(channel_);
    }
    std::span<const std::byte> bytes() const noexcept { return bytes_; }
    void consume() noexcept {
      if (channel_ != nullptr) (void)kith_channel_consume(std::exchange(channel_, nullptr));
    }

   private:
    friend class channel;
    shown(kith_channel* channel, std::span<const std::byte> bytes) noexcept : channel_(channel), bytes_(bytes) {}
    kith_channel* channel_;
    std::span<const std::byte> bytes_;
  };
  result<shown> try_peek(timeout wait = forever) const noexcept {
    const void* data = nullptr;
    std::size_t size = 0;
    const status got = kith_channel_peek(get(), &data, &size, wait.ms());
    if (!got.ok()) return got;
    return shown(get(), {static_cast<const std::byte*>(data), size});
  }

#if KITH_HPP_THROWS
  static channel inherit(const char* name) { return try_inherit(name).value("kith::channel::inherit"); }
  void send(bytes_view message, timeout wait = forever) const { detail::check(try_send(message, wait), "kith::channel::send"); }
  template <detail::plain T>
  void send_value(const T& value, timeout wait = forever) const {
    detail::check(try_send_value(value, wait), "kith::channel::send_value");
  }
  template <detail::growing Container = std::string>
  Container recv(timeout wait = forever) const {
    Container got;
    detail::check(try_recv(got, wait), "kith::channel::recv");
    return got;
  }
  template <detail::plain T>
  T recv_value(timeout wait = forever) const {
    T got;
    detail::check(try_recv_value(got, wait), "kith::channel::recv_value");
    return got;
  }
  template <shareable Object>
  void send_object(const Object& object, bytes_view message = {}, timeout wait = forever) const {
    detail::check(try_send_object(object, message, wait), "kith::channel::send_object");
  }
  received recv_object(timeout wait = forever) const {
    received got;
    detail::check(try_recv_object(got, wait), "kith::channel::recv_object");
    return got;
  }
  reservation reserve(std::size_t size, timeout wait = forever) const {
    return try_reserve(size, wait).value("kith::channel::reserve");
  }
  shown peek(timeout wait = forever) const { return try_peek(wait).value("kith::channel::peek"); }
  kith_peer peer() const {
    kith_peer who{};
    detail::check(try_peer(who), "kith::channel::peer");
    return who;
  }
#endif
};

struct channel_pair {
  channel first, second;
};

inline result<channel_pair> channel::try_create(const channel_options& wanted) noexcept {
  auto options = detail::options<kith_channel_options>(wanted.flags);
  options.ring_size = wanted.ring_size;
  options.large_message = wanted.large_message;
  kith_channel *first = nullptr, *second = nullptr;
  const status got = kith_channel_create(&options, &first, &second);
  if (!got.ok()) return got;
  return channel_pair{channel(adopt, first), channel(adopt, second)};
}

#if KITH_HPP_THROWS
// auto [ours, theirs] = kith::make_channel();
inline channel_pair make_channel(const channel_options& wanted = {}) {
  return channel::try_create(wanted).value("kith::make_channel");
}
#endif

}  // namespace cpp
}  // namespace kith
