// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/clusters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/dsht/core/harness.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

const Key kKey = Id::Hash("http://example.com:80/");

// The first ten nodes are in one town, the next ten in another of the same continent, the last ten
// in a third across an ocean: 2 ms, 40 ms and 160 ms of round trip.
constexpr size_t kTown = 10;

size_t TownOf(size_t node) {
  return node / kTown;
}

Duration BetweenTowns(size_t from, size_t to) {
  const size_t a = std::min(TownOf(from), TownOf(to));
  const size_t b = std::max(TownOf(from), TownOf(to));
  if (a == b) return 1ms;
  return b == 2 ? 80ms : 20ms;
}

class ClustersTest : public testing::Test {
 protected:
  static Harness::Setup Towns(std::function<Duration(size_t, size_t)> delay) {
    Harness::Setup setup;
    setup.nodes = 3 * kTown;
    setup.options = Options{};
    setup.delay = std::move(delay);
    return setup;
  }

  std::string ClusterOf(size_t node, int level) {
    for (const LevelInfo& info : net_.node(node).Levels(net_.now())) {
      if (info.level == level) return info.cluster;
    }
    return "";
  }

  std::set<std::string> ClustersAt(int level, size_t first, size_t count) {
    std::set<std::string> clusters;
    for (size_t i = first; i < first + count; ++i) clusters.insert(ClusterOf(i, level));
    return clusters;
  }

  // The levels at which node i keeps something under the key.
  std::set<int> LevelsKeptAt(size_t i) {
    std::set<int> levels;
    for (const Holder& holder : net_.node(i).StoredHere(net_.now(), kKey)) {
      levels.insert(holder.level);
    }
    return levels;
  }

  void JoinAndSettle() {
    net_.JoinAll();
    net_.RunFor(10min);
  }

  bool moved_ = false;  // the first town, to the third one's continent
  Harness net_{Towns([this](size_t from, size_t to) {
    const bool touches = (TownOf(from) == 0) != (TownOf(to) == 0);
    if (moved_ && touches) return TownOf(from) + TownOf(to) == 2 ? Duration(20ms) : Duration(80ms);
    return BetweenTowns(from, to);
  })};
};

TEST_F(ClustersTest, ANodeStartsAlone) {
  net_.AcquaintAll();
  EXPECT_THAT(ClustersAt(1, 0, net_.size()), SizeIs(net_.size()));
  EXPECT_THAT(ClustersAt(2, 0, net_.size()), SizeIs(net_.size()));
  EXPECT_THAT(ClustersAt(0, 0, net_.size()), SizeIs(1));
}

TEST_F(ClustersTest, FollowGeographyAtEachLevel) {
  JoinAndSettle();

  EXPECT_THAT(ClustersAt(2, 0, net_.size()), SizeIs(3));
  EXPECT_THAT(ClustersAt(1, 0, net_.size()), SizeIs(2));
  for (size_t town = 0; town < 3; ++town) {
    EXPECT_THAT(ClustersAt(2, town * kTown, kTown), SizeIs(1)) << town;
  }
  EXPECT_THAT(ClustersAt(1, 0, 2 * kTown), SizeIs(1));
}

TEST_F(ClustersTest, OnceFormedAreLeftAlone) {
  JoinAndSettle();
  const uint64_t before = net_.Total().cluster_moves;

  net_.RunFor(6h);

  EXPECT_EQ(net_.Total().cluster_moves, before);
}

TEST_F(ClustersTest, AreLeftWhenTheWayThereHasBecomeLong) {
  JoinAndSettle();

  moved_ = true;
  net_.RunFor(6h);

  EXPECT_NE(ClusterOf(0, 1), ClusterOf(kTown, 1));
  EXPECT_EQ(ClusterOf(0, 1), ClusterOf(2 * kTown, 1));
  EXPECT_THAT(ClustersAt(2, 0, kTown), SizeIs(1)) << "the town itself has stayed together";
}

TEST_F(ClustersTest, TheSizeOfATownIsKnown) {
  JoinAndSettle();

  for (const LevelInfo& info : net_.node(3).Levels(net_.now())) {
    if (info.level == 2) {
      EXPECT_EQ(info.size_estimate, kTown);
    }
  }
}

