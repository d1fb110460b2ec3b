// SPDX-License-Identifier: MIT
#include "access_rules.h"
#include "win32_error.h"

namespace kith::platform {
namespace {

// What is mapped at `base`, as Windows sees it; 0 when it is not plain committed memory of a section.
size_t mapped_size(const void* base) {
  MEMORY_BASIC_INFORMATION region = {};
  if (VirtualQuery(base, &region, sizeof(region)) == 0) return 0;
  // An image is laid out by what stands in it, and a page that is reserved only cannot be touched: neither is
  // ours. Pages of a section that are committed stay so, whatever the other side does.
  if (region.Type != MEM_MAPPED || region.State != MEM_COMMIT) return 0;
  return region.RegionSize;
}

}  // namespace

// `commit` makes no difference. SEC_COMMIT counts the pages against what the system can store, but takes none
// before it is touched; with SEC_RESERVE instead, touching a page that nobody has committed would be a fault.
kith_status memory_create(size_t size, bool /*commit*/, bool /*may_restrict*/, memory& out) {
  access_rules nobody;
  if (const kith_status status = nobody.allow_nobody(); status != KITH_OK) return status;
  const uint64_t bytes = size;
  memory made;
  made.object =
      native_handle(CreateFileMappingW(INVALID_HANDLE_VALUE, nobody.attributes(), PAGE_READWRITE | SEC_COMMIT,
                                       static_cast<DWORD>(bytes >> 32), static_cast<DWORD>(bytes), nullptr));
  if (!made.object.valid()) return fail_with_last_error();
  made.base = MapViewOfFile(made.object.get(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
  if (made.base == nullptr) return fail_with_last_error();
  made.size = mapped_size(made.base);
  out = std::move(made);
  return KITH_OK;
}

kith_status memory_attach(native_handle&& object, memory& out) {
  memory made;
  made.base = MapViewOfFile(object.get(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
  if (made.base == nullptr && GetLastError() == ERROR_ACCESS_DENIED) {
    made.writable = false;
    made.base = MapViewOfFile(object.get(), FILE_MAP_READ, 0, 0, 0);
  }
  if (made.base == nullptr) {
    // The handle is open (handle_adopt looked), so it is one to something else.
    const DWORD error = GetLastError();
    return error == ERROR_INVALID_HANDLE ? KITH_E_MISMATCH : fail(static_cast<int32_t>(error));
  }
  made.size = mapped_size(made.base);
  if (made.size == 0) {
    memory_close(made);
    return KITH_E_MISMATCH;
  }
  made.object = std::move(object);
  out = std::move(made);
  return KITH_OK;
}

kith_status memory_create_unwritten(size_t, memory&) { return KITH_E_UNSUPPORTED; }
size_t memory_peek(const native_handle&, void*, size_t) { return 0; }
bool memory_poke(const native_handle&, size_t, uint32_t) { return false; }

// Nobody can turn the narrower handle into a wider one: memory_create allows nobody anything.
kith_status memory_restrict(memory& self) {
  HANDLE narrower = nullptr;
  const HANDLE me = GetCurrentProcess();
  if (!DuplicateHandle(me, self.object.get(), me, &narrower, FILE_MAP_READ, FALSE, 0)) {
    return fail_with_last_error();
  }
  self.read_only.reset(narrower);
  return KITH_OK;
}

const native_handle& memory_handle(const memory& self) {
  return self.read_only.valid() ? self.read_only : self.object;
}

void memory_close(memory& self) {
  if (self.base != nullptr) UnmapViewOfFile(self.base);
  self = memory();
}

}  // namespace kith::platform
