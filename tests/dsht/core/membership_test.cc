// SPDX-License-Identifier: Apache-2.0
//
// Joining, staying known, losing and finding peers again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "tests/dsht/core/harness.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr uint32_t kBoth = kServiceHttp | kServiceDns;

std::vector<NodeId> IdsOf(const std::vector<NodeInfo>& nodes) {
  std::vector<NodeId> ids;
  for (const NodeInfo& node : nodes) ids.push_back(node.id);
  return ids;
}

TEST(MembershipTest, ThreeNodesThatStartTogetherKnowEachOther) {
  Harness net({.nodes = 3});

  net.JoinAll();

  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(net.node(i).gauges().peers, 2u);
    EXPECT_TRUE(net.Joined(i)->joined);
  }
}

TEST(MembershipTest, AFirstNodeHasJoinedAtOnce) {
  Harness net({.nodes = 1});
  Outbox out;

  net.node(0).Join(net.now(), {}, out);

  ASSERT_THAT(out.finished, SizeIs(1));
  EXPECT_TRUE(std::get<JoinDone>(out.finished[0]).joined);
  EXPECT_THAT(out.queries, IsEmpty());
}

TEST(MembershipTest, ASeedThatIsTheNodeItselfIsLeftOut) {
  Harness net({.nodes = 1});
  Outbox out;

  net.node(0).Join(net.now(), {net.peer(0).rpc}, out);

  ASSERT_THAT(out.finished, SizeIs(1));
  EXPECT_TRUE(std::get<JoinDone>(out.finished[0]).joined);
}

TEST(MembershipTest, ASeedThatIsNotUpYetIsTriedAgain) {
  Harness net({.nodes = 2});
  net.Kill(0, Harness::Death::kRefusing);
  Outbox out;
  net.Restart(1);
  net.RunFor(500ms);
  ASSERT_TRUE(net.Joined(1).has_value());
  EXPECT_FALSE(net.Joined(1)->joined);

  net.Restart(0);
  net.RunFor(5s);

  EXPECT_EQ(net.node(1).gauges().peers, 1u);
}

TEST(MembershipTest, AJoinerLearnsItsOwnAddressFromTheSeed) {
  Harness net({.nodes = 2});

  net.JoinAll();

  EXPECT_EQ(net.Joined(1)->seen_as, net.peer(1).rpc.address);
}

TEST(MembershipTest, ADeadPeerIsDropped) {
  Harness net({.nodes = 3});
  net.JoinAll();

  net.Kill(1, Harness::Death::kSilent);
  net.RunFor(60s);

  EXPECT_EQ(net.node(0).gauges().peers, 1u);
  EXPECT_EQ(net.node(2).gauges().peers, 1u);
  EXPECT_EQ(net.node(0).stats().peers_dropped, 1u);
}

TEST(MembershipTest, ARestartedPeerIsBackWithinSeconds) {
  Harness net({.nodes = 3});
  net.JoinAll();
  net.Kill(1, Harness::Death::kRefusing);
  net.RunFor(60s);

  net.Restart(1);
  net.RunFor(8s);

  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(net.node(i).gauges().peers, 2u) << i;
}

TEST(MembershipTest, NodesFindEachOtherAgainAfterEachWasAlone) {
  Harness net({.nodes = 4});
  net.JoinAll();
  for (size_t a = 0; a < 4; ++a) {
    for (size_t b = 0; b < a; ++b) net.CutBoth(a, b);
  }
  net.RunFor(2min);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(net.node(i).gauges().peers, 0u);

  net.HealAll();
  net.RunFor(90s);

  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(net.node(i).gauges().peers, 3u) << i;
}

TEST(MembershipTest, TheNetworkSurvivesTheRestartOfItsOnlySeed) {
  Harness net({.nodes = 5});
  net.JoinAll();

  net.Restart(0);
  net.RunFor(20s);

  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(net.node(i).gauges().peers, 4u) << i;
}

// Only peers that answered are in a table.
TEST(MembershipTest, APeerWhoseAnswersAreLostIsNotKnown) {
  Harness net({.nodes = 3});
  net.Cut(2, 1);

  net.JoinAll();

  EXPECT_THAT(IdsOf(net.node(1).Peers(net.now(), 0)), UnorderedElementsAre(net.id(0)));
  EXPECT_THAT(IdsOf(net.node(0).Peers(net.now(), 0)), UnorderedElementsAre(net.id(1), net.id(2)));
}

