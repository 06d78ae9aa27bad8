// SPDX-License-Identifier: Apache-2.0
//
// CacheKey: the identity of a cached object, independent of the method: SHA-256 over scheme, host,
// port, path and query, and for a variant over the named request fields too. A value; any thread.
// Its first 160 bits are the object's key in the index.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.h"

namespace reef::http {

struct CacheKey {
  Sha256Digest digest{};

  std::string_view AsBytes() const {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
  }
  // Uniform bits, to choose shards and home loops.
  uint64_t Bits() const {
    uint64_t bits;
    std::memcpy(&bits, digest.data() + 20, sizeof bits);
    return bits;
  }
  friend auto operator<=>(const CacheKey&, const CacheKey&) = default;
};

struct CacheKeyHash {
  size_t operator()(const CacheKey& key) const { return key.Bits(); }
};

// `host` in lower case, `target` is path and query as received.
CacheKey PrimaryKey(bool tls, std::string_view host, uint16_t port, std::string_view target);

// RFC 9111, 4.1: the same object for other values of the fields that Vary names.
CacheKey VariantKey(const CacheKey& primary,
                    std::span<const std::pair<std::string, std::string>> fields);

}  // namespace reef::http
