// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/cookie.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace reef::dns {
namespace {

// RFC 9018, 4.3.
constexpr int32_t kAgeMax = 3600;
constexpr int32_t kAheadMax = 300;
constexpr int32_t kRenewAge = 1800;

constexpr uint8_t kVersion = 1;
constexpr size_t kTimeAt = kClientCookieBytes + 4;
constexpr size_t kHashAt = kClientCookieBytes + 8;

uint64_t LittleEndian64(const uint8_t* from) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | from[i];
  return value;
}

// SipHash-2-4 (Aumasson and Bernstein, 2012). Written out because it runs for each query, and the
// one of OpenSSL allocates.
class SipHash {
 public:
  explicit SipHash(const CookieSecret& key) {
    const uint64_t k0 = LittleEndian64(key.data());
    const uint64_t k1 = LittleEndian64(key.data() + 8);
    v_ = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
          k1 ^ 0x7465646279746573};
  }

  uint64_t Of(std::span<const uint8_t> bytes) {
    size_t at = 0;
    for (; bytes.size() - at >= 8; at += 8) Compress(LittleEndian64(bytes.data() + at));
    uint64_t last = static_cast<uint64_t>(bytes.size()) << 56;
    for (size_t i = at; i < bytes.size(); ++i) last |= uint64_t{bytes[i]} << (8 * (i - at));
    Compress(last);
    v_[2] ^= 0xff;
    for (int i = 0; i < 4; ++i) Round();
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  void Compress(uint64_t word) {
    v_[3] ^= word;
    Round();
    Round();
    v_[0] ^= word;
  }
  void Round() {
    v_[0] += v_[1];
    v_[1] = std::rotl(v_[1], 13) ^ v_[0];
    v_[0] = std::rotl(v_[0], 32);
    v_[2] += v_[3];
    v_[3] = std::rotl(v_[3], 16) ^ v_[2];
    v_[0] += v_[3];
    v_[3] = std::rotl(v_[3], 21) ^ v_[0];
    v_[2] += v_[1];
    v_[1] = std::rotl(v_[1], 17) ^ v_[2];
    v_[2] = std::rotl(v_[2], 32);
  }

  std::array<uint64_t, 4> v_;
};

// Of the first 16 bytes of a cookie and the client's address (RFC 9018, 4.4).
std::array<uint8_t, 8> HashOf(const CookieSecret& secret, std::span<const uint8_t> cookie,
                              const IpAddress& address) {
  std::array<uint8_t, kHashAt + 16> hashed;
  std::ranges::copy(cookie.first(kHashAt), hashed.begin());
  const std::span<const uint8_t> bytes = address.bytes();
  std::ranges::copy(bytes, hashed.begin() + kHashAt);
  const uint64_t hash = SipHash(secret).Of({hashed.data(), kHashAt + bytes.size()});
  std::array<uint8_t, 8> wire;
  for (size_t i = 0; i < wire.size(); ++i) wire[i] = static_cast<uint8_t>(hash >> (8 * i));
  return wire;
}

}  // namespace

Cookie MakeCookie(const CookieSecret& secret, std::span<const uint8_t> client,
                  const IpAddress& address, uint32_t now_s) {
  REEF_CHECK(client.size() >= kClientCookieBytes);
  Cookie cookie{};
  std::copy_n(client.begin(), kClientCookieBytes, cookie.begin());
  cookie[kClientCookieBytes] = kVersion;
  for (size_t i = 0; i < 4; ++i) {
    cookie[kTimeAt + i] = static_cast<uint8_t>(now_s >> (24 - 8 * i));
  }
  std::ranges::copy(HashOf(secret, cookie, address), cookie.begin() + kHashAt);
  return cookie;
}

CookieCheck CheckCookie(const CookieSecret& secret, std::span<const uint8_t> cookie,
                        const IpAddress& address, uint32_t now_s) {
  if (cookie.empty()) return {};
  if (cookie.size() == kClientCookieBytes) return {.state = CookieState::kNew};
  if (cookie.size() != kCookieBytes) return {.state = CookieState::kInvalid};
  uint32_t made_s = 0;
  for (size_t i = 0; i < 4; ++i) made_s = made_s << 8 | cookie[kTimeAt + i];
  // Serial number arithmetic (RFC 1982).
  const auto age = static_cast<int32_t>(now_s - made_s);
  // The reserved bytes may have any value (4.2): they are part of what is hashed.
  const std::array<uint8_t, 8> expected = HashOf(secret, cookie, address);
  // All bits are looked at whatever differs: how long it takes tells nothing.
  unsigned differing = unsigned{cookie[kClientCookieBytes]} ^ kVersion;
  for (size_t i = 0; i < expected.size(); ++i) {
    differing |= unsigned{expected[i]} ^ cookie[kHashAt + i];
  }
  if (differing != 0 || age > kAgeMax || age < -kAheadMax) return {.state = CookieState::kInvalid};
  return {.state = CookieState::kValid, .is_to_be_renewed = age > kRenewAge};
}

}  // namespace reef::dns