TEST_F(ClustersTest, APutIsKeptAtEachLevel) {
  JoinAndSettle();
  net_.Put(0, kKey, 1h);
  net_.RunFor(5s);

  std::set<int> levels;
  for (size_t i = 0; i < net_.size(); ++i) {
    for (const int level : LevelsKeptAt(i)) {
      levels.insert(level);
      // Town 0 alone, town 0 and 1, all.
      EXPECT_LE(TownOf(i), static_cast<size_t>(2 - level));
    }
  }
  EXPECT_EQ(levels, (std::set<int>{0, 1, 2}));
}

TEST_F(ClustersTest, AGetFindsWhatIsNearWithoutLeavingTheTown) {
  JoinAndSettle();
  net_.Put(0, kKey, 1h);
  net_.RunFor(5s);
  bool abroad = false;
  net_.filter = [&](size_t from, size_t to, const Message& message) {
    abroad |= std::holds_alternative<GetQuery>(message.body) && TownOf(from) != TownOf(to);
    return true;
  };

  const OperationId get = net_.Get(7, kKey);
  net_.RunFor(50ms);

  ASSERT_THAT(net_.Found(7, get), SizeIs(1));
  EXPECT_EQ(net_.Found(7, get)[0].level, 2);
  EXPECT_FALSE(abroad);
}

TEST_F(ClustersTest, AGetFindsWhatIsFarInTheWorld) {
  JoinAndSettle();
  net_.Put(2 * kTown, kKey, 1h);
  net_.RunFor(5s);

  const OperationId get = net_.Get(7, kKey);
  net_.RunFor(3s);

  ASSERT_THAT(net_.Found(7, get), SizeIs(1));
  EXPECT_EQ(net_.Found(7, get)[0].level, 0);
}

TEST_F(ClustersTest, AGetInTheWorldAloneFindsItThere) {
  JoinAndSettle();
  net_.Put(0, kKey, 1h);
  net_.RunFor(5s);

  bool in_a_cluster = false;
  net_.filter = [&](size_t, size_t, const Message& message) {
    const auto* query = std::get_if<GetQuery>(&message.body);
    in_a_cluster |= query != nullptr && query->levels != kWorld;
    return true;
  };

  const OperationId get = net_.Get(9, kKey, 0);
  net_.RunFor(3s);

  EXPECT_THAT(net_.Found(9, get), SizeIs(1));
  EXPECT_FALSE(in_a_cluster);
}

TEST_F(ClustersTest, AHolderIsAsNearAsItIsWhereverItIsFound) {
  JoinAndSettle();
  net_.Put(0, kKey, 1h);
  net_.RunFor(5s);

  const OperationId get = net_.Get(9, kKey, 0);
  net_.RunFor(3s);

  ASSERT_THAT(net_.Found(9, get), SizeIs(1));
  EXPECT_EQ(net_.Found(9, get)[0].level, 2);
}

TEST_F(ClustersTest, AWithdrawnValueIsGoneFromEveryLevel) {
  JoinAndSettle();
  net_.Put(0, kKey, 1h);
  net_.RunFor(5s);

  net_.Withdraw(0, kKey);
  net_.RunFor(5s);

  for (size_t i = 0; i < net_.size(); ++i) EXPECT_TRUE(LevelsKeptAt(i).empty()) << i;
}

TEST_F(ClustersTest, ACompletedFetchIsFoundInItsTown) {
  JoinAndSettle();
  const OperationId first = net_.Claim(0, kKey);
  net_.RunFor(2s);
  ASSERT_EQ(net_.Answer(0, first).kind, ClaimAnswer::Kind::kFirst);
  net_.Release(0, first, ClaimEnd::kComplete, 1h);
  net_.RunFor(5s);

  const OperationId claim = net_.Claim(5, kKey);
  net_.RunFor(50ms);

  ASSERT_TRUE(net_.Finished(5, claim));
  ASSERT_EQ(net_.Answer(5, claim).kind, ClaimAnswer::Kind::kHeld);
  EXPECT_EQ(net_.Answer(5, claim).holders[0].node, net_.id(0));
  EXPECT_EQ(net_.Answer(5, claim).holders[0].level, 2);
}

