// SPDX-License-Identifier: MIT
// SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104): for names that are longer than an OS takes, and for proving that one knows a key.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kith {

struct digest {
  unsigned char bytes[32];
};

class sha256 {
 public:
  void add(const void* data, size_t size);
  digest end();  // nothing may be added any more

 private:
  void take_block(const unsigned char* block);

  uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint64_t size_ = 0;
  unsigned char pending_[64];
};

// Adds of several pieces are as one of all of them.
class hmac_sha256 {
 public:
  hmac_sha256(const void* key, size_t size);
  void add(const void* data, size_t size) { inner_.add(data, size); }
  digest end();

 private:
  sha256 inner_;
  unsigned char outer_key_[64];
};

// Takes the same time wherever they differ.
bool digests_are_equal(const digest& a, const digest& b);

}  // namespace kith
