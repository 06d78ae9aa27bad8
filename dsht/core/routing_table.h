// SPDX-License-Identifier: Apache-2.0
//
// RoutingTable: the peers one node knows in one cluster, at most Options::bucket_size for each
// number of leading bits shared with this node's id (a bucket). Background: docs/dsht.md,
// "Buckets".
//
// Only peers that answered this node are in it: on real networks a node that others reach may be
// unreachable from here. One that fails is suspect: it keeps its place until the caller, who pings
// it, removes it, but it is not named to others.
//
// Differences from Kademlia: no replacement cache (a live candidate is offered again soon enough by
// the traffic itself); round trips are kept with the peers.
//
// Owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/instant.h"
#include "dsht/core/id.h"
#include "dsht/core/peer.h"

namespace reef::dsht {

// What is left of a minimum when it was not met again: an eighth nearer to what is usual.
uint32_t MinimumAfter(uint32_t minimum, uint32_t smoothed);

// Smoothed and minimum round trip, in microseconds to be small; 0 before the first measurement. The
// minimum follows slowly when the way has become longer.
struct RoundTrip {
  uint32_t smoothed_us = 0;
  uint32_t min_us = 0;

  void Measured(Duration rtt);
  bool known() const { return smoothed_us != 0; }
  Duration smoothed() const { return std::chrono::microseconds(smoothed_us); }
  Duration min() const { return std::chrono::microseconds(min_us); }
};

class RoutingTable {
 public:
  enum class Offer : uint8_t { kAdded, kRefreshed, kBucketFull, kPrefixFull };

  struct Entry {
    Peer peer;
    Instant heard{};  // when it last answered
    Instant seen{};   // or asked
    RoundTrip rtt;
    uint8_t failures = 0;  // since then
  };

  // `prefix_max`: Options::bucket_prefix_max.
  RoutingTable(const NodeId& self, size_t bucket_size, size_t prefix_max);

  // Records that `peer` answered at `now` after `rtt` (zero: not known). On kBucketFull and
  // kPrefixFull the table is unchanged; the caller may ping Stalest(peer.id) to see whether there
  // is room after all.
  Offer Answered(Instant now, const Peer& peer, Duration rtt);

  // True if Answered would add this unknown peer.
  bool HasRoomFor(const NodeId& id) const;

  // Takes over what a known peer says about itself, unless its address is another.
  void Heard(Instant now, const Peer& peer);

  // Records that `id` did not answer; false if it is not known.
  bool Suspect(const NodeId& id);

  // True if it was known.
  bool Remove(const NodeId& id);
  void Clear();

  const Entry* Find(const NodeId& id) const;
  // The entry in the bucket of `id` that has been silent for longest; null if the bucket is empty.
  const Entry* Stalest(const NodeId& id) const;

  // Nearest to this node first.
  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }

  // At most `limit` entries nearest to `target`, nearest first. Borrowed until the next change.
  // With `trusted_only`, those that failed to answer last time are left out.
  std::vector<const Entry*> Nearest(const Id& target, size_t limit, bool trusted_only) const;

  // True if some entry is closer to `key` than this node.
  bool KnowsCloser(const Key& key) const;

  // The number of nodes in the cluster, from the density of ids around this node's; itself
  // included.
  uint64_t SizeEstimate() const;

  // How many buckets there are up to the deepest one in use.
  int Depth() const;

 private:
  struct Range {
    size_t begin;
    size_t end;
  };
  size_t LowerBound(const NodeId& id) const;
  Range Bucket(int shared_prefix) const;
  size_t IndexOf(const NodeId& id) const;  // size() if unknown
  Offer Room(const Peer& peer) const;
  void RemoveAt(size_t index);

  NodeId self_;
  size_t bucket_size_;
  size_t prefix_max_;
  // Sorted by distance from self_, so that a bucket is a range. heads_[i] is the first 8 bytes of
  // the id of entries_[i]: most comparisons need no more, and they stay in few cache lines.
  std::vector<Entry> entries_;
  std::vector<uint64_t> heads_;
};

}  // namespace reef::dsht