TEST_F(ClustersTest, OneIsFirstThoughEveryoneClaims) {
  JoinAndSettle();
  std::vector<OperationId> claims;
  for (size_t i = 0; i < net_.size(); ++i) claims.push_back(net_.Claim(i, kKey));
  net_.RunFor(5s);

  size_t firsts = 0;
  for (size_t i = 0; i < net_.size(); ++i) {
    firsts += net_.Answer(i, claims[i]).kind == ClaimAnswer::Kind::kFirst;
  }
  EXPECT_EQ(firsts, 1U);
}

TEST_F(ClustersTest, AQueryForAClusterOfOthersIsRefused) {
  JoinAndSettle();
  Outbox out;
  const Message query{.header = {.sender = net_.peer(2 * kTown)},
                      .rpc = 1,
                      .body = GetQuery{.key = kKey, .levels = LevelsUpTo(2)}};

  net_.node(0).OnMessage(net_.now(), query, out);

  ASSERT_THAT(out.answers, SizeIs(1));
  EXPECT_EQ(out.answers[0].message.body, Body(RefusedReply{Refusal::kLevel}));
}

TEST_F(ClustersTest, AFindIsAnsweredWithMembersWhoeverAsks) {
  JoinAndSettle();
  Outbox out;
  const Message query{.header = {.sender = net_.peer(2 * kTown)},
                      .rpc = 1,
                      .body = FindQuery{.target = kKey, .levels = OnlyLevel(2)}};

  net_.node(0).OnMessage(net_.now(), query, out);

  ASSERT_THAT(out.answers, SizeIs(1));
  const auto& found = std::get<FindReply>(out.answers[0].message.body);
  EXPECT_FALSE(found.peers.empty());
  for (const Peer& peer : found.peers) {
    size_t i = 0;
    while (net_.id(i) != peer.id) ++i;
    EXPECT_EQ(TownOf(i), 0U);
  }
}

TEST_F(ClustersTest, ANodeThatDiesIsForgottenAtEveryLevel) {
  JoinAndSettle();
  net_.Kill(4, Harness::Death::kSilent);
  net_.RunFor(45min);

  for (size_t i = 0; i < kTown; ++i) {
    if (i == 4) continue;
    for (int level = 0; level < 3; ++level) {
      for (const NodeInfo& peer : net_.node(i).Peers(net_.now(), level)) {
        EXPECT_NE(peer.id, net_.id(4)) << i << " at " << level;
      }
    }
  }
}

TEST_F(ClustersTest, AQueryInTheNameOfAMemberUnseatsNobody) {
  JoinAndSettle();
  const size_t members = net_.node(0).Peers(net_.now(), 2).size();
  Outbox out;
  for (size_t i = 1; i < kTown; ++i) {
    net_.node(0).OnMessage(net_.now(),
                           Message{.header = {.sender = net_.peer(i)},  // says no clusters
                                   .rpc = i,
                                   .from = IpAddress::V4({203, 0, 113, 9}),
                                   .body = PingQuery{}},
                           out);
  }

  EXPECT_EQ(net_.node(0).Peers(net_.now(), 2).size(), members);
}

// The last node of the first town says that its cluster is the largest there ever was.
TEST_F(ClustersTest, OneThatBoastsIsFollowedByNobody) {
  constexpr size_t kLiar = kTown - 1;
  net_.forge = [](size_t from, size_t, Message& message) {
    if (from != kLiar) return;
    for (ClusterInfo& info : message.header.clusters) {
      info.cluster = Id::Hash("nowhere");
      info.size_estimate = uint64_t{1} << 60;
    }
  };
  net_.JoinAll();
  net_.RunFor(30min);

  EXPECT_THAT(ClustersAt(2, 0, kTown - 1), SizeIs(1));
  EXPECT_NE(ClusterOf(0, 2), Id::Hash("nowhere").ToHex());
}

TEST_F(ClustersTest, OneThatLiesAboutTheSizeOfItsClusterMisleadsNobody) {
  JoinAndSettle();
  net_.forge = [](size_t from, size_t, Message& message) {
    if (from != 3) return;
    for (ClusterInfo& info : message.header.clusters) info.size_estimate = ~uint64_t{0};
  };
  net_.RunFor(1h);

  for (const LevelInfo& info : net_.node(0).Levels(net_.now())) {
    EXPECT_LE(info.size_estimate, 4 * kTown) << info.level;
  }
}