TEST(MembershipTest, NodesNamesThoseThatAnsweredLatelyAndItself) {
  Harness net({.nodes = 4});
  net.JoinAll();
  net.RunFor(1min);
  net.Kill(3, Harness::Death::kSilent);

  const OperationId list = net.Nodes(0, 10, kBoth);
  net.RunFor(1s);

  ASSERT_TRUE(net.Finished(0, list));
  const std::vector<NodeId> ids = IdsOf(net.Listed(0, list));
  EXPECT_THAT(ids, testing::IsSupersetOf({net.id(0), net.id(1), net.id(2)}));
  net.RunFor(40s);
  const OperationId later = net.Nodes(0, 10, kBoth);
  net.RunFor(1s);
  EXPECT_THAT(IdsOf(net.Listed(0, later)), UnorderedElementsAre(net.id(0), net.id(1), net.id(2)));
  for (const NodeInfo& node : net.Listed(0, later)) EXPECT_LT(node.verified_ago, 30s);
}

TEST(MembershipTest, NodesNamesNoMoreThanAskedFor) {
  Harness net({.nodes = 10});
  net.JoinAll();

  const OperationId list = net.Nodes(0, 4, kServiceHttp);
  net.RunFor(1s);

  EXPECT_THAT(net.Listed(0, list), SizeIs(4));
}

// Of five nodes, and no other than node 1.
void ExpectAllKnowThatOneDrains(Harness& net) {
  for (const size_t i : {0u, 2u, 3u, 4u}) {
    const std::vector<NodeInfo> peers = net.node(i).Peers(net.now(), 0);
    EXPECT_THAT(peers, SizeIs(4)) << i;
    for (const NodeInfo& peer : peers) EXPECT_EQ(peer.draining, peer.id == net.id(1)) << i;
  }
}

TEST(MembershipTest, ADrainingNodeTellsEveryPeerAtOnce) {
  Harness net({.nodes = 5});
  net.JoinAll();

  net.SetDraining(1, true);
  net.RunFor(20ms);

  ExpectAllKnowThatOneDrains(net);
}

TEST(MembershipTest, ADrainingNodeIsHeardAlthoughMessagesAreLost) {
  Harness net({.nodes = 5});
  net.JoinAll();
  std::set<size_t> deaf = {0, 2, 3, 4};
  net.filter = [&](size_t from, size_t to, const Message& m) {
    return from != 1 || !std::holds_alternative<PingQuery>(m.body) || deaf.erase(to) == 0;
  };

  net.SetDraining(1, true);
  net.RunFor(1s);

  EXPECT_THAT(deaf, IsEmpty());
  ExpectAllKnowThatOneDrains(net);
}

TEST(MembershipTest, AnnouncingIsBoundedAndDoneOnce) {
  Options options;
  options.bucket_size = 200;
  Harness net({.nodes = 300, .options = options});
  net.AcquaintAll();
  ASSERT_GT(net.node(0).gauges().peers, 128u);
  Outbox out;

  net.node(0).SetDraining(net.now(), true, out);

  EXPECT_THAT(out.queries, SizeIs(128));
  out.Clear();
  net.node(0).SetDraining(net.now(), true, out);
  EXPECT_THAT(out.queries, IsEmpty());
  net.node(0).SetDraining(net.now(), false, out);
  EXPECT_THAT(out.queries, IsEmpty());
}

TEST(MembershipTest, AnOverloadedNodeSaysSoWithItsNextMessage) {
  Harness net({.nodes = 2});
  net.JoinAll();

  net.node(1).SetOverloaded(true);
  net.Get(1, Id::Hash("x"));
  net.RunFor(1s);

  const std::vector<NodeInfo> peers = net.node(0).Peers(net.now(), 0);
  ASSERT_THAT(peers, SizeIs(1));
  EXPECT_TRUE(peers[0].overloaded);
}

