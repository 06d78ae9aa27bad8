// SPDX-License-Identifier: Apache-2.0
//
// dsht_opendht_server: one OpenDHT node on loopback, to be measured beside ours. The packaged
// `dhtnode` listens everywhere and answers 1,600 queries a second at most; this one has neither
// property, else the library's defaults. Built by tests/bench/compare-dsht.
//
//   dsht_opendht_server PORT PEERS_FROM PEERS
//
// The peers (dsht_udp_load --peers) listen on PEERS_FROM and the ports after it. Prints "ready",
// ends on SIGTERM or SIGINT.
#include <opendht.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/bench/stop_signal.h"

namespace {

dht::SockAddr Loopback(int port) {
  dht::SockAddr address;
  address.setFamily(AF_INET);
  address.setAddress("127.0.0.1");
  address.setPort(static_cast<in_port_t>(port));
  return address;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s PORT PEERS_FROM PEERS\n", argv[0]);
    return 2;
  }
  reef::BlockStopSignals();

  dht::DhtRunner::Config config;
  config.dht_config.node_config.max_req_per_sec = -1;
  config.dht_config.node_config.max_peer_req_per_sec = -1;
  config.dht_config.node_config.max_store_size = -1;
  config.dht_config.node_config.max_store_keys = -1;
  config.bind4 = Loopback(std::atoi(argv[1]));  // and nothing of IPv6
  dht::DhtRunner node;
  node.run(config, dht::DhtRunner::Context());
  std::vector<dht::SockAddr> peers;
  for (int i = 0; i < std::atoi(argv[3]); ++i) peers.push_back(Loopback(std::atoi(argv[2]) + i));
  node.bootstrap(std::move(peers));
  std::puts("ready");
  std::fflush(stdout);
  reef::AwaitStopSignal();
  node.join();
  return 0;
}
