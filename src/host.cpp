// SPDX-License-Identifier: MIT
#include "host.h"

#include <uv.h>

#include <cstdlib>
#include <cstring>

namespace kith {

namespace {

constexpr char host_name[] = "kith-host";

// From the folder of the file that contains kith: of a library, of a library in lib/, of one in lib/<architecture>/.
constexpr const char* places[] = {"", "../bin/", "../../bin/"};

// Its place tells which file contains kith.
int32_t landmark(const void*, size_t) { return 0; }

kith_status own_program(text& out) {
  for (size_t room = 512;; room *= 2) {
    if (!out.resize(room)) return KITH_E_NO_MEMORY;
    size_t length = room;
    if (const int error = uv_exepath(out.data(), &length); error != 0) return KITH_E_NO_HOST;
    if (length + 1 < room) return out.resize(length + 1) ? KITH_OK : KITH_E_NO_MEMORY;
  }
}

// The folder of the program or library that contains kith, with the slash.
kith_status own_folder(text& out) {
  platform::code_place place;
  kith_status status = platform::code_locate(landmark, place);
  if (status == KITH_OK && place.path.size() > 1) {
    status = assign(out, place.path.data()) ? KITH_OK : KITH_E_NO_MEMORY;
  } else if (status != KITH_E_NO_MEMORY) {
    status = own_program(out);  // also where a file without a build id was deleted
  }
  if (status != KITH_OK) return status;
  size_t length = out.size() - 1;
  while (length > 0 && out[length - 1] != '/' && out[length - 1] != '\\') --length;
  return out.resize(length) ? KITH_OK : KITH_E_NO_MEMORY;
}

bool append_text(text& out, const char* more) { return out.append(more, std::strlen(more)); }

struct host_call {
  const kith_process_options& wanted;
  platform::spawn_plan& plan;
  platform::process& out;

  kith_status by(const char* host) const {
    // The host does not read these: they are for who lists the processes.
    const char* const argv[] = {host, wanted.library, wanted.symbol, nullptr};
    plan.argv = argv;
    const kith_status status = platform::process_spawn(plan, out);
    plan.argv = nullptr;
    return status == KITH_E_NOT_FOUND ? KITH_E_NO_HOST : status;
  }

  // Nothing has happened where there is no such file, so the places can be tried one after the other.
  kith_status from_folder(const text& folder) const {
    kith_status status = KITH_E_NO_HOST;
    text path;
    for (const char* place : places) {
      path.clear();
      const bool fits = path.append(folder.data(), folder.size()) && append_text(path, place) &&
                        path.append(host_name, sizeof host_name);
      if (!fits) return KITH_E_NO_MEMORY;
      status = by(path.data());
      if (status != KITH_E_NO_HOST) return status;
    }
    return status;
  }
};

// What KITH_HOST says; false: nothing.
bool named_by_environment(text& out) {
  size_t size = 256;
  int error = 0;
  do {
    if (!out.resize(size)) return false;
    error = uv_os_getenv("KITH_HOST", out.data(), &size);  // tells the size that it wants
  } while (error == UV_ENOBUFS);
  return error == 0 && out[0] != '\0';
}

}  // namespace

bool host_options_are_sound(const kith_process_options& wanted) {
  if (wanted.library == nullptr) return wanted.symbol == nullptr && wanted.host == nullptr;
  return wanted.library[0] != '\0' && wanted.symbol != nullptr && wanted.symbol[0] != '\0' &&
         (wanted.host == nullptr || wanted.host[0] != '\0');
}

kith_status host_plan(const kith_process_options& wanted, boot_plan& out) {
  out.run = shm::run_kind::library;
  out.symbol = wanted.symbol;
  return platform::library_path(wanted.library, out.library);
}

kith_status host_spawn(const kith_process_options& wanted, platform::spawn_plan& plan,
                       platform::process& out) {
  const host_call call{wanted, plan, out};
  if (wanted.host != nullptr) return call.by(wanted.host);
  text text_of_path;
  if (named_by_environment(text_of_path)) return call.by(text_of_path.data());
  kith_status status = own_folder(text_of_path);
  if (status == KITH_OK) status = call.from_folder(text_of_path);
  return status == KITH_E_NO_HOST ? call.by(host_name) : status;
}

}  // namespace kith
