// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <openssl/sha.h>
#include <xxhash.h>

namespace reef {

Sha256Digest Sha256(std::string_view bytes) {
  // The low-level calls cost 65 ns for a short key; EVP's fetch and context five times that.
  // OpenSSL 3 deprecates, and keeps, them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  Sha256Digest digest;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(digest.data(), &context);
#pragma GCC diagnostic pop
  return digest;
}

uint64_t Xxh3(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace reef
