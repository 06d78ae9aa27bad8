// SPDX-License-Identifier: Apache-2.0
//
// Put, get and withdraw in networks of nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/dsht/core/harness.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const Key kKey = Id::Hash("http://example.com/");

Holder HolderOf(const Harness& net, size_t i) {
  return Holder{.node = net.id(i), .value = net.Reference(i), .complete = true, .level = 0};
}

size_t CopiesOf(Harness& net, const Key& key) {
  size_t copies = 0;
  for (size_t i : net.ByDistance(key)) copies += !net.node(i).StoredHere(net.now(), key).empty();
  return copies;
}

TEST(IndexTest, ANodeAloneFindsWhatItStored) {
  Harness net({.nodes = 1});
  net.JoinAll();

  const OperationId put = net.Put(0, kKey, 1h);
  const OperationId get = net.Get(0, kKey);

  EXPECT_EQ(net.Stored(0, put).outcome, PutOutcome::kStored);
  EXPECT_THAT(net.Found(0, get), ElementsAre(HolderOf(net, 0)));
}

TEST(IndexTest, AValueIsFoundFromEveryNodeAndKeptByTheThreeClosest) {
  Harness net({.nodes = 20});
  net.AcquaintAll();

  const OperationId put = net.Put(3, kKey, 1h);
  net.RunFor(2s);
  std::vector<OperationId> gets(net.size());
  for (size_t i = 0; i < net.size(); ++i) gets[i] = net.Get(i, kKey);
  net.RunFor(2s);

  EXPECT_EQ(net.Stored(3, put), (PutDone{put, PutOutcome::kStored, 3}));
  const std::vector<size_t> order = net.ByDistance(kKey);
  for (size_t rank = 0; rank < 3; ++rank) {
    EXPECT_THAT(net.node(order[rank]).StoredHere(net.now(), kKey), SizeIs(1)) << rank;
  }
  for (size_t i = 0; i < net.size(); ++i) {
    EXPECT_THAT(net.Found(i, gets[i]), ElementsAre(HolderOf(net, 3))) << i;
  }
}

TEST(IndexTest, AnUnknownKeyIsNotFound) {
  Harness net({.nodes = 20});
  net.AcquaintAll();

  const OperationId get = net.Get(0, kKey);
  net.RunFor(2s);

  EXPECT_THAT(net.Found(0, get), IsEmpty());
}

TEST(IndexTest, AValueDiesWithItsTtl) {
  Harness net({.nodes = 5});
  net.JoinAll();
  net.Put(0, kKey, 30s);
  net.RunFor(29s);
  const OperationId before = net.Get(1, kKey);
  net.RunFor(500ms);
  EXPECT_THAT(net.Found(1, before), SizeIs(1));

  net.RunFor(11s);
  const OperationId after = net.Get(1, kKey);
  net.RunFor(1s);

  EXPECT_THAT(net.Found(1, after), IsEmpty());
  for (size_t i = 0; i < net.size(); ++i) EXPECT_EQ(net.node(i).gauges().values, 0u);
}

TEST(IndexTest, AWithdrawnValueIsGoneEverywhereAndOthersStay) {
  Harness net({.nodes = 30});
  net.AcquaintAll();
  net.Put(1, kKey, 1h);
  net.Put(2, kKey, 1h);
  net.RunFor(2s);

  net.Withdraw(1, kKey);
  net.RunFor(2s);

  for (size_t i = 0; i < net.size(); ++i) {
    for (const Holder& holder : net.node(i).StoredHere(net.now(), kKey)) {
      EXPECT_EQ(holder.node, net.id(2));
    }
  }
  const OperationId get = net.Get(7, kKey);
  net.RunFor(2s);
  EXPECT_THAT(net.Found(7, get), ElementsAre(HolderOf(net, 2)));
}

TEST(IndexTest, APutOfNothingOrForNoTimeIsRefused) {
  Harness net({.nodes = 3});
  net.JoinAll();

  const OperationId empty = net.Put(0, PutRequest{.key = kKey, .value = "", .ttl = 1h});
  const OperationId timeless = net.Put(0, PutRequest{.key = kKey, .value = "x", .ttl = 0s});
  const OperationId huge =
      net.Put(0, PutRequest{.key = kKey, .value = std::string(kValueBytesMax + 1, 'x'), .ttl = 1h});
  net.RunFor(3s);

  EXPECT_EQ(net.Stored(0, empty).outcome, PutOutcome::kRefused);
  EXPECT_EQ(net.Stored(0, timeless).outcome, PutOutcome::kRefused);
  EXPECT_EQ(net.Stored(0, huge).outcome, PutOutcome::kRefused);
}

