// SPDX-License-Identifier: Apache-2.0
#include "base/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace reef {
namespace {

struct Block {
  const char* network;
  int bits;
};

// IANA IPv4 and IPv6 special-purpose address registries (RFC 6890 and updates): all that is not
// globally reachable, and the forms that embed an IPv4 address and so could smuggle one.
constexpr Block kNotPublic[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.0.2.0", 24},
    {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24},
    {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},   {"::", 96},
    {"64:ff9b::", 96},   {"64:ff9b:1::", 48}, {"100::", 64},      {"2001::", 23},
    {"2001:db8::", 32},  {"2002::", 16},      {"3fff::", 20},     {"5f00::", 16},
    {"fc00::", 7},       {"fe80::", 10},      {"fec0::", 10},     {"ff00::", 8},
};

bool InBlock(const IpAddress& address, const IpAddress& network, int bits) {
  return address.family() == network.family() && address.Masked(bits) == network;
}

}  // namespace

IpAddress IpAddress::V4(std::array<uint8_t, 4> bytes) {
  IpAddress result;
  std::copy(bytes.begin(), bytes.end(), result.bytes_.begin());
  return result;
}

IpAddress IpAddress::V6(std::array<uint8_t, 16> bytes) {
  static constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) {
    return V4({bytes[12], bytes[13], bytes[14], bytes[15]});
  }
  IpAddress result;
  result.family_ = Family::kV6;
  result.bytes_ = bytes;
  return result;
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.size() > INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string terminated(text);
  std::array<uint8_t, 4> v4;
  // inet_pton refuses leading zeros, hex and fewer than four parts, unlike inet_aton.
  if (inet_pton(AF_INET, terminated.c_str(), v4.data()) == 1) return V4(v4);
  std::array<uint8_t, 16> v6;
  if (inet_pton(AF_INET6, terminated.c_str(), v6.data()) == 1) return V6(v6);
  return std::nullopt;
}

bool IpAddress::IsUnspecified() const {
  return std::ranges::all_of(bytes(), [](uint8_t b) { return b == 0; });
}

bool IpAddress::IsLoopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return InBlock(*this, V6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 128);
}

bool IpAddress::IsPublic() const {
  static const auto* const blocks = [] {
    auto* result = new std::vector<std::pair<IpAddress, int>>;
    for (const Block& b : kNotPublic) result->emplace_back(*Parse(b.network), b.bits);
    return result;
  }();
  return std::ranges::none_of(*blocks,
                              [this](const auto& b) { return InBlock(*this, b.first, b.second); });
}

IpAddress IpAddress::Masked(int bits) const {
  REEF_CHECK(bits >= 0);
  IpAddress result = *this;
  for (size_t i = 0; i < bytes().size(); ++i) {
    const int kept = std::clamp(bits - static_cast<int>(i) * 8, 0, 8);
    result.bytes_[i] = static_cast<uint8_t>(result.bytes_[i] & (0xff00 >> kept));
  }
  return result;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
}

std::optional<Endpoint> Endpoint::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<uint64_t> port = ParseDecimal(text.substr(colon + 1));
  if (!port || *port > 65535) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const std::optional<IpAddress> address = IpAddress::Parse(host);
  if (!address) return std::nullopt;
  const bool v6_text = host.find(':') != std::string_view::npos;
  if (v6_text != bracketed) return std::nullopt;
  return Endpoint{*address, static_cast<uint16_t>(*port)};
}

std::string Endpoint::ToString() const {
  const std::string host = address.ToString();
  return (address.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

}  // namespace reef
