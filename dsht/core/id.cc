// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/id.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "base/hash.h"

namespace reef::dsht {
namespace {

uint64_t LoadBig64(const uint8_t* p) {
  uint64_t x;
  std::memcpy(&x, p, sizeof x);
  return std::endian::native == std::endian::little ? __builtin_bswap64(x) : x;
}

uint32_t LoadBig32(const uint8_t* p) {
  uint32_t x;
  std::memcpy(&x, p, sizeof x);
  return std::endian::native == std::endian::little ? __builtin_bswap32(x) : x;
}

}  // namespace

Id Id::Hash(std::string_view text) {
  const Sha256Digest digest = Sha256(text);
  Id id;
  std::copy_n(digest.begin(), kIdBytes, id.bytes.begin());
  return id;
}

std::optional<Id> Id::FromBytes(std::string_view raw) {
  if (raw.size() != kIdBytes) return std::nullopt;
  Id id;
  std::memcpy(id.bytes.data(), raw.data(), kIdBytes);
  return id;
}

std::optional<Id> Id::FromHex(std::string_view hex) {
  const std::optional<std::string> raw = reef::FromHex(hex);
  return raw ? FromBytes(*raw) : std::nullopt;
}

std::string Id::ToHex() const {
  return reef::ToHex(AsBytes());
}

Id Distance(const Id& a, const Id& b) {
  Id d;
  for (size_t i = 0; i < kIdBytes; ++i) d.bytes[i] = a.bytes[i] ^ b.bytes[i];
  return d;
}

int SharedPrefix(const Id& a, const Id& b) {
  const uint64_t high = LoadBig64(a.bytes.data()) ^ LoadBig64(b.bytes.data());
  if (high != 0) return std::countl_zero(high);
  const uint64_t middle = LoadBig64(a.bytes.data() + 8) ^ LoadBig64(b.bytes.data() + 8);
  if (middle != 0) return 64 + std::countl_zero(middle);
  const uint32_t low = LoadBig32(a.bytes.data() + 16) ^ LoadBig32(b.bytes.data() + 16);
  return 128 + std::countl_zero(low);
}

bool Closer(const Key& key, const Id& a, const Id& b) {
  const uint64_t k0 = LoadBig64(key.bytes.data());
  const uint64_t a0 = LoadBig64(a.bytes.data()) ^ k0;
  const uint64_t b0 = LoadBig64(b.bytes.data()) ^ k0;
  if (a0 != b0) return a0 < b0;
  const uint64_t k1 = LoadBig64(key.bytes.data() + 8);
  const uint64_t a1 = LoadBig64(a.bytes.data() + 8) ^ k1;
  const uint64_t b1 = LoadBig64(b.bytes.data() + 8) ^ k1;
  if (a1 != b1) return a1 < b1;
  const uint32_t k2 = LoadBig32(key.bytes.data() + 16);
  return (LoadBig32(a.bytes.data() + 16) ^ k2) < (LoadBig32(b.bytes.data() + 16) ^ k2);
}

}  // namespace reef::dsht
