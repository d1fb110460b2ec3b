// SPDX-License-Identifier: MIT
// The elements of arrays and values: their sizes, and atomic operations on them.
#pragma once

#include <kith/kith.h>

#include <cstddef>
#include <cstdint>

namespace kith::shm {

// KITH_E_INVALID: no such type, or KITH_STRUCT without a size; KITH_E_MISMATCH: the size is not that of the type.
kith_status element_size_of(kith_type type, uint64_t given_size, size_t& out);

// For KITH_I32, KITH_U32, KITH_I64 and KITH_U64; KITH_E_MISMATCH for others; KITH_E_INVALID when a value does not fit the type.
kith_status element_add(kith_type type, void* element, int64_t operand, int64_t* out_old);
kith_status element_exchange(kith_type type, void* element, int64_t desired, int64_t* out_old);
kith_status element_compare_exchange(kith_type type, void* element, int64_t* expected, int64_t desired);

// Numbers of any type, in one piece.
void element_load(size_t size, const void* element, void* out);
void element_store(size_t size, void* element, const void* source);

}  // namespace kith::shm
