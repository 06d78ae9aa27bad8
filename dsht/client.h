// SPDX-License-Identifier: Apache-2.0
//
// Client: all that the HTTP proxy and the DNS redirector see of the index, the distributed sloppy
// hash table. Implemented by the node in this process (dsht/rpc/driver.h) and by a fake in tests.
//
// Threads: every method from any thread; none blocks. A callback runs exactly once (unless said
// otherwise) on the DSHT's own thread, which it must not block: a caller posts to its own loop.
// After the implementation's Stop, pending callbacks are run with "no answer".
//
// Semantics follow CoralCDN (Freedman, Freudenthal, Mazieres, NSDI 2004, section 2.3), plus Claim
// and Withdraw, which Coral lacked (docs/dsht.md).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "dsht/core/id.h"

namespace reef::dsht {

// Who published a value, and the value: small and opaque to the index. The proxies' values are
// the text of their HTTP endpoint.
struct Holder {
  NodeId node{};
  std::string value{};
  bool complete = false;  // false: still filling, a short reference
  int level = 0;          // of the cluster in which it was found: 2 near, 0 world

  friend bool operator==(const Holder&, const Holder&) = default;
};

struct PutRequest {
  Key key{};
  std::string value{};  // at most kValueBytesMax
  Duration ttl{};
  bool complete = true;
};
inline constexpr size_t kValueBytesMax = 128;

struct ClaimRequest {
  Key key{};
  std::string value{};            // our own reference, handed to others while we hold the claim
  std::vector<NodeId> exclude{};  // holders that failed us: steers this claim only (complaint)
  // Holders that have no more of it than we have: not named again unless they lead, or have all.
  std::vector<NodeId> behind{};
};

struct ClaimAnswer {
  enum class Kind {
    kFirst,        // nobody holds it: fetch it; the node renews the lease until Release
    kHeld,         // read from `holders`, best first
    kUncacheable,  // marked so for `marker_left` more: fetch for yourself, tell nobody
    kNoAnswer,     // the index did not answer within its budget: fetch without a claim, counted
  };
  Kind kind = Kind::kNoAnswer;
  std::vector<Holder> holders{};
  Duration marker_left{};
  // The outermost level at which this attempt is first (0 when kFirst at the world's level), or
  // kRankNone. A reader attaches only to a holder of strictly lower rank or with a head.
  int rank = 3;
};
inline constexpr int kRankNone = 3;

enum class ClaimEnd {
  kComplete,     // publish a long reference of `ttl`, then give the lease up
  kUncacheable,  // leave a marker for a minute, so that waiters stop asking
  kFailed,       // give the lease up now, so that another takes over at once
};

// Names one attempt of this process, from Claim until Release.
using ClaimId = uint64_t;

enum Service : uint32_t { kServiceHttp = 1, kServiceDns = 2 };

// A node as the redirector sees it.
struct NodeInfo {
  NodeId id{};
  Endpoint rpc{};   // DSHT gRPC
  Endpoint http{};  // port 0: runs no proxy
  Endpoint dns{};   // port 0: runs no name server
  bool draining = false;
  bool overloaded = false;
  Duration rtt{};           // minimum seen; zero for this node itself
  Duration verified_ago{};  // since it last answered us directly

  friend bool operator==(const NodeInfo&, const NodeInfo&) = default;
};

struct LevelInfo {
  int level = 0;
  Duration diameter{};    // zero: unbounded (level 0)
  std::string cluster{};  // hex id
  uint64_t size_estimate = 0;
};

class Client {
 public:
  virtual ~Client() = default;

  // Some of the live values under `key`; empty if none is found or the index does not answer.
  virtual void Get(const Key& key, std::function<void(std::vector<Holder>)> done) = 0;

  // Stores our reference. Best effort: the outcome is counted, not reported. The caller renews it.
  virtual void Put(PutRequest request) = 0;

  // Removes our own reference where it was stored. Best effort.
  virtual void Withdraw(const Key& key, const std::string& value) = 0;

  // Get-or-put in one walk: decides who fetches (docs/claim.md). `answered` runs once. After
  // kFirst, `lost` may run once, later, if the lease is taken away: stop being the leader.
  // Every claim must be ended by Release, whatever the answer.
  virtual ClaimId Claim(ClaimRequest request, std::function<void(ClaimAnswer)> answered,
                        std::function<void()> lost) = 0;

  // The response head is here: readers may attach whatever their rank.
  virtual void Streaming(ClaimId claim) = 0;

  // Ends an attempt; `ttl` counts for kComplete only. Afterwards no callback of it runs, except
  // one that is already running.
  virtual void Release(ClaimId claim, ClaimEnd end, Duration ttl) = 0;

  // Up to `count` nodes of this node's cluster at `level` that run all of `services` (a mask) and
  // answered this node lately; this node itself included.
  virtual void Nodes(int level, size_t count, uint32_t services,
                     std::function<void(std::vector<NodeInfo>)> done) = 0;

  // What this node is in, nearest level first.
  virtual void Levels(std::function<void(std::vector<LevelInfo>)> done) = 0;

  // Tells the others, at once and with every message from now on, that this node should get no new
  // clients.
  virtual void SetDraining(bool draining) = 0;
};

}  // namespace reef::dsht
