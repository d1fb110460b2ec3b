// SPDX-License-Identifier: MIT
#include "naming.h"

#include <uv.h>

#include <algorithm>
#include <filesystem>

namespace test {

namespace {

template <class T>
T** as(void** handle) {
  return reinterpret_cast<T**>(handle);
}

}  // namespace

kith_status named_object::open(int32_t kind, const kith_naming& wanted, int32_t* created) {
  close();
  kind_ = kind;
  auto queue_options = defaults<kith_queue_options>();
  queue_options.capacity = 4096;
  auto broadcast_options = defaults<kith_broadcast_options>();
  broadcast_options.ring_size = 4096;
  void** const out = &handle_;
  switch (kind) {
    case KITH_OBJECT_MEMORY:
      return kith_memory_open_named(&wanted, 64, nullptr, as<kith_memory>(out), created);
    case KITH_OBJECT_ARRAY:
      return kith_array_open_named(&wanted, KITH_I64, 8, nullptr, as<kith_array>(out), created);
    case KITH_OBJECT_VALUE:
      return kith_value_open_named(&wanted, KITH_I64, nullptr, nullptr, as<kith_value>(out), created);
    case KITH_OBJECT_LOCK: return kith_lock_open_named(&wanted, nullptr, as<kith_lock>(out), created);
    case KITH_OBJECT_SEMAPHORE:
      return kith_semaphore_open_named(&wanted, 1, nullptr, as<kith_semaphore>(out), created);
    case KITH_OBJECT_CONDITION:
      return kith_condition_open_named(&wanted, nullptr, as<kith_condition>(out), created);
    case KITH_OBJECT_EVENT: return kith_event_open_named(&wanted, nullptr, as<kith_event>(out), created);
    case KITH_OBJECT_BARRIER:
      return kith_barrier_open_named(&wanted, 1, nullptr, as<kith_barrier>(out), created);
    case KITH_OBJECT_QUEUE:
      return kith_queue_open_named(&wanted, &queue_options, as<kith_queue>(out), created);
    default: return kith_broadcast_open_named(&wanted, &broadcast_options, as<kith_broadcast>(out), created);
  }
}

kith_status named_object::inherit(int32_t kind, const char* share) {
  close();
  kind_ = kind;
  void** const out = &handle_;
  switch (kind) {
    case KITH_OBJECT_MEMORY: return kith_memory_inherit(share, as<kith_memory>(out));
    case KITH_OBJECT_ARRAY: return kith_array_inherit(share, as<kith_array>(out));
    case KITH_OBJECT_VALUE: return kith_value_inherit(share, as<kith_value>(out));
    case KITH_OBJECT_LOCK: return kith_lock_inherit(share, as<kith_lock>(out));
    case KITH_OBJECT_SEMAPHORE: return kith_semaphore_inherit(share, as<kith_semaphore>(out));
    case KITH_OBJECT_CONDITION: return kith_condition_inherit(share, as<kith_condition>(out));
    case KITH_OBJECT_EVENT: return kith_event_inherit(share, as<kith_event>(out));
    case KITH_OBJECT_BARRIER: return kith_barrier_inherit(share, as<kith_barrier>(out));
    case KITH_OBJECT_QUEUE: return kith_queue_inherit(share, as<kith_queue>(out));
    default: return kith_broadcast_inherit(share, as<kith_broadcast>(out));
  }
}

void named_object::close() {
  void* const handle = std::exchange(handle_, nullptr);
  switch (kind_) {
    case KITH_OBJECT_MEMORY: return kith_memory_close(static_cast<kith_memory*>(handle));
    case KITH_OBJECT_ARRAY: return kith_array_close(static_cast<kith_array*>(handle));
    case KITH_OBJECT_VALUE: return kith_value_close(static_cast<kith_value*>(handle));
    case KITH_OBJECT_LOCK: return kith_lock_close(static_cast<kith_lock*>(handle));
    case KITH_OBJECT_SEMAPHORE: return kith_semaphore_close(static_cast<kith_semaphore*>(handle));
    case KITH_OBJECT_CONDITION: return kith_condition_close(static_cast<kith_condition*>(handle));
    case KITH_OBJECT_EVENT: return kith_event_close(static_cast<kith_event*>(handle));
    case KITH_OBJECT_BARRIER: return kith_barrier_close(static_cast<kith_barrier*>(handle));
    case KITH_OBJECT_QUEUE: return kith_queue_close(static_cast<kith_queue*>(handle));
    case KITH_OBJECT_BROADCAST: return kith_broadcast_close(static_cast<kith_broadcast*>(handle));
    default: return;
  }
}

kith_status open_status(int32_t kind, const std::string& name, uint32_t flags) {
  named_object opened;
  return opened.open(kind, naming(name, flags));
}

listed_name only_one(const std::string& name) {
  const std::vector<listed_name> found = list_names(name);
  REQUIRE(found.size() == 1);
  return found[0];
}

std::vector<int64_t> sorted(std::vector<int64_t> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

visit visit_of(const std::string& name, int32_t kind, uint32_t flags) {
  visit out{};
  std::snprintf(out.name, sizeof out.name, "%s", name.c_str());
  out.kind = kind;
  out.flags = flags;
  return out;
}

namespace {

int32_t opens_and_stays(const void* argument, size_t) {
  const visit& wish = *static_cast<const visit*>(argument);
  const std::string name = wish.name;
  channel line;
  CHILD_NEEDS(take(line, "line"));
  named_object opened;
  const kith_status status = opened.open(wish.kind, naming(name, wish.flags));
  CHILD_NEEDS(tell(line, kith_status_name(status)));
  (void)heard(line);
  return status == KITH_OK ? 0 : 7;
}

}  // namespace

stranger start_stranger(const visit& wish) {
  channel_pair ends = make_channel();
  stranger out;
  out.process = start_with(opens_and_stays, {{"line", ends.b}}, wish);
  out.line = std::move(ends.a);
  return out;
}

own_names::own_names() { uv_os_setenv("KITH_RUNTIME_DIR", base().c_str()); }

own_names::~own_names() {
  uv_os_unsetenv("KITH_RUNTIME_DIR");
  for (const auto& each : std::filesystem::directory_iterator(base()))
    std::filesystem::remove_all(each.path());
}

std::vector<std::string> own_names::files() const {
  std::vector<std::string> found;
  for (const auto& each : std::filesystem::recursive_directory_iterator(base())) {
    if (!each.is_directory()) found.push_back(each.path().filename().string());
  }
  return found;
}

std::vector<listed_name> list_names(const std::string& begin) {
  names list;
  std::vector<listed_name> found;
  REQUIRE_OK(kith_names_list(list.out()));
  for (size_t i = 0; i < kith_names_count(list); ++i) {
    listed_name each;
    each.info = defaults<kith_name_info>();
    REQUIRE_OK(kith_names_at(list, i, &each.info));
    each.name = each.info.name;
    if (each.name.compare(0, begin.size(), begin) != 0) continue;
    each.users.assign(each.info.users, each.info.users + each.info.user_count);
    found.push_back(each);
  }
  return found;
}

}  // namespace test
