// SPDX-License-Identifier: Apache-2.0
//
// IpAddress and Endpoint: an IPv4 or IPv6 address, and one with a port. Values without I/O;
// base/runtime/socket.h turns them into sockaddr. Any thread.
//
// IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) become IPv4 when made, so that one host has one
// spelling and no check is evaded by the other.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace reef {

class IpAddress {
 public:
  enum class Family : uint8_t { kV4, kV6 };

  // 0.0.0.0
  IpAddress() = default;
  static IpAddress V4(std::array<uint8_t, 4> bytes);
  static IpAddress V6(std::array<uint8_t, 16> bytes);

  // Dotted quad (four decimal numbers, no leading zeros) or RFC 4291 text, without brackets, zone
  // or port; nullopt otherwise.
  static std::optional<IpAddress> Parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::kV4; }
  // 4 or 16 bytes, network order; borrowed from this value.
  std::span<const uint8_t> bytes() const { return {bytes_.data(), is_v4() ? 4u : 16u}; }

  bool IsUnspecified() const;
  bool IsLoopback() const;
  // True only for addresses that may be reached across the public Internet (IANA special-purpose
  // registries, RFC 6890): not loopback, private, link-local, carrier NAT, multicast, reserved,
  // documentation, NAT64 or 6to4 forms.
  bool IsPublic() const;

  // The address with all but the first `bits` bits cleared.
  IpAddress Masked(int bits) const;

  std::string ToString() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Family family_ = Family::kV4;
  std::array<uint8_t, 16> bytes_{};
};

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;

  // "1.2.3.4:80" or "[2001:db8::1]:80"; nullopt otherwise.
  static std::optional<Endpoint> Parse(std::string_view text);
  std::string ToString() const;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

}  // namespace reef
