// SPDX-License-Identifier: MIT
// What comes through a channel: a message, and perhaps an object.
#pragma once

#include <kith/cpp/base.hpp>

namespace kith {
inline namespace cpp {

class channel;

// An object whose type is known at run time only. take<kith::event>() makes it one of the owners, if it is that.
class received_object {
 public:
  received_object() noexcept = default;
  received_object(void* object, int32_t kind) noexcept : object_(object), kind_(kind) {}
  received_object(received_object&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)), kind_(std::exchange(other.kind_, int32_t{KITH_OBJECT_NONE})) {}
  received_object& operator=(received_object&& other) noexcept {
    std::swap(object_, other.object_);
    std::swap(kind_, other.kind_);
    return *this;
  }
  ~received_object() { close(); }

  int32_t kind() const noexcept { return kind_; }  // KITH_OBJECT_...
  explicit operator bool() const noexcept { return object_ != nullptr; }

  // KITH_E_MISMATCH: it is another kind of object, or an array or value of another type; it stays here.
  template <class Owner>
  result<Owner> try_take() noexcept {
    if (object_ == nullptr || !holds<typename Owner::handle_type>()) return KITH_E_MISMATCH;
    Owner taken(adopt, static_cast<typename Owner::handle_type*>(object_));
    if constexpr (requires { taken.fits(); }) {
      if (!taken.fits()) {
        (void)taken.release();
        return KITH_E_MISMATCH;
      }
    }
    object_ = nullptr;
    kind_ = KITH_OBJECT_NONE;
    return taken;
  }
#if KITH_HPP_THROWS
  template <class Owner>
  Owner take() {
    return try_take<Owner>().value("kith::received_object::take");
  }
#endif

 private:
  template <class Handle>
  bool holds() const noexcept {
    if constexpr (std::same_as<Handle, kith_process>) return kind_ == KITH_OBJECT_PROCESS;
    if constexpr (std::same_as<Handle, kith_memory>) return kind_ == KITH_OBJECT_MEMORY;
    if constexpr (std::same_as<Handle, kith_array>) return kind_ == KITH_OBJECT_ARRAY;
    if constexpr (std::same_as<Handle, kith_value>) return kind_ == KITH_OBJECT_VALUE;
    if constexpr (std::same_as<Handle, kith_lock>) return kind_ == KITH_OBJECT_LOCK;
    if constexpr (std::same_as<Handle, kith_channel>) return kind_ == KITH_OBJECT_CHANNEL;
    if constexpr (std::same_as<Handle, kith_semaphore>) return kind_ == KITH_OBJECT_SEMAPHORE;
    if constexpr (std::same_as<Handle, kith_condition>) return kind_ == KITH_OBJECT_CONDITION;
    if constexpr (std::same_as<Handle, kith_event>) return kind_ == KITH_OBJECT_EVENT;
    if constexpr (std::same_as<Handle, kith_barrier>) return kind_ == KITH_OBJECT_BARRIER;
    if constexpr (std::same_as<Handle, kith_queue>) return kind_ == KITH_OBJECT_QUEUE;
    if constexpr (std::same_as<Handle, kith_broadcast>) return kind_ == KITH_OBJECT_BROADCAST;
    if constexpr (std::same_as<Handle, kith_os_handle>) return kind_ == KITH_OBJECT_OS_HANDLE;
    return false;
  }
  void close() noexcept {
    switch (kind_) {
      case KITH_OBJECT_PROCESS: return kith_process_close(static_cast<kith_process*>(object_));
      case KITH_OBJECT_MEMORY: return kith_memory_close(static_cast<kith_memory*>(object_));
      case KITH_OBJECT_ARRAY: return kith_array_close(static_cast<kith_array*>(object_));
      case KITH_OBJECT_VALUE: return kith_value_close(static_cast<kith_value*>(object_));
      case KITH_OBJECT_LOCK: return kith_lock_close(static_cast<kith_lock*>(object_));
      case KITH_OBJECT_CHANNEL: return kith_channel_close(static_cast<kith_channel*>(object_));
      case KITH_OBJECT_SEMAPHORE: return kith_semaphore_close(static_cast<kith_semaphore*>(object_));
      case KITH_OBJECT_CONDITION: return kith_condition_close(static_cast<kith_condition*>(object_));
      case KITH_OBJECT_EVENT: return kith_event_close(static_cast<kith_event*>(object_));
      case KITH_OBJECT_BARRIER: return kith_barrier_close(static_cast<kith_barrier*>(object_));
      case KITH_OBJECT_QUEUE: return kith_queue_close(static_cast<kith_queue*>(object_));
      case KITH_OBJECT_BROADCAST: return kith_broadcast_close(static_cast<kith_broadcast*>(object_));
      case KITH_OBJECT_OS_HANDLE: return kith_os_handle_close(static_cast<kith_os_handle*>(object_));
      default: return;
    }
  }

  void* object_ = nullptr;
  int32_t kind_ = KITH_OBJECT_NONE;
};

struct received {
  std::string message;
  received_object object;
};

}  // namespace cpp
}  // namespace kith
