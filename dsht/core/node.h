// SPDX-License-Identifier: Apache-2.0
//
// Node: one participant of the distributed sloppy hash table, without I/O. It is told the time,
// what arrived and what the client wants; it answers with an Outbox. The same class runs under gRPC
// (dsht/rpc) and in the simulator (tests/sim). Protocol: docs/dsht.md, docs/claim.md.
//
// Deviations from CoralCDN: ids are hashes of keys; claims and withdrawals; values of a key are
// copied to the three closest nodes and handed over on leaving; a get that misses at the closest
// node asks the next two.
//
// Owned by its driver. Not thread-safe, never blocks, does no I/O. Time never runs backwards: `now`
// of each call is at least that of the call before.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/rng.h"
#include "dsht/client.h"
#include "dsht/core/message.h"
#include "dsht/core/options.h"
#include "dsht/core/outbox.h"
#include "dsht/core/peer.h"
#include "dsht/core/stats.h"

namespace reef::dsht {

struct State;

class Node {
 public:
  Node(Peer self, const Options& options, Rng rng);
  ~Node();
  Node(Node&&) noexcept;
  Node& operator=(Node&&) noexcept;

  // Inputs from the world.
  void OnMessage(Instant now, const Message& message, Outbox& out);
  // The transport gave up on a query of ours.
  void OnUnreachable(Instant now, RpcId rpc, Outbox& out);
  // To be called at or soon after NextDeadline(); at other times it does nothing.
  void OnDeadline(Instant now, Outbox& out);
  Instant NextDeadline() const;

  // Operations. Each ends with one Finished in the outbox, perhaps within this very call; the id
  // ends with it. For what they mean see dsht/client.h.

  // Contacts the seeds until one answers, then seeds the routing table. `seeds` are kept for when
  // all peers are lost. An empty list is a first node: joined at once.
  OperationId Join(Instant now, std::vector<Endpoint> seeds, Outbox& out);
  // Looks at `from_level`, or the nearest there is, and outward; 0 is the world alone, as if there
  // were no clusters. Requires: not negative.
  OperationId Get(Instant now, const Key& key, Outbox& out, int from_level = kLevelMax);
  OperationId Put(Instant now, const PutRequest& request, Outbox& out);
  OperationId Withdraw(Instant now, const Key& key, const std::string& value, Outbox& out);
  OperationId Nodes(Instant now, int level, size_t count, uint32_t services, Outbox& out);
  // Hands the entries to the next closest nodes and says goodbye. Afterwards the node answers no
  // more; only destruction is left.
  OperationId Leave(Instant now, Outbox& out);

  // The claim lives until Release, whatever is answered; a newer claim of this node for the same
  // key takes the place of an older one. Finished: ClaimAnswered once, later perhaps ClaimLost.
  OperationId Claim(Instant now, const ClaimRequest& request, Outbox& out);
  // Both ignore ids that are not live.
  void Streaming(Instant now, OperationId claim, Outbox& out);
  void Release(Instant now, OperationId claim, ClaimEnd end, Duration ttl, Outbox& out);

  // Answers at once.
  std::vector<LevelInfo> Levels(Instant now) const;
  // Both are said in every message from now on; that this node drains, to all peers at once.
  void SetDraining(Instant now, bool draining, Outbox& out);
  void SetOverloaded(bool overloaded);
  // The address we publish, once it is known better (JoinDone::seen_as); services that were
  // published under the old one move along.
  void SetRpc(const Endpoint& rpc);

  const Peer& self() const;
  const Stats& stats() const;

  // For status pages and oracles.
  struct Gauges {
    size_t peers = 0;
    size_t keys = 0;
    size_t values = 0;
    size_t stored_bytes = 0;
    size_t leases = 0;
    size_t operations = 0;
    size_t rpcs = 0;
  };
  Gauges gauges() const;
  // The routing table of `level`, nearest to this node first.
  std::vector<NodeInfo> Peers(Instant now, int level) const;
  // What this node itself stores under `key`, live at `now`.
  std::vector<Holder> StoredHere(Instant now, const Key& key) const;

  // Puts a peer into the table as if it had just answered after `rtt`: how the simulator starts
  // thousands of nodes without a join each.
  void Acquaint(Instant now, const Peer& peer, Duration rtt);

 private:
  std::unique_ptr<State> state_;
};

}  // namespace reef::dsht
