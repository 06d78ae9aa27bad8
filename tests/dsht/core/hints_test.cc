// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/hints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "dsht/core/node.h"
#include "tests/dsht/core/harness.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;

IpAddress Address(std::string_view text) {
  return *IpAddress::Parse(text);
}

TEST(HintKeyTest, IsThatOfTheNetwork) {
  EXPECT_EQ(HintKey(Address("192.0.2.1")), HintKey(Address("192.0.2.254")));
  EXPECT_NE(HintKey(Address("192.0.2.1")), HintKey(Address("192.0.3.1")));
  EXPECT_EQ(HintKey(Address("2001:db8:1:2::1")), HintKey(Address("2001:db8:1:3::1")));
  EXPECT_NE(HintKey(Address("2001:db8:1::1")), HintKey(Address("2001:db8:2::1")));
}

TEST(HintKeyTest, LoopbackAndNoAddressSayNothing) {
  EXPECT_FALSE(HasHint(Address("127.0.0.1")));
  EXPECT_FALSE(HasHint(Address("::1")));
  EXPECT_FALSE(HasHint(IpAddress()));
  EXPECT_TRUE(HasHint(Address("192.0.2.1")));
}

TEST(HintsTest, ANodeThatHasJoinedCanBeFoundThroughItsNetwork) {
  Harness net({.nodes = 5, .options = Options{}});
  net.JoinAll();

  std::set<NodeId> told;
  const Key key = HintKey(net.peer(0).rpc.address);
  for (size_t i = 0; i < net.size(); ++i) {
    for (const Holder& holder : net.node(i).StoredHere(net.now(), key)) told.insert(holder.node);
  }
  EXPECT_GE(told.size(), 4U) << "as many as one key keeps";
}

// One node with one peer, which says what the test wants about the hints of 192.0.2.0/24.
class OneNode {
 public:
  explicit OneNode(std::vector<Value> hints) : hints_(std::move(hints)) {
    node_.Acquaint(now_, peer_, 5ms);
  }

  // Whom the node has pinged within a minute, the peer left out.
  std::set<std::string> PingedInAMinute() {
    const Instant end = now_ + 1min;
    while (now_ < end) {
      now_ = std::max(now_, node_.NextDeadline());
      node_.OnDeadline(now_, out_);
      AnswerAll();
    }
    return pinged_;
  }

 private:
  void AnswerAll() {
    while (!out_.queries.empty()) {
      const std::vector<Outgoing> queries = std::exchange(out_.queries, {});
      for (const Outgoing& query : queries) Answer(query);
    }
  }

  void Answer(const Outgoing& query) {
    if (query.to != peer_.rpc) {
      if (std::holds_alternative<PingQuery>(query.message.body)) {
        pinged_.insert(query.to.ToString());
      }
      return node_.OnUnreachable(now_, query.rpc, out_);
    }
    Body reply = PingReply{};
    if (std::holds_alternative<FindQuery>(query.message.body)) reply = FindReply{};
    if (std::holds_alternative<StatusQuery>(query.message.body)) reply = StatusReply{};
    if (std::holds_alternative<StoreQuery>(query.message.body)) reply = StoreReply{};
    if (std::holds_alternative<GetQuery>(query.message.body)) reply = GetReply{.values = hints_};
    node_.OnMessage(now_,
                    Message{.header = {.sender = peer_},
                            .rpc = query.rpc,
                            .from = peer_.rpc.address,
                            .body = std::move(reply)},
                    out_);
  }

  std::vector<Value> hints_;
  Instant now_ = Instant(1h);
  Outbox out_;
  Node node_{Peer{.id = Id::Hash("self"), .rpc = {Address("192.0.2.1"), 8400}}, Options{}, Rng(1)};
  Peer peer_{.id = Id::Hash("peer"), .rpc = {Address("198.51.100.1"), 8400}};
  std::set<std::string> pinged_;
};

Value Hint(const std::string& publisher, const std::string& bytes, Duration ttl = 1h) {
  return {.publisher = Id::Hash(publisher), .bytes = bytes, .ttl = ttl};
}

TEST(HintsTest, ThoseOfTheSameNetworkArePinged) {
  OneNode node({Hint("a", "192.0.2.7:8400")});

  EXPECT_THAT(node.PingedInAMinute(), testing::ElementsAre("192.0.2.7:8400"));
}

TEST(HintsTest, WhoeverWritesThemChoosesNobodyElsewhereToBePinged) {
  Value nobody = Hint("d", "192.0.2.9:8400");
  nobody.publisher = NodeId{};
  OneNode node({Hint("a", "203.0.113.9:53"), Hint("b", "not an address"),
                Hint("c", "192.0.2.8:8400", 24h), nobody});

  EXPECT_THAT(node.PingedInAMinute(), testing::IsEmpty());
}

}  // namespace
}  // namespace reef::dsht
