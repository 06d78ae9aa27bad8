// SPDX-License-Identifier: Apache-2.0
//
// Upkeep: keeps what a node knows true without being asked: peers enter the routing table when they
// answer and leave it when they do not; silent ones are pinged; buckets are refreshed; a node that
// has lost everybody joins again; entries are copied to nodes that have become the closest.
//
// Owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/rng.h"
#include "dsht/core/id.h"
#include "dsht/core/message.h"
#include "dsht/core/options.h"
#include "dsht/core/peer.h"
#include "dsht/core/rpc_table.h"

namespace reef::dsht {

class Turn;

class Upkeep {
 public:
  // Sets the first tick, at a random instant; later calls do nothing.
  void Start(Instant now, const Options& options, Rng& rng);
  Instant Next() const { return next_; }
  void OnTick(Turn& turn);

  // `peer` answered us after `rtt` (zero: not known), at the address it publishes.
  void OnAnswered(Turn& turn, const Peer& peer, const std::vector<ClusterInfo>& clusters,
                  Duration rtt);
  // `peer` asked us something: it is there, but we may not be able to reach it.
  void OnHeard(Turn& turn, const Peer& peer, const std::vector<ClusterInfo>& clusters);
  // No answer to `rpc`. Pings are repeated here; for other queries that is their operation's
  // affair.
  void OnFailed(Turn& turn, const Rpc& rpc);
  // A goodbye in the name of `id` came from `from`.
  void OnLeft(Turn& turn, const NodeId& id, const IpAddress& from);
  // What this node says about itself has changed: tells the peers, the closest first, in a bounded
  // number of pings.
  void Announce(Turn& turn);

  // Kept by Join.
  std::vector<Endpoint> seeds;
  bool joining = false;
  // Kept by CopySweep.
  bool sweeping = false;

 private:
  void Forget(Turn& turn);
  void PingSilent(Turn& turn, int level);
  void Refresh(Turn& turn);
  void Rejoin(Turn& turn);
  void Hint(Turn& turn);
  void Sweep(Turn& turn);
  bool IsNeighbour(const Turn& turn, const NodeId& id) const;
  void OnDropped(Turn& turn, const Peer& peer, bool was_neighbour);

  Instant next_ = kNever;
  Instant refresh_at_{};
  Duration refresh_pause_{};
  Instant hint_at_{};  // once there is anybody to tell
  Duration hint_pause_{};
  Instant sweep_at_ = kNever;
  // Since the last sweep: neighbours that came, and whether one went.
  std::vector<NodeId> came_;
  bool went_ = false;
  // Where the last peers were, for rejoining.
  std::vector<Endpoint> lost_;
  size_t next_seed_ = 0;
};

}  // namespace reef::dsht
