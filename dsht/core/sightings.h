// SPDX-License-Identifier: Apache-2.0
//
// Sightings: what this node has measured of other nodes and what they said of their clusters, the
// latest Options::sightings_max of them: the evidence on which clusters are chosen (docs/dsht.md,
// "Clusters"). It costs no message of its own: every reply brings a round trip and the clusters of
// its sender.
//
// Owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/instant.h"
#include "dsht/core/id.h"
#include "dsht/core/message.h"
#include "dsht/core/peer.h"
#include "dsht/core/routing_table.h"

namespace reef::dsht {

struct Sighting {
  Peer peer;
  RoundTrip rtt{};
  Instant at{};                         // when it last answered
  std::vector<ClusterInfo> clusters{};  // as it said last
};

// What `clusters` says of a level; null: nothing.
const ClusterInfo* InfoOf(const std::vector<ClusterInfo>& clusters, int level);

class Sightings {
 public:
  explicit Sightings(size_t nodes_max);

  // `peer` answered after `rtt`; zero is not known, and of no use for one that is new. If it is new
  // and there is no room, whoever answered longest ago is forgotten.
  void Answered(Instant now, const Peer& peer, Duration rtt,
                const std::vector<ClusterInfo>& clusters);
  void Remove(const NodeId& id);

  // Both borrowed until the next change.
  const Sighting* Find(const NodeId& id) const;
  const std::vector<Sighting>& all() const { return all_; }

 private:
  Sighting* Known(const NodeId& id);

  size_t nodes_max_;
  std::vector<Sighting> all_;
  // The first 8 bytes of the id of all_[i]: this is looked through with every message.
  std::vector<uint64_t> heads_;
};

}  // namespace reef::dsht
