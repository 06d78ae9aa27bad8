// SPDX-License-Identifier: Apache-2.0
//
// HotKey: the experiment of Fig. 8 (Freedman, Freudenthal, Mazieres, NSDI 2004): every node puts
// and gets one key without pause, and it is counted what reaches the node closest to the key. A
// put's status and store at one node count once.
//
// Owned by the scenario. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/instant.h"
#include "tests/sim/measures.h"
#include "tests/sim/world.h"

namespace reef::sim {

class HotKey {
 public:
  struct Options {
    double pairs_per_minute = 0;  // of all nodes together
    int minutes = 0;
    Duration ttl{};
  };

  HotKey(World& world, const Options& options, Measures& measures);

  // Takes `minutes` of simulated time.
  void Run(const dsht::Key& key);

 private:
  void Pairs(NodeIndex node, uint64_t count);
  void Plan(NodeIndex node, Duration period, uint64_t pairs);
  void OnMessage(NodeIndex from, const dsht::Message& message);
  void Report();

  World& world_;
  const Options options_;
  Measures& measures_;
  dsht::Key key_;
  Instant began_;
  NodeIndex closest_ = 0;
  std::vector<uint64_t> per_minute_;           // at the closest node
  std::map<NodeIndex, uint64_t> status_from_;  // not followed by a store yet
  std::map<NodeIndex, uint64_t> senders_;
  uint64_t value_ = 0;
};

}  // namespace reef::sim
