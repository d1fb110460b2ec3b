// SPDX-License-Identifier: MIT
// Functions as places in Mach-O files. Offsets count from the header, with which the text segment begins.
#include <mach-o/dyld.h>
#include <mach-o/loader.h>
#include <mach/vm_prot.h>

#include <cstdlib>

#include "module_common.h"

namespace kith::platform {

namespace {

struct loaded_module {
  const mach_header_64* header;
  uintptr_t slide;
  const char* file;

  bool program() const { return header->filetype == MH_EXECUTE; }
  uintptr_t base() const { return reinterpret_cast<uintptr_t>(header); }
};

// `visit(command)` ends the walk with true.
template <class Visit>
bool find_command(const mach_header_64& header, Visit visit) {
  const auto* at = reinterpret_cast<const unsigned char*>(&header + 1);
  for (uint32_t i = 0; i < header.ncmds; ++i) {
    const auto* command = reinterpret_cast<const load_command*>(at);
    if (visit(*command)) return true;
    at += command->cmdsize;
  }
  return false;
}

bool has_code_at(const loaded_module& module, uintptr_t address) {
  return find_command(*module.header, [&](const load_command& command) {
    if (command.cmd != LC_SEGMENT_64) return false;
    const auto& segment = reinterpret_cast<const segment_command_64&>(command);
    const uintptr_t start = static_cast<uintptr_t>(segment.vmaddr) + module.slide;
    return (segment.initprot & VM_PROT_EXECUTE) != 0 && address >= start && address - start < segment.vmsize;
  });
}

// The linker gives every file a number of its own.
bool identify(const loaded_module& module, unsigned char (&out)[build_identity_size]) {
  return find_command(*module.header, [&](const load_command& command) {
    if (command.cmd != LC_UUID) return false;
    std::memcpy(out, reinterpret_cast<const uuid_command&>(command).uuid, sizeof(uuid_command::uuid));
    return true;
  });
}

// `visit(module)` ends the walk with true.
template <class Visit>
bool find_module(Visit visit) {
  for (uint32_t i = 0; i < _dyld_image_count(); ++i) {
    const auto* header = reinterpret_cast<const mach_header_64*>(_dyld_get_image_header(i));
    const char* file = _dyld_get_image_name(i);
    if (header == nullptr || header->magic != MH_MAGIC_64 || file == nullptr) continue;
    if (visit(loaded_module{header, static_cast<uintptr_t>(_dyld_get_image_vmaddr_slide(i)), file}))
      return true;
  }
  return false;
}

kith_status look(const code_place& place, kith_entry& out) {
  kith_status status = KITH_E_MISMATCH;
  find_module([&](const loaded_module& module) {
    unsigned char identity[build_identity_size] = {};
    if (module.program() != is_program(place) || !identify(module, identity) ||
        !same_build(identity, place.identity)) {
      return false;
    }
    const uintptr_t address = module.base() + static_cast<uintptr_t>(place.offset);
    status = has_code_at(module, address) ? KITH_OK : KITH_E_NO_FUNCTION;
    if (status == KITH_OK) out = reinterpret_cast<kith_entry>(address);
    return true;
  });
  return status;
}

bool full_path(const char* name, text& out) {
  char* const path = realpath(name, nullptr);
  const bool done = assign(out, path != nullptr ? path : name);
  std::free(path);
  return done;
}

}  // namespace

kith_status code_locate(kith_entry entry, code_place& out) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(entry);
  kith_status status = KITH_E_NO_FUNCTION;
  find_module([&](const loaded_module& module) {
    if (!has_code_at(module, address)) return false;
    unsigned char identity[build_identity_size] = {};
    if (!identify(module, identity)) return true;
    const bool named = module.program() ? assign(out.path, "") : full_path(module.file, out.path);
    status = named ? KITH_OK : KITH_E_NO_MEMORY;
    if (!named) return true;
    out.offset = address - module.base();
    std::memcpy(out.identity, identity, sizeof identity);
    return true;
  });
  return status;
}

kith_status code_resolve(const code_place& place, kith_entry& out) { return resolve_by(look, place, out); }

}  // namespace kith::platform
