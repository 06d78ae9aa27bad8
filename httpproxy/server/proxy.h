// SPDX-License-Identifier: Apache-2.0
//
// Proxy: the HTTP side of a node. N loops, each with its own listening socket on one port, its own
// connections and its own filler; a shared cache behind them.
//
// Made, started and stopped by main; the methods say from where else they may be called.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/runtime/metrics.h"
#include "base/status.h"
#include "dsht/client.h"
#include "httpproxy/server/loop_context.h"
#include "httpproxy/server/make_filler.h"
#include "httpproxy/server/proxy_options.h"
#include "httpproxy/server/references.h"
#include "httpproxy/store/cache.h"

namespace reef::http {

class Proxy {
 public:
  // `zone`, `name`, `origins` and `self` are told to the filler by the proxy.
  struct Options {
    ProxyOptions server;
    FillerOptions filler;
    ReferencesOptions references;
    // Where others reach this proxy: its value in the index. Port 0: the one listened on. Not set:
    // the address listened on.
    std::optional<Endpoint> advertise;
  };
  // Makes the filler of one loop, on that loop.
  using FillerFactory = std::function<std::unique_ptr<Filler>(EventLoop& loop)>;

  struct Stats {
    std::array<uint64_t, kSourceCount> requests{};  // clients', by Source
    uint64_t collapsed = 0;                         // of those, waited for another's fetch
    uint64_t origin_avoided = 0;  // answered without the origin being asked for them
    uint64_t peers_served = 0;    // other proxies' requests that were answered with an object
    uint64_t connections_open = 0;
    uint64_t bytes_in = 0, bytes_out = 0;
    uint64_t malformed = 0;  // requests that were no HTTP
  };

  // What is borrowed must outlive the proxy.
  Proxy(Options options, Cache& cache, dsht::Client& index, Metrics& metrics);
  // With fillers of one's own and no references, for tests and benchmarks.
  Proxy(const ProxyOptions& options, Cache& cache, Metrics& metrics, FillerFactory make_filler);
  ~Proxy();  // stops
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // Listens and serves; returns once it does. From then on the process ignores SIGPIPE.
  Status Start();
  // Withdraws the references, takes no new connections, ends each old one after the answer it owes;
  // waits for that, at most until `limit` is over. True: nothing was left.
  bool Drain(Duration limit);
  // Closes everything at once. Idempotent.
  void Stop();

  // After Start: where it listens. Any thread.
  Endpoint endpoint() const { return endpoint_; }
  // As others reach it.
  Endpoint advertised() const { return advertised_; }
  // Any thread.
  Stats stats() const;
  // About; any thread.
  size_t reference_count() const;

 private:
  struct Loop;
  struct AllCounters;

  void AddMetrics();

  ProxyOptions server_options_;
  FillerFactory make_filler_;
  FillerOptions filler_options_;
  ReferencesOptions references_options_;
  std::optional<Endpoint> advertise_;
  Cache& cache_;
  dsht::Client* const index_;  // null: no references
  Metrics& metrics_;

  Endpoint endpoint_;
  Endpoint advertised_;
  std::shared_ptr<AllCounters> counters_;
  FirstByteHistograms first_byte_{};
  std::unique_ptr<ProxyState> state_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::unique_ptr<References> references_;
};

}  // namespace reef::http
