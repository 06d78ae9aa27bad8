// SPDX-License-Identifier: Apache-2.0
//
// Network: what happens to one message between two simulated nodes: it arrives after half the
// round trip and some jitter, or it is lost, or there is no way through. Decided by the seed alone.
//
// Owned by World. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "base/instant.h"
#include "base/rng.h"
#include "tests/sim/topology.h"

namespace reef::sim {

class Network {
 public:
  Network(Topology topology, Rng rng);

  size_t size() const { return topology_.size(); }

  // How long the message is under way; nullopt if it never arrives.
  std::optional<Duration> Send(size_t from, size_t to);

  // Of all messages, each way.
  void SetLoss(double probability) { loss_ = probability; }
  // Added to a message's delay: uniform up to this share of it.
  void SetJitter(double share) { jitter_ = share; }

  // One way only: `from` cannot reach `to` until Heal.
  void Cut(size_t from, size_t to) { cuts_.insert({from, to}); }
  // Nodes of different parts cannot reach one another. All start in part 0.
  void MoveToPart(size_t node, int part) { parts_[node] = part; }
  // Undoes every cut and part.
  void Heal();

  Duration Rtt(size_t a, size_t b) const { return topology_.Rtt(a, b); }
  size_t SiteOf(size_t node) const { return topology_.SiteOf(node); }

 private:
  Topology topology_;
  Rng rng_;
  double loss_ = 0;
  double jitter_ = 0;
  std::set<std::pair<size_t, size_t>> cuts_;
  std::vector<int> parts_;
};

}  // namespace reef::sim
