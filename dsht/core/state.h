// SPDX-License-Identifier: Apache-2.0
//
// State: all that one node knows, shared by its operations, its answers and its upkeep. The parts
// keep their own invariants; this struct only puts them side by side.
//
// Owned by Node, which lets one input at a time see it. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/rng.h"
#include "dsht/core/clusters.h"
#include "dsht/core/lease_table.h"
#include "dsht/core/operation.h"
#include "dsht/core/options.h"
#include "dsht/core/peer.h"
#include "dsht/core/rate_guard.h"
#include "dsht/core/recent.h"
#include "dsht/core/routing_table.h"
#include "dsht/core/rpc_table.h"
#include "dsht/core/sightings.h"
#include "dsht/core/stats.h"
#include "dsht/core/upkeep.h"
#include "dsht/core/value_store.h"

namespace reef::dsht {

struct State {
  State(Peer self_peer, const Options& node_options, Rng node_rng);
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  RoutingTable& world() { return tables.front(); }
  const RoutingTable& world() const { return tables.front(); }
  RoutingTable& TableOf(int level) { return tables[static_cast<size_t>(level)]; }
  const RoutingTable& TableOf(int level) const { return tables[static_cast<size_t>(level)]; }
  // In whichever table it is; null: in none.
  const RoutingTable::Entry* EntryOf(const NodeId& id) const;

  // In every cluster but the world.
  bool IsAlone() const;
  // The nearest level at which that node is known to be in our cluster, `otherwise` if it is in
  // none.
  int NearestLevelOf(const NodeId& id, int otherwise) const;

  // The peers of all tables, those of the world first, nearest to this node's id first in each.
  std::vector<Peer> AllPeers() const;
  // It is gone, from wherever it was.
  void Forget(const NodeId& id);

  // Before the first input.
  void Begin(Instant now);

  Peer self;
  const Options options;
  Rng rng;
  Stats stats;

  // By level, the world first.
  std::vector<RoutingTable> tables;
  Clusters clusters;
  Sightings sightings;
  RoundTrip usual_rtt;  // of whatever peers answer: what to expect of one that is not known
  RpcTable rpcs;
  ValueStore values;
  LeaseTable leases;
  RateGuard loaded;   // by key
  RateGuard sources;  // by sender
  // Keys that cannot be shared: remembered until the next claim may look again.
  Recent<Key> markers;
  // Nodes that failed every try of ours lately, whether or not they were in the table, at the
  // address that was tried: anybody may name a wrong one for another node, or another's for a node
  // that is none.
  Recent<std::pair<NodeId, Endpoint>> unreachable;
  // Peers that said goodbye lately: what they sent before does not bring them back.
  Recent<std::pair<NodeId, Endpoint>> departed;
  // Nodes that are being pinged.
  std::set<NodeId> pinging;

  std::map<OperationId, std::unique_ptr<Operation>> operations;
  std::set<std::pair<Instant, OperationId>> timers;
  OperationId next_operation = 1;

  // Claims that were not released yet; at most one a key.
  std::map<Key, OperationId> claims;
  uint64_t next_attempt;
  // Leases of others whose holders are being checked, and those found standing lately.
  std::map<std::pair<Key, Attempt>, OperationId> checks;
  Recent<std::pair<Key, Attempt>> standing;
  // Attempts that are being passed on to the node that decides.
  std::set<std::pair<Key, Attempt>> relays;

  Upkeep upkeep;
  bool left = false;
};

}  // namespace reef::dsht
