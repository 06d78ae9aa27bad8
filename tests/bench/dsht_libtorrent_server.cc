// SPDX-License-Identifier: Apache-2.0
//
// dsht_libtorrent_server: one node of libtorrent's DHT on loopback, to be measured beside ours:
// the library's defaults, but for the bounds on how much one address may ask and how much is sent
// and kept. Built by tests/bench/compare-dsht.
//
//   dsht_libtorrent_server PORT PEERS_FROM PEERS
//
// The peers (dsht_udp_load --peers) listen on PEERS_FROM and the ports after it. Prints "ready",
// ends on SIGTERM or SIGINT.

#include <cstdio>
#include <cstdlib>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/settings_pack.hpp>
#include <string>
#include <utility>

#include "tests/bench/stop_signal.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s PORT PEERS_FROM PEERS\n", argv[0]);
    return 2;
  }
  reef::BlockStopSignals();

  using lt::settings_pack;
  settings_pack settings;
  settings.set_str(settings_pack::listen_interfaces, std::string("127.0.0.1:") + argv[1]);
  settings.set_str(settings_pack::dht_bootstrap_nodes, "");
  settings.set_bool(settings_pack::enable_dht, true);
  settings.set_bool(settings_pack::enable_lsd, false);
  settings.set_bool(settings_pack::enable_upnp, false);
  settings.set_bool(settings_pack::enable_natpmp, false);
  // All peers here have one address.
  settings.set_bool(settings_pack::dht_restrict_routing_ips, false);
  settings.set_bool(settings_pack::dht_restrict_search_ips, false);
  settings.set_int(settings_pack::dht_block_ratelimit, 100'000'000);
  settings.set_int(settings_pack::dht_upload_rate_limit, 500'000'000);
  settings.set_int(settings_pack::dht_max_torrents, 200'000);
  lt::session session(lt::session_params(std::move(settings)));
  for (int i = 0; i < std::atoi(argv[3]); ++i) {
    session.add_dht_node({"127.0.0.1", std::atoi(argv[2]) + i});
  }
  std::puts("ready");
  std::fflush(stdout);
  reef::AwaitStopSignal();
  return 0;
}
