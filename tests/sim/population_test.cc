// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/population.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace reef::sim {
namespace {

World SmallWorld(size_t nodes, Rng rng) {
  Network network(Topology::Synthetic(nodes, rng.Fork()), rng.Fork());
  return {std::move(network), RandomIds(nodes, rng), dsht::Options(), rng.Fork()};
}

TEST(PopulationTest, BalancedIdsAreEvenlySpaced) {
  Rng rng(1);
  const std::vector<dsht::NodeId> ids = BalancedIds(512, rng);

  std::map<std::string, int> by_first_nine_bits;
  for (const dsht::NodeId& id : ids) {
    std::string bits;
    for (int i = 0; i < 9; ++i) bits += id.Bit(i) ? '1' : '0';
    ++by_first_nine_bits[bits];
  }

  EXPECT_EQ(by_first_nine_bits.size(), 512u);
}

TEST(PopulationTest, AcquaintedNodesKnowPeersAtEveryDistance) {
  World world = SmallWorld(200, Rng(3));
  StartAcquainted(world, 8);

  for (NodeIndex node = 0; node < world.size(); ++node) {
    std::map<int, size_t> known;
    for (const dsht::NodeInfo& peer : world.NodeAt(node).Peers(world.now(), 0)) {
      ++known[dsht::SharedPrefix(peer.id, world.IdOf(node))];
    }
    std::map<int, size_t> there;
    for (NodeIndex other = 0; other < world.size(); ++other) {
      if (other != node) ++there[dsht::SharedPrefix(world.IdOf(other), world.IdOf(node))];
    }
    for (auto& [bits, count] : there) count = std::min<size_t>(count, 8);
    EXPECT_EQ(known, there);
  }
}

TEST(PopulationTest, ClosestAreInOrderAndRunning) {
  World world = SmallWorld(50, Rng(3));
  for (NodeIndex node = 0; node < 40; ++node) world.Start(node);
  Rng rng(9);
  const dsht::Key key = RandomId(rng);

  const std::vector<NodeIndex> closest = ClosestTo(world, key, 100);

  ASSERT_EQ(closest.size(), 40u);
  for (size_t i = 1; i < closest.size(); ++i) {
    EXPECT_TRUE(dsht::Closer(key, world.IdOf(closest[i - 1]), world.IdOf(closest[i])));
  }
}

}  // namespace
}  // namespace reef::sim
