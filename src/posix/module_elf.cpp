// SPDX-License-Identifier: MIT
// Functions as places in ELF files. Offsets count from the load bias; that is 0 for a program of fixed place.
#include <link.h>
#include <sys/stat.h>

#include <climits>
#include <cstdlib>

#include "module_common.h"

namespace kith::platform {

namespace {

// The first byte of an identity says what the rest is, so that the two kinds never look alike.
enum identity_kind : unsigned char { build_id = 1, file_stamp = 2 };

struct loaded_module {
  uintptr_t bias = 0;
  unsigned char identity[build_identity_size] = {};
  bool program = false;  // not a library
  text file;
};

uintptr_t segment_start(const dl_phdr_info& module, const ElfW(Phdr) & segment) {
  return module.dlpi_addr + segment.p_vaddr;
}

bool has_code_at(const dl_phdr_info& module, uintptr_t address) {
  for (size_t i = 0; i < module.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module.dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const uintptr_t start = segment_start(module, segment);
    if (address >= start && address - start < segment.p_memsz) return true;
  }
  return false;
}

size_t padded(size_t size, size_t alignment) { return (size + alignment - 1) / alignment * alignment; }

// Looks for the note that the linker leaves: a header, the name "GNU", and a hash of the file.
bool find_build_id(const unsigned char* notes, size_t size, size_t alignment, unsigned char* out,
                   size_t out_size) {
  size_t at = 0;
  while (size - at >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes + at, sizeof note);
    at += sizeof note;
    if (note.n_namesz > size - at) return false;
    const unsigned char* name = notes + at;
    const size_t name_size = padded(note.n_namesz, alignment);
    if (name_size > size - at || note.n_descsz > size - at - name_size) return false;
    at += name_size;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
      std::memcpy(out, notes + at, note.n_descsz < out_size ? note.n_descsz : out_size);
      return true;
    }
    const size_t data_size = padded(note.n_descsz, alignment);
    if (data_size > size - at) return false;
    at += data_size;
  }
  return false;
}

bool identify_by_note(const dl_phdr_info& module, unsigned char (&out)[build_identity_size]) {
  for (size_t i = 0; i < module.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto* notes = reinterpret_cast<const unsigned char*>(segment_start(module, segment));
    if (find_build_id(notes, segment.p_memsz, segment.p_align == 8 ? 8 : 4, out + 1, sizeof out - 1)) {
      out[0] = build_id;
      return true;
    }
  }
  return false;
}

// For files that were linked without a build id.
bool identify_by_file(const char* path, unsigned char (&out)[build_identity_size]) {
  struct stat info;
  if (stat(path, &info) != 0) return false;
  const uint64_t stamp[] = {static_cast<uint64_t>(info.st_size),
                            static_cast<uint64_t>(info.st_mtim.tv_sec) * 1'000'000'000 +
                                static_cast<uint64_t>(info.st_mtim.tv_nsec),
                            static_cast<uint64_t>(info.st_ino)};
  const uint32_t device = static_cast<uint32_t>(info.st_dev);
  out[0] = file_stamp;
  std::memcpy(out + 1, stamp, sizeof stamp);
  std::memcpy(out + 1 + sizeof stamp, &device, sizeof device);
  return true;
}

bool identify(const dl_phdr_info& module, bool program, unsigned char (&out)[build_identity_size]) {
  return identify_by_note(module, out) ||
         identify_by_file(program ? "/proc/self/exe" : module.dlpi_name, out);
}

// ---- walking the loaded modules: `visit(module, is_program)` ends the walk with true

template <class Visit>
struct walk {
  Visit& visit;
  size_t count = 0;

  static int step(dl_phdr_info* module, size_t, void* data) {
    walk& self = *static_cast<walk*>(data);
    // The program comes first; its name is no help, as C libraries differ there.
    const bool program = self.count++ == 0;
    return self.visit(*module, program) ? 1 : 0;
  }
};

template <class Visit>
bool find_module(Visit visit) {
  walk<Visit> state{visit};
  return dl_iterate_phdr(walk<Visit>::step, &state) != 0;
}

kith_status look(const code_place& place, kith_entry& out) {
  kith_status status = KITH_E_MISMATCH;
  find_module([&](const dl_phdr_info& module, bool program) {
    unsigned char identity[build_identity_size] = {};
    if (program != is_program(place) || !identify(module, program, identity) ||
        !same_build(identity, place.identity)) {
      return false;
    }
    const uintptr_t address = module.dlpi_addr + static_cast<uintptr_t>(place.offset);
    status = has_code_at(module, address) ? KITH_OK : KITH_E_NO_FUNCTION;
    if (status == KITH_OK) out = reinterpret_cast<kith_entry>(address);
    return true;
  });
  return status;
}

// The loader remembers the name by which a library was asked for, perhaps from another working directory.
bool full_path(const text& name, text& out) {
  char* const path = realpath(name.data(), nullptr);
  const bool done = assign(out, path != nullptr ? path : name.data());
  std::free(path);
  return done;
}

}  // namespace

kith_status code_locate(kith_entry entry, code_place& out) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(entry);
  loaded_module found;
  kith_status status = KITH_E_NO_FUNCTION;
  find_module([&](const dl_phdr_info& module, bool program) {
    if (!has_code_at(module, address)) return false;
    found.bias = module.dlpi_addr;
    found.program = program;
    // Not to be identified: it has no build id and no file (any more).
    if (!identify(module, program, found.identity)) return true;
    status = assign(found.file, program ? "" : module.dlpi_name) ? KITH_OK : KITH_E_NO_MEMORY;
    return true;
  });
  if (status != KITH_OK) return status;
  if (!found.program && !full_path(found.file, out.path)) return KITH_E_NO_MEMORY;
  if (found.program) out.path.clear();
  out.offset = address - found.bias;
  std::memcpy(out.identity, found.identity, sizeof out.identity);
  return KITH_OK;
}

kith_status code_resolve(const code_place& place, kith_entry& out) { return resolve_by(look, place, out); }

}  // namespace kith::platform
