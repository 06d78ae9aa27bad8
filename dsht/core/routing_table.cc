// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/routing_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace reef::dsht {
namespace {

// So that 100,000 nodes fit into one simulation.
constexpr size_t kGrowth = 16;

// Peers in one reply or walk step: the scan below keeps its best in an array of this size.
constexpr size_t kNearestMax = 32;

IpAddress Network(const IpAddress& address) {
  return address.Masked(address.is_v4() ? 16 : 32);
}

}  // namespace

uint32_t MinimumAfter(uint32_t minimum, uint32_t smoothed) {
  return smoothed > minimum ? minimum + (smoothed - minimum) / 8 : minimum;
}

void RoundTrip::Measured(Duration rtt) {
  const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(rtt).count();
  const uint32_t sample = static_cast<uint32_t>(std::clamp<int64_t>(us, 1, UINT32_MAX));
  if (!known()) {
    smoothed_us = min_us = sample;
    return;
  }
  // RFC 6298, 2.3: alpha = 1/8.
  smoothed_us = static_cast<uint32_t>((uint64_t{smoothed_us} * 7 + sample) / 8);
  if (smoothed_us == 0) smoothed_us = 1;
  min_us = std::min(sample, MinimumAfter(min_us, smoothed_us));
}

RoutingTable::RoutingTable(const NodeId& self, size_t bucket_size, size_t prefix_max)
    : self_(self), bucket_size_(bucket_size), prefix_max_(prefix_max) {
  REEF_CHECK(bucket_size > 0);
}

size_t RoutingTable::LowerBound(const NodeId& id) const {
  const uint64_t self = Head(self_);
  const uint64_t wanted = Head(id) ^ self;
  const auto it = std::partition_point(heads_.begin(), heads_.end(), [&](const uint64_t& head) {
    const uint64_t d = head ^ self;
    if (d != wanted) return d < wanted;
    return Closer(self_, entries_[static_cast<size_t>(&head - heads_.data())].peer.id, id);
  });
  return static_cast<size_t>(it - heads_.begin());
}

size_t RoutingTable::IndexOf(const NodeId& id) const {
  const size_t i = LowerBound(id);
  return i < entries_.size() && entries_[i].peer.id == id ? i : entries_.size();
}

RoutingTable::Range RoutingTable::Bucket(int shared_prefix) const {
  // Nearest first: longer shared prefixes come before shorter ones.
  const uint64_t self = Head(self_);
  const auto shared = [&](const uint64_t& head) {
    if (head != self) return std::countl_zero(head ^ self);
    return SharedPrefix(self_, entries_[static_cast<size_t>(&head - heads_.data())].peer.id);
  };
  const auto begin = std::partition_point(heads_.begin(), heads_.end(), [&](const uint64_t& head) {
    return shared(head) > shared_prefix;
  });
  const auto end = std::partition_point(
      begin, heads_.end(), [&](const uint64_t& head) { return shared(head) == shared_prefix; });
  return {static_cast<size_t>(begin - heads_.begin()), static_cast<size_t>(end - heads_.begin())};
}

RoutingTable::Offer RoutingTable::Room(const Peer& peer) const {
  const Range bucket = Bucket(SharedPrefix(self_, peer.id));
  if (bucket.end - bucket.begin >= bucket_size_) return Offer::kBucketFull;
  if (prefix_max_ == 0 || peer.rpc.address.IsLoopback()) return Offer::kAdded;
  const IpAddress network = Network(peer.rpc.address);
  size_t same = 0;
  for (size_t i = bucket.begin; i < bucket.end; ++i) {
    same += Network(entries_[i].peer.rpc.address) == network;
  }
  return same >= prefix_max_ ? Offer::kPrefixFull : Offer::kAdded;
}

bool RoutingTable::HasRoomFor(const NodeId& id) const {
  if (id == self_ || IndexOf(id) < entries_.size()) return false;
  const Range bucket = Bucket(SharedPrefix(self_, id));
  return bucket.end - bucket.begin < bucket_size_;
}

RoutingTable::Offer RoutingTable::Answered(Instant now, const Peer& peer, Duration rtt) {
  REEF_CHECK(peer.id != self_);
  const size_t index = LowerBound(peer.id);
  if (index < entries_.size() && entries_[index].peer.id == peer.id) {
    Entry& entry = entries_[index];
    entry.peer = peer;
    entry.heard = entry.seen = now;
    entry.failures = 0;
    if (rtt > Duration::zero()) entry.rtt.Measured(rtt);
    return Offer::kRefreshed;
  }
  if (const Offer room = Room(peer); room != Offer::kAdded) return room;
  if (entries_.size() == entries_.capacity()) {
    entries_.reserve(entries_.size() + kGrowth);
    heads_.reserve(entries_.size() + kGrowth);
  }
  Entry entry{.peer = peer, .heard = now, .seen = now, .rtt = {}, .failures = 0};
  if (rtt > Duration::zero()) entry.rtt.Measured(rtt);
  entries_.insert(entries_.begin() + static_cast<ptrdiff_t>(index), entry);
  heads_.insert(heads_.begin() + static_cast<ptrdiff_t>(index), Head(peer.id));
  return Offer::kAdded;
}