TEST(MembershipTest, ServicesMoveToTheAddressThatIsLearntUnlessTheyHaveOneOfTheirOwn) {
  const auto at = [](uint8_t last, uint16_t port) {
    return Endpoint{IpAddress::V4({192, 0, 2, last}), port};
  };
  const Endpoint dns = at(99, 53);
  Node node(Peer{.id = Id::Hash("n"), .rpc = {{}, 8400}, .http = {{}, 8090}, .dns = dns}, Options{},
            Rng(1));

  node.SetRpc(at(1, 8400));
  EXPECT_EQ(node.self().rpc, at(1, 8400));
  EXPECT_EQ(node.self().http, at(1, 8090));
  EXPECT_EQ(node.self().dns, dns);
  node.SetRpc(at(2, 8400));
  EXPECT_EQ(node.self().http, at(2, 8090));
  EXPECT_EQ(node.self().dns, dns);
}

TEST(MembershipTest, AServiceThatIsNotRunStaysSoWhenTheAddressIsLearnt) {
  Node node(Peer{.id = Id::Hash("n"), .rpc = {{}, 8400}}, Options{}, Rng(1));

  node.SetRpc({IpAddress::V4({192, 0, 2, 1}), 8400});

  EXPECT_EQ(node.self().http, Endpoint{});
  EXPECT_EQ(node.self().dns, Endpoint{});
}

// Anybody may name a wrong address for another node.
TEST(MembershipTest, AStrangerCannotTalkAPeerOutOfTheTable) {
  Harness net({.nodes = 3});
  net.JoinAll();
  Peer lie = net.peer(2);
  lie.rpc = {IpAddress::V4({192, 0, 2, 66}), 8400};

  EXPECT_THAT(net.Tell(0, lie), ElementsAre(lie.rpc, lie.rpc));

  EXPECT_EQ(net.node(0).gauges().peers, 2u);
  EXPECT_EQ(net.node(0).stats().peers_dropped, 0u);
  EXPECT_THAT(net.Tell(0, lie), IsEmpty());  // not tried again at once
}

TEST(MembershipTest, AGoodbyeCountsOnlyFromThePeersOwnAddress) {
  Harness net({.nodes = 3});
  net.JoinAll();
  Outbox out;
  Message goodbye{.header = {.sender = net.peer(2)}, .rpc = 1, .body = LeaveQuery{}};

  for (const IpAddress& from : {IpAddress{}, net.peer(1).rpc.address}) {
    goodbye.from = from;
    net.node(0).OnMessage(net.now(), goodbye, out);
  }
  EXPECT_EQ(net.node(0).gauges().peers, 2u);
  EXPECT_EQ(net.node(0).stats().invalid_messages, 2u);
  goodbye.from = net.peer(2).rpc.address;
  net.node(0).OnMessage(net.now(), goodbye, out);

  EXPECT_EQ(net.node(0).gauges().peers, 1u);
}

// There a node's calls come from 127.0.0.1, wherever it listens.
TEST(MembershipTest, AGoodbyeOnLoopbackCountsFromAnyAddressOfLoopback) {
  Node node(Peer{.id = Id::Hash("n"), .rpc = {IpAddress::V4({127, 0, 0, 2}), 8400}}, Options{},
            Rng(1));
  const Peer peer{.id = Id::Hash("p"), .rpc = {IpAddress::V4({127, 0, 0, 3}), 8400}};
  node.Acquaint(Instant(1h), peer, 1ms);
  Outbox out;

  node.OnMessage(Instant(1h),
                 Message{.header = {.sender = peer},
                         .rpc = 1,
                         .from = IpAddress::V4({127, 0, 0, 1}),
                         .body = LeaveQuery{}},
                 out);

  EXPECT_EQ(node.gauges().peers, 0u);
}

TEST(MembershipTest, APeerThatSaidGoodbyeIsNotBroughtBackByWhatItSentBefore) {
  Harness net({.nodes = 2});
  net.JoinAll();
  Outbox out;
  Message message{.header = {.sender = net.peer(1)},
                  .rpc = 1,
                  .from = net.peer(1).rpc.address,
                  .body = LeaveQuery{}};
  net.node(0).OnMessage(net.now(), message, out);

  message.body = GetQuery{.key = Id::Hash("x")};
  net.node(0).OnMessage(net.now(), message, out);

  EXPECT_THAT(out.queries, IsEmpty());
  EXPECT_EQ(net.node(0).gauges().peers, 0u);
}

