// SPDX-License-Identifier: MIT
#include "sha256.h"

#include <bit>
#include <cstring>

namespace kith {

namespace {

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
constexpr uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t big_endian(const unsigned char* from) {
  return uint32_t{from[0]} << 24 | uint32_t{from[1]} << 16 | uint32_t{from[2]} << 8 | from[3];
}

}  // namespace

void sha256::take_block(const unsigned char* block) {
  uint32_t words[64];
  for (int i = 0; i < 16; ++i) words[i] = big_endian(block + 4 * i);
  for (int i = 16; i < 64; ++i) {
    const uint32_t a = words[i - 15], b = words[i - 2];
    const uint32_t small_0 = std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3);
    const uint32_t small_1 = std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10);
    words[i] = words[i - 16] + small_0 + words[i - 7] + small_1;
  }
  uint32_t s[8];
  std::memcpy(s, state_, sizeof s);
  for (int i = 0; i < 64; ++i) {
    const uint32_t large_1 = std::rotr(s[4], 6) ^ std::rotr(s[4], 11) ^ std::rotr(s[4], 25);
    const uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
    const uint32_t first = s[7] + large_1 + choice + constants[i] + words[i];
    const uint32_t large_0 = std::rotr(s[0], 2) ^ std::rotr(s[0], 13) ^ std::rotr(s[0], 22);
    const uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    for (int k = 7; k > 0; --k) s[k] = s[k - 1];
    s[4] += first;
    s[0] = first + large_0 + majority;
  }
  for (int i = 0; i < 8; ++i) state_[i] += s[i];
}

void sha256::add(const void* data, size_t size) {
  const unsigned char* from = static_cast<const unsigned char*>(data);
  while (size != 0) {
    const size_t used = static_cast<size_t>(size_ % sizeof pending_);
    const size_t room = sizeof pending_ - used;
    const size_t taken = size < room ? size : room;
    std::memcpy(pending_ + used, from, taken);
    size_ += taken;
    from += taken;
    size -= taken;
    if (size_ % sizeof pending_ == 0) take_block(pending_);
  }
}

digest sha256::end() {
  const uint64_t bits = size_ * 8;
  constexpr unsigned char one = 0x80, zero = 0;
  add(&one, 1);
  while (size_ % sizeof pending_ != 56) add(&zero, 1);
  unsigned char length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(bits >> (56 - 8 * i));
  add(length, sizeof length);
  digest out;
  for (int i = 0; i < 32; ++i) out.bytes[i] = static_cast<unsigned char>(state_[i / 4] >> (24 - 8 * (i % 4)));
  return out;
}

hmac_sha256::hmac_sha256(const void* key, size_t size) {
  unsigned char block[64] = {};
  if (size > sizeof block) {
    sha256 shorter;
    shorter.add(key, size);
    const digest hashed = shorter.end();
    std::memcpy(block, hashed.bytes, sizeof hashed.bytes);
  } else if (size != 0) {
    std::memcpy(block, key, size);
  }
  unsigned char inner_key[64];
  for (size_t i = 0; i < sizeof block; ++i) {
    inner_key[i] = block[i] ^ 0x36;
    outer_key_[i] = block[i] ^ 0x5c;
  }
  inner_.add(inner_key, sizeof inner_key);
}

digest hmac_sha256::end() {
  const digest inner = inner_.end();
  sha256 outer;
  outer.add(outer_key_, sizeof outer_key_);
  outer.add(inner.bytes, sizeof inner.bytes);
  return outer.end();
}

bool digests_are_equal(const digest& a, const digest& b) {
  // Volatile: a compiler that knew when the answer is certain could stop there.
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < sizeof a.bytes; ++i)
    difference = static_cast<unsigned char>(difference | (a.bytes[i] ^ b.bytes[i]));
  return difference == 0;
}

}  // namespace kith
