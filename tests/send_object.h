// SPDX-License-Identifier: MIT
// What the tests of objects through channels share.
#pragma once

#include "support.h"

namespace test {

inline void close_object(void* object, int32_t kind) {
  switch (kind) {
    case KITH_OBJECT_PROCESS: return kith_process_close(static_cast<kith_process*>(object));
    case KITH_OBJECT_MEMORY: return kith_memory_close(static_cast<kith_memory*>(object));
    case KITH_OBJECT_ARRAY: return kith_array_close(static_cast<kith_array*>(object));
    case KITH_OBJECT_VALUE: return kith_value_close(static_cast<kith_value*>(object));
    case KITH_OBJECT_LOCK: return kith_lock_close(static_cast<kith_lock*>(object));
    case KITH_OBJECT_CHANNEL: return kith_channel_close(static_cast<kith_channel*>(object));
    case KITH_OBJECT_SEMAPHORE: return kith_semaphore_close(static_cast<kith_semaphore*>(object));
    case KITH_OBJECT_CONDITION: return kith_condition_close(static_cast<kith_condition*>(object));
    case KITH_OBJECT_EVENT: return kith_event_close(static_cast<kith_event*>(object));
    case KITH_OBJECT_BARRIER: return kith_barrier_close(static_cast<kith_barrier*>(object));
    case KITH_OBJECT_QUEUE: return kith_queue_close(static_cast<kith_queue*>(object));
    case KITH_OBJECT_OS_HANDLE: return kith_os_handle_close(static_cast<kith_os_handle*>(object));
    case KITH_OBJECT_BROADCAST: return kith_broadcast_close(static_cast<kith_broadcast*>(object));
    default: return;
  }
}

// What a receive gave: closes it.
struct received_object {
  received_object() = default;
  received_object(received_object&& other) noexcept
      : object(std::exchange(other.object, nullptr)), kind(other.kind), text(std::move(other.text)) {}
  received_object& operator=(received_object&&) = delete;
  ~received_object() { close(); }

  kith_status receive(kith_channel* line, int64_t timeout_ms = generous) {
    char bytes[1024];
    size_t size = 0;
    const kith_status status =
        kith_channel_recv_object(line, &object, &kind, bytes, sizeof bytes, &size, timeout_ms);
    if (status == KITH_OK) text.assign(bytes, size);
    return status;
  }

  kith_status send(kith_channel* line, std::string_view with) const {
    if (object == nullptr) return kith_channel_send(line, with.data(), with.size(), generous);
    return kith_channel_send_object(line, object, with.data(), with.size(), generous);
  }

  template <class T>
  T* as() const {
    return static_cast<T*>(object);
  }
  template <class T>
  T* release() {
    return static_cast<T*>(std::exchange(object, nullptr));
  }
  void close() { close_object(std::exchange(object, nullptr), kind); }

  void* object = nullptr;
  int32_t kind = -1;
  std::string text;
};

}  // namespace test
