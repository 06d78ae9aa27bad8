// SPDX-License-Identifier: Apache-2.0
//
// dns_bench_server: the DNS server alone, with 64 proxies that never change, to be measured beside
// other name servers (tests/bench/compare-dns).
//
//   dns_bench_server 127.0.0.1:8053 [PROXIES IN AN ANSWER, default 1] [WORKERS, default 1]
//
// Prints "ready", ends on SIGTERM or SIGINT.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/runtime/metrics.h"
#include "dnsredir/server/server.h"
#include "tests/bench/stop_signal.h"
#include "tests/dnsredir/support/fake_nodes.h"
#include "tests/dnsredir/support/nodes.h"

int main(int argc, char** argv) {
  using namespace reef;
  const auto endpoint = argc > 1 ? Endpoint::Parse(argv[1]) : std::nullopt;
  if (!endpoint) {
    std::fprintf(stderr, "usage: %s ADDRESS:PORT [ANSWERS] [WORKERS]\n", argv[0]);
    return 2;
  }
  BlockStopSignals();

  std::vector<dsht::NodeInfo> nodes;
  for (uint8_t i = 1; i <= 64; ++i) {
    nodes.push_back(dns::NodeAt("192.0.2." + std::to_string(i), i));
  }
  dns::FakeNodes index;
  index.SetNodes(nodes);
  Metrics metrics;
  dns::Server::Options options;
  options.listen = {*endpoint};
  options.self = nodes[0];
  options.zones.emplace_back();
  options.zones[0].answers_max = argc > 2 ? static_cast<size_t>(std::atoi(argv[2])) : 1;
  options.workers = argc > 3 ? static_cast<size_t>(std::atoi(argv[3])) : 1;
  options.rate_limit.answers_per_second = 1'000'000'000;  // judged, as in a node; never beyond
  dns::Server server(options, index, metrics);
  const Status status = server.Start();
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  AwaitStopSignal();
  server.Stop();
  return 0;
}