TEST(IndexTest, AFullAndLoadedKeySpillsOutwardFromItsOwner) {
  Harness net({.nodes = 60});
  net.AcquaintAll();

  for (size_t i = 0; i < net.size(); ++i) net.Put(i, kKey, 1h);
  net.RunFor(4s);

  const std::vector<size_t> order = net.ByDistance(kKey);
  EXPECT_THAT(net.node(order[0]).StoredHere(net.now(), kKey), SizeIs(4));
  EXPECT_GT(CopiesOf(net, kKey), 6u);
}

TEST(IndexTest, LongLivedValuesDisplaceShortOnesNearTheKey) {
  Harness net({.nodes = 10});
  net.AcquaintAll();
  for (size_t i = 0; i < 4; ++i) net.Put(i, kKey, 60s);
  net.RunFor(6s);

  net.Put(9, kKey, 1h);
  net.RunFor(2s);

  const size_t owner = net.ByDistance(kKey)[0];
  EXPECT_THAT(net.node(owner).StoredHere(net.now(), kKey), testing::Contains(HolderOf(net, 9)));
}

TEST(IndexTest, TwoHundredNodesFindEachOthersValues) {
  Harness net({.nodes = 200, .delay_min = 5ms, .delay_max = 80ms});
  net.AcquaintAll();
  std::vector<Key> keys;
  for (size_t i = 0; i < 400; ++i) {
    keys.push_back(RandomId(net.rng()));
    net.Put(net.rng().Below(net.size()), keys.back(), 1h);
  }
  net.RunFor(10s);

  std::vector<std::pair<size_t, OperationId>> gets;
  for (const Key& key : keys) {
    const size_t from = net.rng().Below(net.size());
    gets.emplace_back(from, net.Get(from, key));
  }
  net.RunFor(10s);

  for (const auto& [i, get] : gets) EXPECT_THAT(net.Found(i, get), SizeIs(1));
  // Half the bits of the prefix that tells 200 nodes apart differ; each costs a hop.
  EXPECT_LT(net.Total().get_hops, gets.size() * 6);
}

TEST(IndexTest, TwoHundredNodesThatJoinedThroughOneFindEachOthersValues) {
  Harness net({.nodes = 200, .delay_min = 5ms, .delay_max = 80ms});
  net.JoinAll();
  for (size_t i = 0; i < net.size(); ++i) {
    ASSERT_TRUE(net.Joined(i).has_value() && net.Joined(i)->joined) << i;
  }
  std::vector<std::pair<size_t, OperationId>> gets;
  std::vector<Key> keys;
  for (size_t i = 0; i < 200; ++i) {
    keys.push_back(RandomId(net.rng()));
    net.Put(i, keys.back(), 1h);
  }
  net.RunFor(10s);

  for (const Key& key : keys) {
    const size_t from = net.rng().Below(net.size());
    gets.emplace_back(from, net.Get(from, key));
  }
  net.RunFor(10s);

  for (const auto& [i, get] : gets) EXPECT_THAT(net.Found(i, get), SizeIs(1));
}

TEST(IndexTest, ValuesSurviveTheDeathOfTwoOfTheThreeClosest) {
  Harness net({.nodes = 40});
  net.AcquaintAll();
  net.Put(0, kKey, 1h);
  net.RunFor(2s);
  const std::vector<size_t> order = net.ByDistance(kKey);
  const size_t asker = order[10];

  net.Kill(order[0], Harness::Death::kSilent);
  net.Kill(order[1], Harness::Death::kRefusing);
  const OperationId get = net.Get(asker, kKey);
  net.RunFor(5s);

  EXPECT_THAT(net.Found(asker, get), SizeIs(1));
}

TEST(IndexTest, CopiesAreRestoredWhenHoldersDie) {
  Harness net({.nodes = 12});
  net.JoinAll();
  net.Put(0, kKey, 1h);
  net.RunFor(2s);

  for (int deaths = 0; deaths < 5; ++deaths) {
    net.Kill(net.ByDistance(kKey)[static_cast<size_t>(deaths) % 3], Harness::Death::kSilent);
    net.RunFor(90s);  // until it is missed, and the copies are made
  }

  const std::vector<size_t> order = net.ByDistance(kKey);
  for (size_t rank = 0; rank < 3; ++rank) {
    EXPECT_THAT(net.node(order[rank]).StoredHere(net.now(), kKey), SizeIs(1)) << rank;
  }
}

