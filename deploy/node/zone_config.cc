// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/zone_config.h"

#include <algorithm>
#include <cstdint>
#include <map>

#include "base/bytes.h"
#include "base/check.h"
#include "base/endpoint.h"

namespace reef::deploy {
namespace {

// Ordered: a map of protobuf has no order; answers have.
template <typename Map>
auto Ordered(const Map& map) {
  return std::map<std::string, typename Map::mapped_type>(map.begin(), map.end());
}

IpAddress AddressOf(const std::string& text) {
  const std::optional<IpAddress> address = IpAddress::Parse(text);
  REEF_CHECK(address.has_value()) << text;
  return *address;
}

void AddRecords(const std::string& name, const config::Records& records, dns::ZoneOptions* zone) {
  const auto add = [&](uint16_t type, std::string rdata) {
    zone->records.push_back(
        {name, type, static_cast<uint32_t>(records.ttl().seconds()), std::move(rdata)});
  };
  for (const std::string& text : records.txt()) add(dns::kTxt, dns::TxtRdata(text));
  for (const std::string& text : records.addresses()) {
    const IpAddress address = AddressOf(text);
    add(address.is_v4() ? dns::kA : dns::kAaaa, dns::AddressRdata(address));
  }
  for (const std::string& text : records.caa()) add(dns::kCaa, CaaRdataOf(text).value());
}

}  // namespace

dns::ZoneOptions ZoneOptionsOf(const config::Config& config) {
  dns::ZoneOptions zone;
  zone.name = config.zone();
  for (const auto& [name, server] : Ordered(config.ns())) {
    for (const std::string& text : server.addresses()) {
      zone.name_servers.push_back({name, AddressOf(text)});
    }
  }
  for (const auto& [name, records] : Ordered(config.dns().records())) {
    AddRecords(name, records, &zone);
  }
  return zone;
}

std::optional<std::string> CaaRdataOf(std::string_view text) {
  constexpr size_t kTagMax = 255;
  const size_t tag_at = text.find(' ');
  const size_t value_at = text.find(' ', tag_at + 1);
  if (tag_at == std::string_view::npos || value_at == std::string_view::npos) return std::nullopt;
  const std::optional<uint64_t> flags = ParseDecimal(text.substr(0, tag_at));
  const std::string_view tag = text.substr(tag_at + 1, value_at - tag_at - 1);
  std::string_view value = text.substr(value_at + 1);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  const auto is_good = [](char c) {
    return IsDigit(c) || (AsciiLower(c) >= 'a' && AsciiLower(c) <= 'z');
  };
  if (!flags || *flags > 255 || tag.empty() || tag.size() > kTagMax ||
      !std::ranges::all_of(tag, is_good)) {
    return std::nullopt;
  }
  return dns::CaaRdata(static_cast<uint8_t>(*flags), tag, value);
}

}  // namespace reef::deploy
