// SPDX-License-Identifier: Apache-2.0
//
// What one answer costs without its sockets. Budget: docs/dns.md, "Speed".
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/check.h"
#include "dnsredir/core/responder.h"
#include "tests/dnsredir/support/message.h"
#include "tests/dnsredir/support/nodes.h"

namespace reef::dns {
namespace {

constexpr Instant kNow = Instant(std::chrono::hours(1));

std::vector<Zone> MakeZones() {
  ZoneOptions options;
  options.name_servers = {{"ns1.nyud.net", IpAddress::V4({192, 0, 2, 53})}};
  StatusOr<Zone> zone = Zone::Make(options);
  REEF_CHECK(zone.ok());
  std::vector<Zone> zones;
  zones.push_back(*std::move(zone));
  return zones;
}

ProxyView MakeView() {
  std::vector<dsht::NodeInfo> nodes;
  for (uint8_t i = 1; i <= 64; ++i) nodes.push_back(NodeAt("192.0.2." + std::to_string(i), i));
  return ProxyView(kNow, nodes, nodes, nodes[0]);
}

// Copying the query into place, what the kernel does for a server, is part of it.
void Answer(benchmark::State& state, const QuerySpec& spec) {
  const std::vector<Zone> zones = MakeZones();
  const ProxyView view = MakeView();
  ResponderOptions options;
  options.nsid = "a1b2c3d4";
  options.rate_limit.answers_per_second = 1'000'000'000;  // judged, as in a node; never beyond
  Responder responder(zones, Rng(1), options);
  const std::string query = spec.Bytes();
  std::array<uint8_t, 2048> buffer;
  for (auto _ : state) {
    std::ranges::copy(query, buffer.begin());
    benchmark::DoNotOptimize(responder.Answer(
        kNow, {buffer.data(), query.size(), buffer.size(), Transport::kUdp}, view));
  }
}

QuerySpec Spec(const std::string& name, uint16_t type, bool edns, std::string options = "") {
  QuerySpec spec;
  spec.name = name;
  spec.type = type;
  spec.edns = edns;
  spec.options = std::move(options);
  return spec;
}

const std::string kHost = "www.example.com.nyud.net";
const std::string kSubnet("\0\1\x18\0\xc0\0\2", 7);

BENCHMARK_CAPTURE(Answer, A, Spec(kHost, kA, false));
BENCHMARK_CAPTURE(Answer, A_edns, Spec(kHost, kA, true));
BENCHMARK_CAPTURE(Answer, A_edns_subnet_cookie,
                  Spec(kHost, kA, true, Option(8, kSubnet) + Option(10, "12345678")));
BENCHMARK_CAPTURE(Answer, Aaaa_nodata_edns, Spec(kHost, kAaaa, true));
BENCHMARK_CAPTURE(Answer, apex_NS_edns, Spec("nyud.net", kNs, true));
BENCHMARK_CAPTURE(Answer, nxdomain_edns, Spec("_dmarc.example.com.nyud.net", kTxt, true));
BENCHMARK_CAPTURE(Answer, refused, Spec("example.com", kA, false));
BENCHMARK_CAPTURE(Answer, formerr, Spec(std::string(64, 'x') + ".nyud.net", kA, false));

}  // namespace
}  // namespace reef::dns
