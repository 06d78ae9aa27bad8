// SPDX-License-Identifier: Apache-2.0
//
// Server: the DNS redirector of one node: authoritative for its zones over UDP and TCP, answering
// with proxies that the index says are alive (docs/dns.md).
//
// Threads: `workers` for each endpoint that block in recvmmsg (udp_worker.h), and one event loop
// for TCP and the refreshing of the view (tcp_server.h). They share nothing but a view of the
// proxies, handed over without a lock. All methods from the thread that owns the Server, except
// Refresh: any. Start binds and returns; Stop waits for the threads.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/runtime/metrics.h"
#include "base/status.h"
#include "dnsredir/core/rate_limiter.h"
#include "dnsredir/core/zone.h"
#include "dsht/client.h"

namespace reef::dns {

class Server {
 public:
  struct Options {
    // Each over UDP and TCP; port 0: any free one, the same for both. [::] takes IPv6 alone: to
    // listen on everything, give 0.0.0.0 and [::].
    std::vector<Endpoint> listen;
    std::vector<ZoneOptions> zones;
    dsht::NodeInfo self;  // this node as it is advertised: the last resort of an answer
    size_t workers = 1;   // UDP threads for each endpoint, 1 to 64
    Duration refresh_interval = std::chrono::seconds(5);
    uint64_t seed = 1;                // of the choice among proxies
    RateLimiter::Options rate_limit;  // a worker

    size_t tcp_connections_max = 256;  // at the limit the longest idle one goes, counted
    Duration tcp_idle_max = std::chrono::seconds(10);  // RFC 7766, 6.2.3
  };

  // `client` and `metrics` are borrowed and outlive this.
  Server(Options options, dsht::Client& client, Metrics& metrics);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds and starts to answer; an error names the endpoint, the zone or the option. Once.
  Status Start();

  // As bound, in the order of Options::listen. Requires: Start succeeded.
  const std::vector<Endpoint>& endpoints() const;

  // Asks the index for proxies and name servers now rather than at the next interval.
  void Refresh();

  // This node is leaving: takes no new TCP connections and refreshes the view, so that it stops
  // naming itself (the caller has told the index before). UDP is answered until Stop: resolvers
  // still have this server's address.
  void Drain();

  // Ends the threads and closes the sockets. Idempotent.
  void Stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace reef::dns
