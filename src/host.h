// SPDX-License-Identifier: MIT
// Functions of libraries, run by kith-host. The parent's side; the host's side is kith_child_main.
#pragma once

#include <kith/kith.h>

#include "boot.h"
#include "platform.h"

namespace kith {

bool host_options_are_sound(const kith_process_options& wanted);
kith_status host_plan(const kith_process_options& wanted, boot_plan& out);
// KITH_E_NO_HOST: there is no kith-host in any of the places.
kith_status host_spawn(const kith_process_options& wanted, platform::spawn_plan& plan,
                       platform::process& out);

}  // namespace kith
