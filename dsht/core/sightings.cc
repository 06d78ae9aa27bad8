// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/sightings.h"

#include <algorithm>

#include "base/check.h"

namespace reef::dsht {

const ClusterInfo* InfoOf(const std::vector<ClusterInfo>& clusters, int level) {
  const auto it = std::find_if(clusters.begin(), clusters.end(),
                               [level](const ClusterInfo& info) { return info.level == level; });
  return it == clusters.end() ? nullptr : &*it;
}

Sightings::Sightings(size_t nodes_max) : nodes_max_(nodes_max) {
  REEF_CHECK(nodes_max > 0);
}

const Sighting* Sightings::Find(const NodeId& id) const {
  const uint64_t head = Head(id);
  for (size_t i = 0; i < heads_.size(); ++i) {
    if (heads_[i] == head && all_[i].peer.id == id) return &all_[i];
  }
  return nullptr;
}

Sighting* Sightings::Known(const NodeId& id) {
  return const_cast<Sighting*>(static_cast<const Sightings*>(this)->Find(id));
}

void Sightings::Answered(Instant now, const Peer& peer, Duration rtt,
                         const std::vector<ClusterInfo>& clusters) {
  Sighting* known = Known(peer.id);
  const bool same_way = known != nullptr && known->peer.rpc == peer.rpc;
  if (rtt == Duration::zero() && !same_way) return Remove(peer.id);
  if (known == nullptr) {
    if (all_.size() < nodes_max_) {
      known = &all_.emplace_back();
      heads_.push_back(0);
    } else {
      known = &*std::min_element(all_.begin(), all_.end(),
                                 [](const auto& a, const auto& b) { return a.at < b.at; });
      *known = Sighting{};
    }
    heads_[static_cast<size_t>(known - all_.data())] = Head(peer.id);
  } else if (!same_way) {
    known->rtt = RoundTrip{};  // another way
  }
  known->peer = peer;
  if (rtt > Duration::zero()) known->rtt.Measured(rtt);
  known->at = now;
  if (known->clusters != clusters) known->clusters = clusters;
}

void Sightings::Remove(const NodeId& id) {
  const Sighting* known = Find(id);
  if (known == nullptr) return;
  const auto at = known - all_.data();
  all_.erase(all_.begin() + at);
  heads_.erase(heads_.begin() + at);
}

}  // namespace reef::dsht
