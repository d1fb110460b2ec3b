// SPDX-License-Identifier: MIT
#include <algorithm>

#include "sha256.h"
#include "support.h"

namespace {

std::string hex(const kith::digest& digest) {
  std::string out;
  for (const unsigned char each : digest.bytes) {
    out += "0123456789abcdef"[each >> 4];
    out += "0123456789abcdef"[each & 15];
  }
  return out;
}

std::string hash_of(const std::string& text, size_t piece = 1000) {
  kith::sha256 hash;
  for (size_t i = 0; i < text.size(); i += piece) hash.add(text.data() + i, std::min(piece, text.size() - i));
  return hex(hash.end());
}

std::string code_of(const std::string& key, const std::string& text) {
  kith::hmac_sha256 code(key.data(), key.size());
  code.add(text.data(), text.size());
  return hex(code.end());
}

}  // namespace

// NIST's examples for FIPS 180.
TEST_CASE("SHA-256 gives what its standard says") {
  CHECK(hash_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}})
    CHECK(hash_of(two_blocks, piece) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hash_of(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// RFC 4231: test cases 1, 2, 3 and 6.
TEST_CASE("HMAC-SHA-256 gives what its standard says") {
  CHECK(code_of(std::string(20, '\x0b'), "Hi There") ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(code_of("Jefe", "what do ya want for nothing?") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(code_of(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  CHECK(code_of(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("digests are equal when every byte is") {
  kith::digest a{}, b{};
  CHECK(kith::digests_are_equal(a, b));
  for (size_t i = 0; i < sizeof a.bytes; ++i) {
    b = a;
    b.bytes[i] ^= 1;
    CHECK_FALSE(kith::digests_are_equal(a, b));
  }
}