void RoutingTable::Heard(Instant now, const Peer& peer) {
  const size_t i = IndexOf(peer.id);
  if (i == entries_.size() || entries_[i].peer.rpc != peer.rpc) return;
  entries_[i].peer = peer;
  entries_[i].seen = now;
}

bool RoutingTable::Suspect(const NodeId& id) {
  const size_t i = IndexOf(id);
  if (i == entries_.size()) return false;
  if (entries_[i].failures < UINT8_MAX) ++entries_[i].failures;
  return true;
}

bool RoutingTable::Remove(const NodeId& id) {
  const size_t i = IndexOf(id);
  if (i == entries_.size()) return false;
  RemoveAt(i);
  return true;
}

void RoutingTable::Clear() {
  entries_.clear();
  heads_.clear();
}

void RoutingTable::RemoveAt(size_t index) {
  entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(index));
  heads_.erase(heads_.begin() + static_cast<ptrdiff_t>(index));
}

const RoutingTable::Entry* RoutingTable::Find(const NodeId& id) const {
  const size_t i = IndexOf(id);
  return i == entries_.size() ? nullptr : &entries_[i];
}

const RoutingTable::Entry* RoutingTable::Stalest(const NodeId& id) const {
  const Range bucket = Bucket(SharedPrefix(self_, id));
  const Entry* stalest = nullptr;
  for (size_t i = bucket.begin; i < bucket.end; ++i) {
    if (stalest == nullptr || entries_[i].heard < stalest->heard) stalest = &entries_[i];
  }
  return stalest;
}

std::vector<const RoutingTable::Entry*> RoutingTable::Nearest(const Id& target, size_t limit,
                                                              bool trusted_only) const {
  limit = std::min(limit, kNearestMax);
  std::array<uint32_t, kNearestMax> best;
  std::array<uint64_t, kNearestMax> distance;
  size_t count = 0;
  const uint64_t head = Head(target);
  for (size_t i = 0; i < heads_.size() && limit > 0; ++i) {
    const uint64_t d = heads_[i] ^ head;
    const auto closer = [&](size_t at) {
      if (d != distance[at]) return d < distance[at];
      return Closer(target, entries_[i].peer.id, entries_[best[at]].peer.id);
    };
    if (count == limit && !closer(count - 1)) continue;
    if (trusted_only && entries_[i].failures > 0) continue;
    size_t at = count < limit ? count++ : count - 1;
    for (; at > 0 && closer(at - 1); --at) {
      best[at] = best[at - 1];
      distance[at] = distance[at - 1];
    }
    best[at] = static_cast<uint32_t>(i);
    distance[at] = d;
  }
  std::vector<const Entry*> nearest(count);
  for (size_t i = 0; i < count; ++i) nearest[i] = &entries_[best[i]];
  return nearest;
}

bool RoutingTable::KnowsCloser(const Key& key) const {
  const uint64_t head = Head(key);
  const uint64_t own = Head(self_) ^ head;
  for (size_t i = 0; i < heads_.size(); ++i) {
    const uint64_t d = heads_[i] ^ head;
    if (d < own || (d == own && Closer(key, entries_[i].peer.id, self_))) return true;
  }
  return false;
}

uint64_t RoutingTable::SizeEstimate() const {
  // The buckets that are not full are known whole, so the ids at least as near as the nearest full
  // bucket are; their density tells the number of all.
  size_t known = 0;
  int full = -1;
  for (size_t i = 0; i < entries_.size() && full < 0;) {
    const int shared = SharedPrefix(self_, entries_[i].peer.id);
    const Range bucket = Bucket(shared);
    if (bucket.end - bucket.begin >= bucket_size_) full = shared;
    known = full >= 0 ? known : bucket.end;
    i = bucket.end;
  }
  if (full < 0) return entries_.size() + 1;
  // Nodes sharing more than `full` bits with us, ourselves included, are one in 2^(full + 1).
  return static_cast<uint64_t>(std::ldexp(static_cast<double>(known + 1), full + 1));
}

int RoutingTable::Depth() const {
  return entries_.empty() ? 0 : SharedPrefix(self_, entries_.front().peer.id) + 1;
}

}  // namespace reef::dsht
