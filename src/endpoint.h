// SPDX-License-Identifier: MIT
#pragma once

namespace kith {

// A forked child: lets go of the endpoints without ending them; they are the parent's.
void endpoint_forget_all();

}  // namespace kith
