// SPDX-License-Identifier: Apache-2.0
//
// Upstream: this loop's HTTP/1.1 client, towards origins and other proxies: resolve, judge the
// address, take a kept connection or connect, send, parse strictly, deliver as it arrives. It says
// how a message ended: complete by its framing, or broken. Retrying elsewhere is not its affair,
// but for the next address of a name, and a kept connection that the other side had just closed.
//
// One per loop; used on that loop only; never blocks. Bounded: connections, addresses tried, bytes
// of a head, time in each phase.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/metrics.h"
#include "base/runtime/tls.h"
#include "httpproxy/core/fetch.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/server/address_guard.h"
#include "httpproxy/server/resolver.h"
#include "httpproxy/server/upstream_connection.h"
#include "httpproxy/store/body.h"

namespace reef::http {

struct UpstreamOptions {
  Duration connect_timeout = std::chrono::seconds(3);      // of each address tried, TLS included
  Duration first_byte_timeout = std::chrono::seconds(60);  // after the request was sent
  Duration between_bytes_timeout = std::chrono::seconds(30);
  Duration paused_max = std::chrono::minutes(10);    // a reader that takes nothing: given up
  Duration idle_timeout = std::chrono::seconds(30);  // of a kept connection
  size_t idle_per_origin_max = 8;                    // beyond: the oldest is closed
  size_t idle_max = 512;
  size_t active_max = 4'096;  // requests at once; beyond: kLimit
  size_t addresses_max = 4;   // tried of one name
  std::string extra_ca_file;  // trusted beside the system's store (tests, private CAs)
};

struct UpstreamTarget {
  enum class Kind : uint8_t { kOrigin, kConfigured, kPeer };
  Kind kind = Kind::kOrigin;
  bool tls = false;
  std::string host;    // resolved if kOrigin; with `tls` sent and verified
  uint16_t port = 80;  // kOrigin
  Endpoint fixed;      // kConfigured, kPeer: connected to
};

struct UpstreamRequest {
  UpstreamTarget target;
  Method method = Method::kGet;
  std::string head;               // whole, as it is sent, framing fields included
  std::shared_ptr<Body> body;     // may be null; read from its beginning as it arrives
  bool chunked = false;           // how `body` is sent
  Duration first_byte_timeout{};  // zero: the option's
};

// What becomes of a request. `on_end` or `on_failure` is the last. Any of them may cancel. Heads
// are views that live during the call.
struct UpstreamEvents {
  std::function<void(const ResponseHead& head)> on_interim;  // 1xx
  // `sent`: when the request was.
  std::function<void(const ResponseHead& head, WallTime sent)> on_head;
  std::function<void(std::string_view bytes)> on_body;
  // `verified`: the framing said that this is all; else the end of the connection did.
  std::function<void(bool verified)> on_end;
  std::function<void(FetchFailure failure, const std::string& detail)> on_failure;
};

class Upstream {
 public:
  // `self`: this node's own proxy, for the guard. All borrowed.
  Upstream(const UpstreamOptions& options, const GuardOptions& guard, const Endpoint& self,
           EventLoop& loop, Resolver& resolver, Metrics& metrics);
  ~Upstream();  // nothing of `events` runs any more
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  // Nothing runs inline. The id is never 0.
  uint64_t Send(UpstreamRequest request, UpstreamEvents events);
  // Nothing of it runs any more. Unknown ids are ignored, here and below.
  void Cancel(uint64_t id);
  // Stops reading from the source until Resume; what was read already is still delivered.
  void Pause(uint64_t id);
  void Resume(uint64_t id);

  size_t active() const { return exchanges_.size(); }
  size_t idle() const { return idle_.size(); }

 private:
  class Exchange;
  friend class Exchange;
  // Connections to one address that are alike.
  using Route = std::tuple<Endpoint, bool, std::string>;  // address, TLS, its name
  struct Idle {
    Route route;
    std::unique_ptr<UpstreamConnection> connection;
    Instant until{};
  };

  void Run(uint64_t id);
  void Run(Exchange& exchange);
  void FileDeadline(Exchange& exchange, Instant deadline);
  void OnTimer();
  void ArmTimer();
  std::unique_ptr<UpstreamConnection> TakeIdle(const Route& route);
  void Keep(const Route& route, std::unique_ptr<UpstreamConnection> connection);
  void OnIdleReady(std::list<Idle>::iterator idle);
  void DropIdle(std::list<Idle>::iterator idle);
  void PostLater(std::function<void()> task);

  const UpstreamOptions options_;
  const GuardOptions guard_;
  const Endpoint self_;
  EventLoop& loop_;
  Resolver& resolver_;
  std::unique_ptr<TlsClientContext> tls_;
  std::string tls_trouble_;  // why there is none

  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uint64_t next_id_ = 1;
  std::map<uint64_t, std::unique_ptr<Exchange>> exchanges_;
  std::set<std::pair<Instant, uint64_t>> deadlines_;
  std::list<Idle> idle_;  // oldest first
  std::map<Route, std::vector<std::list<Idle>::iterator>> idle_by_route_;
  Timer timer_;
  std::unique_ptr<char[]> scratch_;  // what was read, until it is delivered
  ResponseHead head_;                // large; of whoever parses

  Counter& connects_;
  Counter& reuses_;
  Counter& stale_reuses_;
  std::array<Counter*, 4> guard_refusals_;  // by verdict
  std::array<Counter*, 8> tls_errors_;      // by TlsError
};

}  // namespace reef::http
