// SPDX-License-Identifier: Apache-2.0
//
// MakeFiller: the Filler of one loop (filler.h) over the index, the other proxies and the origins.
//
// What it is handed is borrowed and must outlive it; it is made and destroyed on `loop`'s thread,
// or while that thread does not run.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/metrics.h"
#include "dsht/client.h"
#include "httpproxy/server/address_guard.h"
#include "httpproxy/server/filler.h"
#include "httpproxy/server/references.h"
#include "httpproxy/server/resolver.h"
#include "httpproxy/server/upstream.h"
#include "httpproxy/store/cache.h"

namespace reef::http {

struct FillerOptions {
  std::string zone = "nyud.net";
  Endpoint self;             // this node's HTTP endpoint as others reach it: its value in the index
  std::string node_hex;      // this node's id
  std::string via = "reef";  // our name in Via and Cache-Status of requests and responses
  // Host names that the configuration maps to an address, whatever the port asked for.
  std::map<std::string, Endpoint, std::less<>> origins;
  GuardOptions guard;
  ResolverOptions resolver;
  UpstreamOptions upstream;

  // A response that is not stored passes through a window of this size.
  size_t pass_through_window_bytes = 1 << 20;
  // A fill that all askers have left goes on if it has less than this to go, or more than half.
  uint64_t abandon_remaining_bytes_max = 1 << 20;
  // For an index that does not answer at all; it has shorter budgets of its own.
  Duration claim_budget = std::chrono::seconds(10);
  Duration peer_stall = std::chrono::milliseconds(1500);
  int race_max = 2;
  // Of a key whose response is not to be shared; within it, one claim each `claim_again` looks
  // whether that still holds (docs/claim.md, rule 8).
  Duration uncacheable_memory = std::chrono::seconds(60);
  Duration claim_again = std::chrono::seconds(10);
  // Of an origin that could not be resolved or reached, and of a URL that it did not answer in
  // time: neither is asked for meanwhile.
  Duration failure_memory = std::chrono::seconds(3);
  size_t memory_entries_max = 10'000;  // of each kind
  size_t fills_max = 10'000;           // running at once; beyond: 503
};

std::unique_ptr<Filler> MakeFiller(const FillerOptions& options, EventLoop& loop, Cache& cache,
                                   dsht::Client& index, References& references, Metrics& metrics);

}  // namespace reef::http
