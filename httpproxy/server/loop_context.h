// SPDX-License-Identifier: Apache-2.0
//
// LoopContext: what the connections and exchanges of one loop share: the options, the cache, the
// desk where misses are asked for, deadlines, scratch memory, counters. Nothing in it is shared
// between loops but what is thread-safe of itself.
//
// Owned by Proxy. On its loop's thread (Counters: read from any).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/runtime/event_loop.h"
#include "base/runtime/metrics.h"
#include "base/runtime/socket.h"
#include "httpproxy/core/host_name.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/http_date.h"
#include "httpproxy/core/policy.h"
#include "httpproxy/server/access_log.h"
#include "httpproxy/server/deadline_queue.h"
#include "httpproxy/server/fan_out.h"
#include "httpproxy/server/fetch_desk.h"
#include "httpproxy/server/invalidations.h"
#include "httpproxy/server/listener.h"
#include "httpproxy/server/output_queue.h"
#include "httpproxy/server/proxy_options.h"
#include "httpproxy/store/cache.h"

namespace reef::http {

class Connection;
class Exchange;

// Where an answer came from.
enum class Source : uint8_t { kHit, kStale, kPeer, kOrigin, kPass, kError };
inline constexpr size_t kSourceCount = 6;
std::string_view SourceName(Source source);

// Written by one thread, read by any: an add is a load and a store.
class LoopCounter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Sub(uint64_t n) { Add(0 - n); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// How peers' requests ended.
enum class PeerServed : uint8_t { kServed, kNotHeld, kBusy, kOrder, kUncacheable, kFailed };
inline constexpr size_t kPeerServedCount = 6;
// Why connections were closed by us before their time.
enum class TimedOut : uint8_t { kIdle, kHead, kBody, kWrite, kLinger, kHalfClosed };
inline constexpr size_t kTimedOutCount = 6;

struct Counters {
  std::array<LoopCounter, kSourceCount> requests;
  std::array<LoopCounter, 6> answers;  // by status / 100
  LoopCounter collapsed;               // waited for another asker's fetch
  LoopCounter collapsed_origin;        // of those, of one that the origin answered
  LoopCounter not_modified;            // 304 from the cache
  LoopCounter ranges;                  // 206 from the cache
  LoopCounter cut;                     // responses that did not reach their end
  LoopCounter bytes_in, bytes_out;
  LoopCounter accepted, open, refused, accept_failures;
  std::array<LoopCounter, kParseErrorCount> parse_errors;
  LoopCounter body_errors;  // of the chunked coding
  std::array<LoopCounter, kHostVerdictCount> host_refusals;
  LoopCounter loops_refused;  // requests that came through this CDN before
  std::array<LoopCounter, kTimedOutCount> timeouts;
  std::array<LoopCounter, kPeerServedCount> peers;
};

// What is the same for all loops.
struct ProxyState {
  ProxyState(const ProxyOptions& o, Cache& c) : options(o), cache(c), fan_out(o.peer_readers_max) {}

  const ProxyOptions options;
  Cache& cache;
  FanOut fan_out;
  Invalidations invalidations;
  const SitePolicy open_zone = SitePolicy::OpenZone();
  const SitePolicy named_site = SitePolicy::NamedSite();
};

// First-byte times of answers by source; shared by the loops.
using FirstByteHistograms = std::array<Histogram*, kSourceCount>;

class LoopContext {
 public:
  static constexpr size_t kReadBytes = 64 * 1024;

  LoopContext(ProxyState& shared, EventLoop& on, FetchDesk& fetches, Counters& counts,
              const FirstByteHistograms& histograms);
  ~LoopContext();
  LoopContext(const LoopContext&) = delete;
  LoopContext& operator=(const LoopContext&) = delete;

  void Listen(UniqueFd socket);
  // Takes no new connections and closes each as soon as it owes nothing. `drained` runs once none
  // is left.
  void Drain(Task drained);
  // Closes everything at once.
  void Close();

  void Destroy(Connection& connection);
  std::unique_ptr<Exchange> TakeExchange();
  void GiveBack(std::unique_ptr<Exchange> exchange);
  // The time as a Date field, made once a second.
  std::string_view Date(WallTime now);
  bool draining() const { return draining_; }

  ProxyState& state;
  const ProxyOptions& options;
  EventLoop& loop;
  FetchDesk& desk;
  Counters& counters;
  const FirstByteHistograms& first_byte;
  AccessLog access_log;

  DeadlineQueue idle, head, body, write, linger, half_closed;

  // Scratch, of whoever runs on the loop, until it returns.
  const std::unique_ptr<char[]> read_buffer{new char[kReadBytes]};
  RequestHead request;
  FieldTable upstream_fields;
  std::string text;
  // Memory for the output of the connection that is handled; swapped in and out.
  OutputQueue spare_queue;

 private:
  void OnAccepted(UniqueFd client, const Endpoint& peer);
  void FinishDrain();

  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Exchange>> spare_exchanges_;
  const size_t connections_max_;
  bool draining_ = false;
  Task drained_;
  int64_t date_second_ = -1;
  std::array<char, kHttpDateBytes> date_{};
};

}  // namespace reef::http
