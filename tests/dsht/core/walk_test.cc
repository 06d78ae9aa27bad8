// SPDX-License-Identifier: Apache-2.0
//
// Whom a walk asks, and how many at once.
#include "dsht/core/walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;

const Key kKey = Id::Hash("key");

class WalkTest : public testing::Test {
 protected:
  // The smaller `distance`, the closer to the key; 0x80 is the node that walks.
  static Peer PeerAt(uint8_t distance) {
    Id id = kKey;
    id.bytes[0] ^= distance;
    return Peer{.id = id, .rpc = {IpAddress::V4({10, 0, 0, distance}), 8400}};
  }

  Walk WalkAmong(uint8_t peers, size_t closest) {
    for (uint8_t i = 1; i <= peers; ++i) table_.Answered(Instant(1h), PeerAt(i), 20ms);
    return Walk(kKey, PeerAt(0x80).id, options_, table_, kIdBits, closest);
  }

  static Instant At(int ms) { return Instant(1h) + std::chrono::milliseconds(ms); }

  Options options_;
  RoutingTable table_{PeerAt(0x80).id, 64, 0};
};

TEST_F(WalkTest, SlowPeersDoNotHoldItUpToABound) {
  Walk walk = WalkAmong(30, 25);
  const std::optional<Peer> closest = walk.Next();
  ASSERT_TRUE(closest.has_value());
  EXPECT_EQ(closest->id, PeerAt(1).id);
  walk.Answered(closest->id, At(0), {});

  std::vector<Peer> asked;
  while (const std::optional<Peer> next = walk.Next()) asked.push_back(*next);
  EXPECT_EQ(walk.in_flight(), options_.window);
  for (size_t i = 0; i < asked.size(); ++i) {
    walk.Slow(asked[i].id, At(0));
    while (const std::optional<Peer> next = walk.Next()) asked.push_back(*next);
  }

  EXPECT_EQ(walk.in_flight(), 2 * options_.window + 2);
}

TEST_F(WalkTest, WhatBecameOfOlderQueriesIsNotChargedToTheNext) {
  Walk walk = WalkAmong(1, 1);
  const NodeId peer = PeerAt(1).id;
  ASSERT_TRUE(walk.Next().has_value());  // at 0
  walk.Slow(peer, At(0));
  ASSERT_TRUE(walk.Next().has_value());  // at 50
  walk.Answered(peer, At(0), {});
  walk.AskAgain(At(100), peer);
  ASSERT_TRUE(walk.Next().has_value());  // at 100

  walk.Slow(peer, At(50));
  walk.Failed(peer, At(50));

  EXPECT_EQ(walk.in_flight(), 1u);
  EXPECT_FALSE(walk.Next().has_value());
  EXPECT_EQ(walk.ClosestAnswered(), std::nullopt);
  walk.Answered(peer, At(50), {PeerAt(2)});
  EXPECT_EQ(walk.in_flight(), 1u);
  EXPECT_EQ(walk.Closest(5).size(), 2u);  // what it brought is learnt all the same
  walk.Answered(peer, At(100), {});
  EXPECT_EQ(walk.ClosestAnswered(), peer);
}

TEST_F(WalkTest, APeerThatIsAskedAgainMayFailOnceMore) {
  Walk walk = WalkAmong(1, 1);
  const NodeId peer = PeerAt(1).id;
  ASSERT_TRUE(walk.Next().has_value());
  walk.Failed(peer, At(0));
  ASSERT_TRUE(walk.Next().has_value());
  walk.Answered(peer, At(10), {});
  EXPECT_FALSE(walk.Next().has_value());

  walk.AskAgain(At(20), peer);
  ASSERT_TRUE(walk.Next().has_value());
  walk.Failed(peer, At(20));
  ASSERT_TRUE(walk.Next().has_value());
  walk.Failed(peer, At(30));

  EXPECT_FALSE(walk.Next().has_value());
  EXPECT_EQ(walk.in_flight(), 0u);
}

}  // namespace
}  // namespace reef::dsht
