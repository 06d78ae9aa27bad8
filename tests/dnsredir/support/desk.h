// SPDX-License-Identifier: Apache-2.0
//
// ResponderDesk: one responder over its zones and one view; a test hands in queries and reads the
// answers. One thread.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "dnsredir/core/responder.h"
#include "tests/dnsredir/support/message.h"
#include "tests/dnsredir/support/nodes.h"

namespace reef::dns {

inline constexpr Instant kNow = Instant(std::chrono::hours(1));

inline std::vector<Zone> ZonesOf(const std::vector<ZoneOptions>& options) {
  std::vector<Zone> zones;
  for (const ZoneOptions& o : options) {
    StatusOr<Zone> zone = Zone::Make(o);
    REEF_CHECK(zone.ok()) << zone.status().ToString();
    zones.push_back(*std::move(zone));
  }
  return zones;
}

struct ResponderDesk {
  ResponderDesk(const std::vector<ZoneOptions>& zone_options,
                const std::vector<dsht::NodeInfo>& nodes, ResponderOptions options = {})
      : zones(ZonesOf(zone_options)),
        view(kNow, nodes, nodes, NodeAt("198.51.100.99", 0x99)),
        responder(zones, Rng(1), std::move(options)) {}

  // The raw answer; empty for silence.
  std::string AskRaw(const std::string& query, Transport transport = Transport::kUdp,
                     Instant now = kNow) {
    std::vector<uint8_t> buffer(std::max<size_t>(query.size(), 65535));
    std::ranges::copy(query, buffer.begin());
    const size_t size = responder.Answer(
        now, Packet{buffer.data(), query.size(), buffer.size(), transport, client}, view);
    return {buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(size)};
  }

  ParsedMessage Ask(const QuerySpec& query, Transport transport = Transport::kUdp,
                    Instant now = kNow) {
    const std::string raw = AskRaw(query.Bytes(), transport, now);
    const std::optional<ParsedMessage> parsed = ParsedMessage::Parse(raw);
    REEF_CHECK(parsed.has_value()) << "answer does not parse";
    return *parsed;
  }

  std::vector<Zone> zones;
  ProxyView view;
  Responder responder;
  IpAddress client = IpAddress::V4({203, 0, 113, 7});
};

}  // namespace reef::dns