TEST_F(ClustersTest, ALongReferenceSoonAfterAShortOneReachesTheWorld) {
  JoinAndSettle();
  net_.Put(0, PutRequest{.key = kKey, .value = net_.Reference(0), .ttl = 20s, .complete = false});
  net_.RunFor(2s);
  net_.Put(0, PutRequest{.key = kKey, .value = net_.Reference(0), .ttl = 1h});
  net_.RunFor(1min);

  std::set<int> levels;
  for (size_t i = 0; i < net_.size(); ++i) levels.merge(LevelsKeptAt(i));
  EXPECT_EQ(levels, (std::set<int>{0, 1, 2}));
}

TEST_F(ClustersTest, AStrangerPutsNothingIntoACluster) {
  JoinAndSettle();
  const size_t stranger = 2 * kTown;
  const Value value{.publisher = net_.id(stranger), .bytes = "192.0.2.1:80", .ttl = 1h, .level = 2};
  const Attempt attempt{net_.id(stranger), 1};
  const Lease lease{.attempt = attempt, .level = 2, .duration = 20s, .value = "192.0.2.1:80"};
  const std::vector<Body> tries = {
      StoreQuery{.key = kKey, .value = value},
      ReleaseQuery{.key = kKey,
                   .levels = LevelsUpTo(2),
                   .attempt = attempt,
                   .end = ClaimEnd::kComplete,
                   .value = {value}},
      HandOverQuery{.entries = {Entry{.key = kKey, .values = {value}, .leases = {lease}}}},
      RenewQuery{.key = kKey, .lease = lease},
  };
  for (const Body& body : tries) {
    Outbox out;
    net_.node(0).OnMessage(
        net_.now(), Message{.header = {.sender = net_.peer(stranger)}, .rpc = 1, .body = body},
        out);
  }

  const std::set<int> levels = LevelsKeptAt(0);
  EXPECT_FALSE(levels.contains(2));
  EXPECT_FALSE(levels.contains(1));
  EXPECT_EQ(net_.node(0).gauges().leases, 0U);
}

TEST_F(ClustersTest, NearHoldersAreNamedAmongMany) {
  JoinAndSettle();
  // Four of each town: each level has as many as it keeps.
  for (const size_t town : {2, 1, 0}) {
    for (size_t i = 0; i < 4; ++i) {
      net_.Put(town * kTown + i, kKey, 1h);
      net_.RunFor(6s);
    }
  }

  const OperationId get = net_.Get(8, kKey);
  net_.RunFor(3s);

  const std::vector<Holder>& found = net_.Found(8, get);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].level, 2);
}

TEST(WithoutClusters, ACompletedClaimPutsNothingMore) {
  Harness net({.nodes = 3});
  net.JoinAll();
  const OperationId claim = net.Claim(0, kKey);
  net.RunFor(2s);

  net.Release(0, claim, ClaimEnd::kComplete, 1h);
  net.RunFor(2s);

  EXPECT_EQ(net.node(0).stats().puts, 0U);
}

// Two towns of eight, 30 ms apart, and a node half-way: near enough to all of both.
TEST(ClustersInTheMiddle, ANodeBetweenTwoEqualTownsMakesUpItsMind) {
  Harness::Setup setup;
  setup.nodes = 17;
  setup.options = Options{};
  setup.delay = [](size_t from, size_t to) -> Duration {
    if (from == 16 || to == 16) return 9800us;
    return from / 8 == to / 8 ? 2ms : 15ms;
  };
  Harness net(std::move(setup));
  net.JoinAll();
  net.RunFor(30min);
  const uint64_t before = net.Total().cluster_moves;

  net.RunFor(12h);

  EXPECT_EQ(net.Total().cluster_moves, before);
  std::set<std::string> towns;
  for (size_t i = 0; i < 17; ++i) towns.insert(net.node(i).Levels(net.now())[0].cluster);
  EXPECT_THAT(towns, SizeIs(2));
}

}  // namespace
}  // namespace reef::dsht
