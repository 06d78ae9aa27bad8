// SPDX-License-Identifier: Apache-2.0
//
// Resolver: the addresses of an origin's host name, by c-ares on the caller's loop, with a bounded
// cache that keeps to the records' TTL and joins concurrent questions for one name.
//
// One per loop; used on that loop only; never blocks. An address literal is answered without a
// query. /etc/hosts is honoured unless Options::servers is set.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/runtime/event_loop.h"
#include "base/status.h"

namespace reef::http {

struct ResolverOptions {
  std::vector<Endpoint> servers;  // empty: those of /etc/resolv.conf
  Duration attempt_timeout = std::chrono::seconds(2);
  int attempts = 2;
  size_t cache_entries_max = 10'000;
  size_t pending_max = 1'000;  // names being asked for; beyond: Unavailable at once
  Duration ttl_min = std::chrono::seconds(1);
  Duration ttl_max = std::chrono::hours(1);
  Duration negative_ttl = std::chrono::seconds(5);
};

class Resolver {
 public:
  using Done = std::function<void(StatusOr<std::vector<IpAddress>>)>;

  Resolver(const ResolverOptions& options, EventLoop& loop);
  ~Resolver();  // pending answers do not run
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `done` runs once, never inline, with at least one address: IPv4 first, else as the server gave
  // them. NotFound: the name does not exist or has no address; Unavailable: no server answered.
  // After Cancel it does not run.
  uint64_t Resolve(const std::string& host, Done done);
  void Cancel(uint64_t id);

  struct Stats {
    uint64_t queries = 0;     // sent to c-ares
    uint64_t cache_hits = 0;  // literals not counted
    uint64_t joined = 0;
    uint64_t failures = 0;
  };
  const Stats& stats() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace reef::http
