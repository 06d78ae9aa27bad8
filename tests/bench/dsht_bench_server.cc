// SPDX-License-Identifier: Apache-2.0
//
// dsht_bench_server: nodes of the index alone, under gRPC as in the program `reef`, to be measured
// beside other hash tables (tests/bench/compare-dsht).
//
//   dsht_bench_server 127.0.0.1:8500                  the first node of a network, one process
//   dsht_bench_server 127.0.0.1:0 64 127.0.0.1:8500   64 more that join it, each on its own port
//
// Prints "ready" when all have joined, ends on SIGTERM or SIGINT.

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/runtime/clock.h"
#include "base/runtime/metrics.h"
#include "dsht/rpc/driver.h"
#include "tests/bench/stop_signal.h"

namespace reef::dsht {
namespace {

constexpr uint64_t kNodesMax = 256;
constexpr Duration kJoinPatience = std::chrono::seconds(60);

DriverOptions OptionsOf(const Endpoint& listen, uint64_t number) {
  DriverOptions options;
  options.id = Id::Hash(listen.ToString() + " " + std::to_string(number));
  options.listen = listen;
  options.http = {listen.address, 8090};
  options.dns = {listen.address, 53};
  options.seed = number + 1;
  // One generator stands for many askers: the bounds of one sender are judged, as in a node, but
  // never reached.
  options.node.source_rate = 1'000'000'000;
  options.node.source_burst = 1'000'000'000;
  options.node.values_per_source_max = 1 << 30;
  options.calls_per_source_max = options.calls_max;
  return options;
}

bool AllJoined(const std::vector<std::unique_ptr<Driver>>& nodes) {
  for (const auto& node : nodes) {
    if (!node->joined()) return false;
  }
  return true;
}

int Main(const Endpoint& listen, uint64_t count, const std::vector<std::string>& seeds) {
  BlockStopSignals();

  Metrics metrics;
  std::vector<std::unique_ptr<Driver>> nodes;
  for (uint64_t i = 0; i < count; ++i) {
    nodes.push_back(std::make_unique<Driver>(OptionsOf(listen, i), metrics));
    const Status status = nodes.back()->Start();
    if (!status.ok()) {
      std::fprintf(stderr, "dsht_bench_server: %s\n", status.ToString().c_str());
      return 1;
    }
    nodes.back()->Join(seeds);
  }
  const Instant patience_ends = MonotonicNow() + kJoinPatience;
  while (!AllJoined(nodes)) {
    if (MonotonicNow() > patience_ends) {
      std::fprintf(stderr, "dsht_bench_server: not all nodes have joined\n");
      return 1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  std::puts("ready");
  std::fflush(stdout);
  AwaitStopSignal();
  for (const auto& node : nodes) node->Stop();
  return 0;
}

}  // namespace
}  // namespace reef::dsht

int main(int argc, char** argv) {
  using namespace reef;
  const auto listen = argc > 1 ? Endpoint::Parse(argv[1]) : std::nullopt;
  const auto count = argc > 2 ? ParseDecimal(argv[2]) : 1;
  if (!listen || !count || *count < 1 || *count > dsht::kNodesMax) {
    std::fprintf(stderr, "usage: %s ADDRESS:PORT [NODES [SEED ADDRESS:PORT]]\n", argv[0]);
    return 2;
  }
  return dsht::Main(*listen, *count, {argv + std::min(argc, 3), argv + argc});
}
