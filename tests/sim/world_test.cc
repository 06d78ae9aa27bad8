// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/population.h"

namespace reef::sim {
namespace {

using namespace std::chrono_literals;

class WorldTest : public testing::Test {
 protected:
  World MakeWorld(size_t nodes, uint64_t seed) {
    Rng rng(seed);
    Network network(Topology::Synthetic(nodes, rng.Fork()), rng.Fork());
    return {std::move(network), RandomIds(nodes, rng), dsht::Options(), rng.Fork()};
  }
  static dsht::PutRequest PutOf(const std::string& key) {
    dsht::PutRequest put;
    put.key = dsht::Id::Hash(key);
    put.value = "10.0.0.9:80";
    put.ttl = 1h;
    return put;
  }
  // How many holders a get at `node` finds within ten seconds; -1: it did not end.
  static int Found(World& world, NodeIndex node, const std::string& key) {
    int found = -1;
    world.Get(node, dsht::Id::Hash(key), [&](const dsht::Finished& finished) {
      found = static_cast<int>(std::get<dsht::GetDone>(finished).holders.size());
    });
    world.RunFor(10s);
    return found;
  }
};

TEST_F(WorldTest, ActionsRunInTimeAndInOrder) {
  World world = MakeWorld(1, 1);
  std::vector<std::string> seen;
  world.In(2s, [&] { seen.push_back("later"); });
  world.In(1s, [&] {
    seen.push_back("first");
    world.In(0s, [&] { seen.push_back("third"); });
  });
  world.In(1s, [&] { seen.push_back("second"); });

  world.RunFor(1s);
  EXPECT_EQ(seen, (std::vector<std::string>{"first", "second", "third"}));
  EXPECT_EQ(world.now(), World::kStart + 1s);
  world.RunFor(1s);
  EXPECT_EQ(seen.back(), "later");
}

TEST_F(WorldTest, WhatOneNodePutsAnotherFinds) {
  World world = MakeWorld(60, 2);
  StartAcquainted(world, 8);
  world.Put(3, PutOf("k"), nullptr);
  world.RunFor(10s);

  EXPECT_EQ(Found(world, 40, "k"), 1);
  EXPECT_EQ(Found(world, 41, "other"), 0);
}

TEST_F(WorldTest, NodesThatJoinedFindWhatIsThere) {
  World world = MakeWorld(20, 3);
  world.Start(0);
  world.Join(0, {}, nullptr);
  for (NodeIndex node = 1; node < 20; ++node) {
    world.Start(node);
    world.Join(node, {node - 1}, nullptr);
    world.RunFor(5s);
  }
  world.Put(7, PutOf("k"), nullptr);
  world.RunFor(10s);

  for (NodeIndex node = 0; node < 20; ++node) EXPECT_EQ(Found(world, node, "k"), 1) << node;
}

TEST_F(WorldTest, AKilledNodeIsSilentAndItsCallersGoOn) {
  World world = MakeWorld(30, 4);
  StartAcquainted(world, 8);
  world.Put(3, PutOf("k"), nullptr);
  world.RunFor(10s);
  const NodeIndex closest = ClosestTo(world, dsht::Id::Hash("k"), 1).front();

  world.Kill(closest);
  uint64_t from_the_dead = 0;
  world.set_observer(
      [&](NodeIndex from, NodeIndex, const dsht::Message&) { from_the_dead += from == closest; });

  EXPECT_EQ(world.up_count(), 29u);
  EXPECT_EQ(Found(world, closest == 5 ? 6 : 5, "k"), 1);
  EXPECT_EQ(from_the_dead, 0u);
}

TEST_F(WorldTest, AnOperationOfAKilledNodeNeverEnds) {
  World world = MakeWorld(30, 5);
  StartAcquainted(world, 8);
  bool ended = false;
  world.Get(1, dsht::Id::Hash("k"), [&](const dsht::Finished&) { ended = true; });
  ASSERT_FALSE(ended);

  world.Kill(1);
  world.Start(1);
  world.RunFor(30s);

  EXPECT_FALSE(ended);
}

TEST_F(WorldTest, OneSeedIsOneRun) {
  std::vector<std::vector<uint64_t>> runs;
  for (int i = 0; i < 2; ++i) {
    World world = MakeWorld(100, 6);
    world.network().SetLoss(0.1);
    StartAcquainted(world, 8);
    for (NodeIndex node = 0; node < 100; ++node) {
      world.Put(node, PutOf("k" + std::to_string(node % 10)), nullptr);
    }
    world.RunFor(1min);
    const dsht::Stats stats = world.TotalStats();
    runs.push_back({world.event_count(), world.message_count(), stats.puts_stored,
                    stats.rpc_timeouts, stats.put_hops});
  }

  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_GT(runs[0][3], 0u);
}

}  // namespace
}  // namespace reef::sim
