// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/sightings.h"

#include <algorithm>

#include "base/check.h"

namespace reef::dsht {

namespace {

// Who answers again so soon keeps its place in the order of age: a busy peer costs nothing.
constexpr Duration kAgeStep = std::chrono::seconds(1);

}  // namespace

const ClusterInfo* InfoOf(const std::vector<ClusterInfo>& clusters, int level) {
  const auto it = std::find_if(clusters.begin(), clusters.end(),
                               [level](const ClusterInfo& info) { return info.level == level; });
  return it == clusters.end() ? nullptr : &*it;
}

Sightings::Sightings(size_t nodes_max) : nodes_max_(nodes_max) {
  REEF_CHECK(nodes_max > 0);
}

void Sightings::Answered(Instant now, const Peer& peer, Duration rtt,
                         const std::vector<ClusterInfo>& clusters) {
  const auto it = all_.find(peer.id);
  if (it != all_.end()) {
    Sighting& known = it->second;
    // Under another address it is another way.
    if (known.peer.rpc != peer.rpc) known.rtt = RoundTrip{};
    known.rtt.Measured(rtt);
    known.peer = peer;
    if (known.clusters != clusters) known.clusters = clusters;
    if (now - known.at < kAgeStep) return;
    by_age_.erase({known.at, peer.id});
    known.at = now;
    by_age_.emplace(now, peer.id);
    return;
  }
  if (all_.size() >= nodes_max_) Remove(NodeId(by_age_.begin()->second));
  Sighting fresh{peer, {}, now, clusters};
  fresh.rtt.Measured(rtt);
  all_.emplace(peer.id, std::move(fresh));
  by_age_.emplace(now, peer.id);
}

void Sightings::Heard(const NodeId& id, const std::vector<ClusterInfo>& clusters) {
  const auto it = all_.find(id);
  if (it != all_.end() && it->second.clusters != clusters) it->second.clusters = clusters;
}

void Sightings::Remove(const NodeId& id) {
  const auto it = all_.find(id);
  if (it == all_.end()) return;
  by_age_.erase({it->second.at, id});
  all_.erase(it);
}

const Sighting* Sightings::Find(const NodeId& id) const {
  const auto it = all_.find(id);
  return it == all_.end() ? nullptr : &it->second;
}

}  // namespace reef::dsht
