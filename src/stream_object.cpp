// SPDX-License-Identifier: MIT
#include "stream_object.h"

#include "allocator.h"
#include "pipe_wait.h"
#include "readiness.h"
#include "waiting.h"

namespace kith {

namespace {

void destroy(object* object) {
  stream_object* self = static_cast<stream_object*>(object);
  platform::pipe_close(self->pipe);
  unmake(self);
}

constexpr object_class stream_class{object_kind::stream, nullptr, destroy};

// A call that reads or writes: two at once would tear the bytes apart.
class stream_call {
 public:
  stream_call(kith_stream* stream, platform::pipe_use use) : self_(stream, object_kind::stream) {
    status_ = self_.status();
    if (status_ == KITH_OK && self_->pipe.use != use) status_ = KITH_E_MISMATCH;
    // Acquire and release: one call after the other.
    if (status_ == KITH_OK && self_->in_use.exchange(true, std::memory_order_acquire)) status_ = KITH_E_BUSY;
  }
  ~stream_call() {
    if (status_ == KITH_OK) self_->in_use.store(false, std::memory_order_release);
  }
  stream_call(const stream_call&) = delete;
  stream_call& operator=(const stream_call&) = delete;

  kith_status status() const { return status_; }
  stream_object& operator*() const { return *self_; }

 private:
  pinned<stream_object> self_;
  kith_status status_;
};

kith_status read(stream_object& self, void* buffer, size_t capacity, size_t& got, int64_t timeout_ms) {
  kith_status status = platform::pipe_read(self.pipe, buffer, capacity, got);
  if (status != KITH_E_TIMEOUT) return status;
  const call_patience limits(timeout_ms, self);
  pipe_wait waiting(limits);
  do {
    waiting.add(self.pipe);
    if (const kith_status stop = waiting.sleep(); stop != KITH_OK) return stop;
    status = platform::pipe_read(self.pipe, buffer, capacity, got);
  } while (status == KITH_E_TIMEOUT);
  return status;
}

kith_status write(stream_object& self, const void* data, size_t size, size_t& written, int64_t timeout_ms) {
  const unsigned char* const bytes = static_cast<const unsigned char*>(data);
  const call_patience limits(timeout_ms, self);
  pipe_wait waiting(limits);
  while (written < size) {
    size_t put = 0;
    const kith_status status = platform::pipe_write(self.pipe, bytes + written, size - written, put);
    if (status == KITH_OK) {
      written += put;
      waiting.made_progress();
      continue;
    }
    if (status != KITH_E_TIMEOUT) return status;
    waiting.add(self.pipe);
    if (const kith_status stop = waiting.sleep(); stop != KITH_OK) return stop;
  }
  return KITH_OK;
}

}  // namespace

kith_status stream_open(platform::pipe_use ours, void** out, platform::native_handle& theirs) {
  stream_object* const self = make<stream_object>();
  if (self == nullptr) return KITH_E_NO_MEMORY;
  self->type = &stream_class;
  kith_status status = platform::pipe_create(ours, self->pipe, theirs);
  void* const handle = status == KITH_OK ? handle_open(self) : nullptr;
  if (status == KITH_OK && handle == nullptr) status = KITH_E_NO_MEMORY;
  if (status == KITH_OK) {
    *out = handle;
  } else {
    destroy(self);
  }
  return status;
}

stream_object& stream_behind(void* handle) { return static_cast<stream_object&>(*slot_of(handle)->body); }

KITH_IN_FORKED_CHILD void stream_forget_all() {
  handle_for_each(
      object_kind::stream, [](void* handle, object&, void*) { handle_close(handle, object_kind::stream); },
      nullptr);
}

// ---- for kith_wait_any and loops ---------------------------------------------------------------------------------------------

uint32_t stream_events(const object& self) {
  return static_cast<const stream_object&>(self).reads() ? KITH_WAIT_READ : KITH_WAIT_WRITE;
}

bool stream_is_ready(object& self) { return platform::pipe_is_ready(static_cast<stream_object&>(self).pipe); }

kith_status stream_handle_to_poll(object& self, int64_t& out) {
  return platform::pipe_poll_handle(static_cast<stream_object&>(self).pipe, out);
}

}  // namespace kith

using namespace kith;

kith_status kith_stream_read(kith_stream* stream, void* buffer, size_t capacity, size_t* out_size,
                             int64_t timeout_ms) {
  if (buffer == nullptr || capacity == 0 || out_size == nullptr || !timeout_is_valid(timeout_ms))
    return KITH_E_INVALID;
  const stream_call call(stream, platform::pipe_use::read);
  if (call.status() != KITH_OK) return call.status();
  size_t got = 0;
  const kith_status status = read(*call, buffer, capacity, got, timeout_ms);
  if (status == KITH_OK) *out_size = got;
  return status;
}

kith_status kith_stream_write(kith_stream* stream, const void* data, size_t size, size_t* out_written,
                              int64_t timeout_ms) {
  if ((data == nullptr && size != 0) || !timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  const stream_call call(stream, platform::pipe_use::write);
  if (call.status() != KITH_OK) return call.status();
  size_t written = 0;
  const kith_status status = write(*call, data, size, written, timeout_ms);
  if (out_written != nullptr) *out_written = written;
  return status;
}

void kith_stream_close(kith_stream* stream) { handle_close(stream, object_kind::stream); }
