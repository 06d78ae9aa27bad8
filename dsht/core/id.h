// SPDX-License-Identifier: Apache-2.0
//
// Id: a point of the DSHT's 160-bit space, for keys and nodes alike, with XOR distance
// (Maymounkov and Mazieres, Kademlia, IPTPS 2002). A node's id is the first 160 bits of SHA-256 of
// its Ed25519 public key, so that an id can be proved (docs/dsht.md, "Ids").
//
// A value; ordered as a big-endian unsigned number. Any thread.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace reef::dsht {

inline constexpr int kIdBits = 160;
inline constexpr size_t kIdBytes = kIdBits / 8;

struct Id {
  std::array<uint8_t, kIdBytes> bytes{};

  // The first 160 bits of SHA-256 of `text`.
  static Id Hash(std::string_view text);
  // Exactly 20 bytes; nullopt otherwise.
  static std::optional<Id> FromBytes(std::string_view raw);
  static std::optional<Id> FromHex(std::string_view hex);

  std::string_view AsBytes() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string ToHex() const;
  // The first eight hex digits, for logs.
  std::string Short() const { return ToHex().substr(0, 8); }

  // Bit 0 is the most significant.
  bool Bit(int index) const {
    return (bytes[static_cast<size_t>(index / 8)] >> (7 - index % 8)) & 1;
  }

  // As the defaults; with a constant length the compiler needs no call, and ids are compared all
  // the time.
  friend bool operator==(const Id& a, const Id& b) {
    return std::memcmp(a.bytes.data(), b.bytes.data(), kIdBytes) == 0;
  }
  friend std::strong_ordering operator<=>(const Id& a, const Id& b) {
    const uint64_t head_a = a.Head();
    const uint64_t head_b = b.Head();
    if (head_a != head_b) return head_a <=> head_b;
    return std::memcmp(a.bytes.data(), b.bytes.data(), kIdBytes) <=> 0;
  }

  // The first 64 bits as a number: decides nearly every comparison.
  uint64_t Head() const {
    uint64_t x;
    std::memcpy(&x, bytes.data(), sizeof x);
    return std::endian::native == std::endian::little ? __builtin_bswap64(x) : x;
  }
};

using Key = Id;
using NodeId = Id;

// XOR distance: smaller is closer, by operator<.
Id Distance(const Id& a, const Id& b);

// The number of leading bits that a and b share: 0 to 160.
int SharedPrefix(const Id& a, const Id& b);

inline uint64_t Head(const Id& id) {
  return id.Head();
}

// True if a is strictly closer to key than b.
bool Closer(const Key& key, const Id& a, const Id& b);

}  // namespace reef::dsht