TEST(MembershipTest, APeerThatMovedIsKeptUnderItsNewAddress) {
  Harness net({.nodes = 2});
  net.JoinAll();
  Outbox out;
  Peer moved = net.peer(1);
  moved.rpc = {IpAddress::V4({192, 0, 2, 7}), 8400};

  net.node(0).OnMessage(net.now(),
                        Message{.header = {.sender = moved}, .rpc = 1, .body = PingQuery{}}, out);
  ASSERT_THAT(out.queries, SizeIs(1));
  const Message reply{.header = {.sender = moved}, .rpc = out.queries[0].rpc, .body = PingReply{}};
  net.node(0).OnMessage(net.now(), reply, out);

  EXPECT_EQ(net.node(0).Peers(net.now(), 0)[0].rpc, moved.rpc);
}

// As over gRPC, where the first call to a peer waits for its connection.
TEST(MembershipTest, ARoundTripThatIncludesConnectingIsMeasuredAgain) {
  const Peer peer{.id = Id::Hash("peer"), .rpc = {IpAddress::V4({192, 0, 2, 2}), 8400}};
  const std::vector<ClusterInfo> clusters = {{.level = 1, .cluster = Id::Hash("c")},
                                             {.level = 2, .cluster = Id::Hash("d")}};
  Node node(Peer{.id = Id::Hash("n"), .rpc = {IpAddress::V4({192, 0, 2, 1}), 8400}}, Options{},
            Rng(1));
  Instant now(1h);
  Outbox out;
  const auto answer = [&](Duration after, bool cold) {
    ASSERT_THAT(out.queries, SizeIs(1));
    ASSERT_TRUE(std::holds_alternative<PingQuery>(out.queries[0].message.body));
    Message reply{.header = {.sender = peer, .clusters = clusters},
                  .rpc = out.queries[0].rpc,
                  .from = peer.rpc.address,
                  .body = PingReply{}};
    reply.cold = cold;
    out.Clear();
    node.OnMessage(now += after, reply, out);
  };
  node.OnMessage(now, Message{.header = {.sender = peer}, .rpc = 1, .body = PingQuery{}}, out);

  answer(90ms, true);
  ASSERT_THAT(node.Peers(now, 0), SizeIs(1));
  EXPECT_EQ(node.Peers(now, 0)[0].rtt, 0ms) << "not known";
  answer(30ms, false);
  EXPECT_EQ(node.Peers(now, 0)[0].rtt, 30ms);
  EXPECT_THAT(out.queries, SizeIs(0));
}

TEST(MembershipTest, AnIdleNodeSendsLessThanOneMessageInTwoSeconds) {
  Harness net({.nodes = 100, .delay_min = 5ms, .delay_max = 50ms});
  net.AcquaintAll();
  net.RunFor(30min);  // the early refreshes are over
  const uint64_t before = net.messages_delivered();

  net.RunFor(30min);

  const double a_second = static_cast<double>(net.messages_delivered() - before) / (100 * 1800.0);
  EXPECT_LT(a_second, 0.5);
}

TEST(MembershipTest, TheSizeEstimateIsRight) {
  for (size_t nodes : {1u, 5u, 300u}) {
    Harness net({.nodes = nodes});
    net.AcquaintAll();
    double sum = 0;
    for (size_t i = 0; i < nodes; ++i) {
      sum += static_cast<double>(net.node(i).Levels(net.now())[0].size_estimate);
    }
    const double mean = sum / static_cast<double>(nodes);
    EXPECT_GT(mean, static_cast<double>(nodes) * 0.6);
    EXPECT_LT(mean, static_cast<double>(nodes) * 1.7);
  }
}

TEST(MembershipTest, TheSameSeedGivesTheSameRun) {
  const auto run = [](uint64_t seed) {
    Harness net({.nodes = 30, .seed = seed, .delay_max = 50ms, .loss = 0.05});
    net.JoinAll();
    for (size_t i = 0; i < 30; ++i) {
      net.Put(i, Id::Hash(std::to_string(i % 7)), 1h);
      net.Claim(i, Id::Hash(std::to_string(i % 5)));
    }
    net.RunFor(1min);
    return std::pair(net.Total(), net.messages_delivered());
  };

  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3).second, run(4).second);
}

}  // namespace
}  // namespace reef::dsht