TEST(IndexTest, ANodeThatJoinsIsGivenWhatItIsClosestTo) {
  Harness net({.nodes = 6});
  net.Kill(5, Harness::Death::kSilent);
  for (size_t i = 0; i < 5; ++i) {
    for (size_t j = 0; j < 5; ++j) net.node(i).Acquaint(net.now(), net.peer(j), 10ms);
  }
  Key near = net.id(5);
  near.bytes[19] ^= 1;
  net.Put(0, near, 1h);
  net.RunFor(2s);

  net.Restart(5);
  net.RunFor(20s);

  EXPECT_THAT(net.node(5).StoredHere(net.now(), near), ElementsAre(HolderOf(net, 0)));
}

TEST(IndexTest, ALeavingNodeHandsItsEntriesOver) {
  Harness net({.nodes = 8});
  net.JoinAll();
  net.Put(0, kKey, 1h);
  net.RunFor(2s);
  const std::vector<size_t> order = net.ByDistance(kKey);

  for (size_t rank = 0; rank < 3; ++rank) {
    const OperationId leave = net.Leave(order[rank]);
    EXPECT_TRUE(net.RunUntil([&] { return net.Finished(order[rank], leave); }, 2s));
    net.Kill(order[rank], Harness::Death::kSilent);
  }

  const OperationId get = net.Get(order[5], kKey);
  net.RunFor(1s);
  EXPECT_THAT(net.Found(order[5], get), SizeIs(1));
}

TEST(IndexTest, ALeavingNodeIsForgottenAtOnce) {
  Harness net({.nodes = 4});
  net.JoinAll();

  const OperationId leave = net.Leave(2);
  net.RunFor(100ms);

  EXPECT_TRUE(net.Finished(2, leave));
  for (size_t i : {0u, 1u, 3u}) EXPECT_EQ(net.node(i).gauges().peers, 2u);
}

TEST(IndexTest, ALeavingLeaderMakesWayForTheNext) {
  Harness net({.nodes = 4});
  net.JoinAll();
  const std::vector<size_t> order = net.ByDistance(kKey);
  const OperationId claim = net.Claim(order[2], kKey);
  net.RunFor(1s);

  net.Leave(order[2]);
  net.RunFor(100ms);
  const OperationId next = net.Claim(order[3], kKey);
  net.RunFor(1s);

  EXPECT_TRUE(net.Lost(order[2], claim));
  EXPECT_EQ(net.Answer(order[3], next).kind, ClaimAnswer::Kind::kFirst);
}

// Coral, NSDI 2004, 6.4 and docs/coral.md 2.9: every node puts and gets one key without pause. With
// balanced ids the closest node has at most ceil(log2 494) = 9 predecessors, each of which lets
// beta = 12 a minute through.
TEST(HotKeyTest, ReachesTheClosestNodeAtMostBetaTimesItsPredecessors) {
  constexpr size_t kNodes = 494;
  Rng rng(5);
  std::vector<NodeId> ids;
  for (size_t i = 0; i < kNodes; ++i) ids.push_back(IdWithHead(i, 9, rng));
  Harness net({.nodes = kNodes, .seed = 9, .ids = ids, .delay_min = 5ms, .delay_max = 50ms});
  net.AcquaintAll();
  const Key key = IdWithHead(0x155, 9, rng);
  const size_t closest = net.ByDistance(key)[0];
  const auto statuses = [&] {
    return net.node(closest).stats().received[Body(StatusQuery{}).index()];
  };

  uint64_t at_minute_start = 0;
  for (int minute = 0; minute < 3; ++minute) {
    at_minute_start = statuses();
    for (int round = 0; round < 20; ++round) {
      for (size_t i = 0; i < kNodes; ++i) {
        std::string value = std::to_string(rng.Next());
        net.Put(i, PutRequest{.key = key, .value = value, .ttl = 1h});
        net.Get(i, key);
      }
      net.RunFor(3s);
    }
  }

  const uint64_t last_minute = statuses() - at_minute_start;
  EXPECT_LE(last_minute, 9u * 13);
  EXPECT_GT(last_minute, 9u);  // the leak keeps the closest node's values fresh
}

}  // namespace
}  // namespace reef::dsht
