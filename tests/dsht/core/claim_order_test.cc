// SPDX-License-Identifier: Apache-2.0
//
// Claims whose messages come late, twice, out of order or with what no honest node says: one node,
// whose peers are played by the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "dsht/core/lease_table.h"
#include "dsht/core/node.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = ClaimAnswer::Kind;

const Key kKey = Id::Hash("http://example.com/");

// The smaller `distance`, the closer to the key.
Peer PeerAt(uint8_t distance) {
  Id id = kKey;
  id.bytes[0] ^= distance;
  const IpAddress address = IpAddress::V4({10, 0, 0, distance});
  return Peer{.id = id, .rpc = {address, 8400}, .http = {address, 8090}};
}

class ClaimOrderTest : public testing::Test {
 protected:
  struct Sent {
    Peer to;
    RpcId rpc = 0;
    Body body;
  };

  // The node under test, and peers that it has just heard.
  void Start(uint8_t distance, std::initializer_list<uint8_t> peers, Duration rtt = 20ms) {
    node_ = std::make_unique<Node>(PeerAt(distance), options_, Rng(1));
    for (const uint8_t peer : peers) node_->Acquaint(now_, PeerAt(peer), rtt);
  }

  OperationId Claim(std::vector<NodeId> exclude = {}) {
    const OperationId id = node_->Claim(
        now_, ClaimRequest{.key = kKey, .value = "192.0.2.9:80", .exclude = std::move(exclude)},
        out_);
    Drain();
    return id;
  }

  void RunFor(Duration duration) {
    const Instant until = now_ + duration;
    while (node_->NextDeadline() <= until) {
      now_ = std::max(now_, node_->NextDeadline());
      node_->OnDeadline(now_, out_);
      Drain();
    }
    now_ = until;
  }

  void Reply(const Sent& query, Body body) {
    node_->OnMessage(now_, Message{{.sender = query.to}, query.rpc, query.to.rpc.address, body},
                     out_);
    Drain();
  }

  // A query to the node; returns its reply if it comes at once.
  std::optional<Body> Ask(const Peer& from, const Body& query) {
    const RpcId rpc = ++last_asked_;
    node_->OnMessage(now_, Message{{.sender = from}, rpc, from.rpc.address, query}, out_);
    Drain();
    return AnswerTo(rpc);
  }
  std::optional<Body> AnswerTo(RpcId rpc) const {
    const auto it = answers_.find(rpc);
    return it == answers_.end() ? std::nullopt : std::optional(it->second);
  }

  // The queries of one kind that were sent since this was asked last.
  template <typename Query>
  std::vector<Sent> Take() {
    std::vector<Sent> taken;
    std::erase_if(sent_, [&](const Sent& s) {
      if (!std::holds_alternative<Query>(s.body)) return false;
      taken.push_back(s);
      return true;
    });
    return taken;
  }

  const ClaimAnswer* AnswerOf(OperationId claim) const {
    const auto it = answered_.find(claim);
    return it == answered_.end() ? nullptr : &it->second;
  }

  // Pings and lookups are answered; all else is left to the test.
  void Drain() {
    while (!out_.empty()) {
      Outbox out = std::move(out_);
      out_ = Outbox{};
      for (Answer& answer : out.answers) {
        answers_.emplace(answer.rpc, std::move(answer.message.body));
      }
      for (const Finished& finished : out.finished) {
        if (const auto* said = std::get_if<ClaimAnswered>(&finished)) {
          answered_.emplace(said->claim, said->answer);
        }
      }
      for (const Outgoing& query : out.queries) {
        const Peer to = PeerAt(query.to.address.bytes()[3]);
        const auto reply = [&](Body body) {
          node_->OnMessage(now_, Message{{.sender = to}, query.rpc, to.rpc.address, body}, out_);
        };
        if (std::holds_alternative<PingQuery>(query.message.body)) {
          reply(PingReply{});
        } else if (std::holds_alternative<FindQuery>(query.message.body)) {
          reply(FindReply{});
        } else {
          sent_.push_back({to, query.rpc, query.message.body});
        }
      }
    }
  }

  static ClaimReply Verdict(ClaimVerdict verdict) {
    ClaimReply reply;
    reply.verdict = verdict;
    return reply;
  }
  static ClaimReply Granted(uint32_t epoch, std::vector<Peer> peers = {}) {
    ClaimReply reply = Verdict(ClaimVerdict::kFirst);
    reply.epoch = epoch;
    reply.peers = std::move(peers);
    return reply;
  }
  static ClaimReply Retry() {
    ClaimReply reply = Verdict(ClaimVerdict::kRetry);
    reply.left = 100ms;
    return reply;
  }
  static ClaimReply Rival(const Peer& rival, uint64_t counter = 1) {
    ClaimReply reply = Verdict(ClaimVerdict::kRival);
    reply.leases.push_back(LeaseOf(rival, counter));
    return reply;
  }
  static Lease LeaseOf(const Peer& holder, uint64_t counter = 1, uint32_t epoch = 1) {
    return Lease{.attempt = {holder.id, counter},
                 .epoch = epoch,
                 .duration = 20s,
                 .value = "192.0.2.1:80",
                 .rpc = holder.rpc};
  }
  // From a stranger, to a node that is to decide or to pass it on.
  static ClaimQuery QueryOf(const Peer& claimant, std::vector<NodeId> unreachable = {}) {
    ClaimQuery query;
    query.key = kKey;
    query.next_target = kKey;
    query.attempt = {claimant.id, 1};
    query.claimant = claimant.rpc;
    query.value = "192.0.2.2:80";
    query.unreachable = std::move(unreachable);
    return query;
  }
  static ClaimReply ReplyIn(const std::optional<Body>& body) {
    return body ? std::get<ClaimReply>(*body) : Verdict(ClaimVerdict::kBusy);
  }

  Options options_;
  Instant now_{1h};
  Outbox out_;
  std::unique_ptr<Node> node_;
  std::vector<Sent> sent_;
  std::map<RpcId, Body> answers_;
  std::map<OperationId, ClaimAnswer> answered_;
  RpcId last_asked_ = 1000;
};

// What was asked before the second look says nothing about the leader at that time.
class SecondLook : public ClaimOrderTest, public testing::WithParamInterface<ClaimVerdict> {};

TEST_P(SecondLook, IsWaitedForWhateverAnEarlierQueryBrings) {
  Start(0x80, {1});
  const OperationId claim = Claim({PeerAt(9).id});
  RunFor(50ms);
  const std::vector<Sent> asked = Take<ClaimQuery>();
  ASSERT_THAT(asked, SizeIs(2));

  Reply(asked[0], Verdict(ClaimVerdict::kHeldByOther));
  RunFor(5ms);
  Reply(asked[1], Verdict(GetParam()));
  RunFor(1190ms);
  EXPECT_EQ(AnswerOf(claim), nullptr);
  EXPECT_THAT(Take<ClaimQuery>(), IsEmpty());
  RunFor(10ms);

  const std::vector<Sent> again = Take<ClaimQuery>();
  ASSERT_THAT(again, SizeIs(1));
  Reply(again[0], Granted(2));
  ASSERT_NE(AnswerOf(claim), nullptr);
  EXPECT_EQ(AnswerOf(claim)->kind, Kind::kFirst);
}

TEST_P(SecondLook, IsNotDecidedByAReplyThatCameMuchLater) {
  Start(0x80, {1}, 400ms);
  const OperationId claim = Claim({PeerAt(9).id});
  RunFor(800ms);
  const std::vector<Sent> asked = Take<ClaimQuery>();
  ASSERT_THAT(asked, SizeIs(2));
  RunFor(50ms);
  Reply(asked[0], Verdict(ClaimVerdict::kHeldByOther));
  RunFor(1200ms);
  const std::vector<Sent> again = Take<ClaimQuery>();
  ASSERT_THAT(again, SizeIs(1));

  Reply(asked[1], Verdict(GetParam()));
  RunFor(200ms);
  EXPECT_EQ(AnswerOf(claim), nullptr);
  EXPECT_THAT(Take<ClaimQuery>(), IsEmpty());
  Reply(again[0], Verdict(ClaimVerdict::kHeldByOther));

  ASSERT_NE(AnswerOf(claim), nullptr);
  EXPECT_EQ(AnswerOf(claim)->kind, Kind::kNoAnswer);
  EXPECT_EQ(node_->stats().claims_leader_apart, 1u);
}

INSTANTIATE_TEST_SUITE_P(Strays, SecondLook,
                         testing::Values(ClaimVerdict::kHeldByOther, ClaimVerdict::kRetry));

TEST_F(ClaimOrderTest, ANodeThatHasAskedForPatienceOftenIsStillAskedTwiceWhenAMessageIsLost) {
  Start(0x80, {1});
  const OperationId claim = Claim({PeerAt(9).id});
  for (int i = 0; i < 3; ++i) {
    const std::vector<Sent> asked = Take<ClaimQuery>();
    ASSERT_THAT(asked, SizeIs(1));
    Reply(asked[0], Retry());
    RunFor(100ms);
  }
  ASSERT_THAT(Take<ClaimQuery>(), SizeIs(1));  // lost

  RunFor(50ms);
  const std::vector<Sent> repeated = Take<ClaimQuery>();
  ASSERT_THAT(repeated, SizeIs(1));
  Reply(repeated[0], Granted(1));

  ASSERT_NE(AnswerOf(claim), nullptr);
  EXPECT_EQ(AnswerOf(claim)->kind, Kind::kFirst);
}

// One that names a rival has answered; its silence later counts from then on.
TEST_F(ClaimOrderTest, AConfirmerThatFallsSilentAfterNamingARivalIsNotWaitedForForEver) {
  Start(0x80, {1});
  const OperationId claim = Claim();
  Reply(Take<ClaimQuery>().at(0), Granted(1, {PeerAt(2)}));
  const std::vector<Sent> confirm = Take<ClaimQuery>();
  ASSERT_THAT(confirm, SizeIs(1));
  Reply(confirm[0], Rival(PeerAt(3)));
  const std::vector<Sent> contest = Take<ContestQuery>();
  ASSERT_THAT(contest, SizeIs(1));

  Reply(contest[0], ContestReply{.standing = Standing::kGone});
  RunFor(100ms);
  EXPECT_EQ(AnswerOf(claim), nullptr);  // it may still answer
  RunFor(1900ms);

  ASSERT_NE(AnswerOf(claim), nullptr);
  EXPECT_EQ(AnswerOf(claim)->kind, Kind::kFirst);
  EXPECT_EQ(node_->stats().claims_unconfirmed, 0u);
}

TEST_F(ClaimOrderTest, ASiteThatWasBlockedWhenPatienceEndedIsAskedAgainWithTheNextRenewal) {
  options_.claim_patience = 500ms;
  Start(0x80, {1});
  const OperationId claim = Claim();
  Reply(Take<ClaimQuery>().at(0), Granted(1, {PeerAt(2)}));
  Reply(Take<ClaimQuery>().at(0), Rival(PeerAt(3)));
  RunFor(500ms);
  ASSERT_NE(AnswerOf(claim), nullptr);
  EXPECT_EQ(AnswerOf(claim)->kind, Kind::kFirst);
  EXPECT_EQ(node_->stats().claims_unconfirmed, 1u);

  RunFor(5s);

  const std::vector<Sent> confirm = Take<ClaimQuery>();
  ASSERT_FALSE(confirm.empty());
  EXPECT_EQ(confirm[0].to.id, PeerAt(2).id);
}

// An epoch that grew past its bound would be refused by everybody from then on.
TEST_F(ClaimOrderTest, TheDecidingNodeGrantsNoEpochBeyondTheBound) {
  Start(1, {0x40});
  const Peer holder = PeerAt(9);
  const Peer claimant = PeerAt(0x40);
  Ask(holder, HandOverQuery{{Entry{.key = kKey, .leases = {LeaseOf(holder, 1, kEpochMax)}}}});
  ClaimQuery query = QueryOf(claimant);
  query.exclude.push_back(holder.id);
  EXPECT_EQ(ReplyIn(Ask(claimant, query)).verdict, ClaimVerdict::kRetry);
  Reply(Take<ContestQuery>().at(0), ContestReply{.standing = Standing::kGone});

  const ClaimReply reply = ReplyIn(Ask(claimant, query));

  EXPECT_EQ(reply.verdict, ClaimVerdict::kFirst);
  EXPECT_EQ(reply.epoch, kEpochMax);
}

TEST_F(ClaimOrderTest, AClaimantTakesNoEpochBeyondTheBound) {
  Start(0x80, {1});
  Claim();

  Reply(Take<ClaimQuery>().at(0), Granted(UINT32_MAX, {PeerAt(2)}));

  EXPECT_EQ(std::get<ClaimQuery>(Take<ClaimQuery>().at(0).body).epoch, kEpochMax);
}

TEST_F(ClaimOrderTest, ANodeThatPassesAClaimOnKeepsNoEpochBeyondTheBound) {
  Start(2, {1});
  const Peer claimant = PeerAt(0x40);
  Ask(claimant, QueryOf(claimant, {PeerAt(1).id}));
  const RpcId asked = last_asked_;

  Reply(Take<ClaimQuery>().at(0), Granted(UINT32_MAX));

  EXPECT_EQ(ReplyIn(AnswerTo(asked)).epoch, kEpochMax);
  const ClaimReply other = ReplyIn(Ask(PeerAt(0x41), QueryOf(PeerAt(0x41))));
  ASSERT_THAT(other.leases, SizeIs(1));
  EXPECT_EQ(other.leases[0].epoch, kEpochMax);
}

TEST_F(ClaimOrderTest, AnAttemptIsPassedOnOnceAtATime) {
  Start(2, {1});
  const Peer claimant = PeerAt(0x40);
  Ask(claimant, QueryOf(claimant, {PeerAt(1).id}));
  const RpcId first = last_asked_;

  EXPECT_EQ(ReplyIn(Ask(claimant, QueryOf(claimant, {PeerAt(1).id}))).verdict,
            ClaimVerdict::kRetry);

  const std::vector<Sent> passed_on = Take<ClaimQuery>();
  ASSERT_THAT(passed_on, SizeIs(1));
  Reply(passed_on[0], Granted(1));
  EXPECT_EQ(ReplyIn(AnswerTo(first)).verdict, ClaimVerdict::kFirst);
  Ask(claimant, QueryOf(claimant, {PeerAt(1).id}));
  EXPECT_THAT(Take<ClaimQuery>(), SizeIs(1));
}

TEST_F(ClaimOrderTest, ClaimsPassedOnAtOnceAreBoundedAndCounted) {
  options_.relays_max = 2;
  Start(2, {1});
  for (const uint8_t i : {uint8_t{0x40}, uint8_t{0x41}}) {
    EXPECT_EQ(Ask(PeerAt(i), QueryOf(PeerAt(i), {PeerAt(1).id})), std::nullopt);
  }

  EXPECT_EQ(ReplyIn(Ask(PeerAt(0x42), QueryOf(PeerAt(0x42), {PeerAt(1).id}))).verdict,
            ClaimVerdict::kRetry);

  EXPECT_EQ(node_->stats().relays_refused, 1u);
  const std::vector<Sent> passed_on = Take<ClaimQuery>();
  ASSERT_THAT(passed_on, SizeIs(2));
  Reply(passed_on[0], Verdict(ClaimVerdict::kBusy));
  EXPECT_EQ(Ask(PeerAt(0x42), QueryOf(PeerAt(0x42), {PeerAt(1).id})), std::nullopt);
}

TEST_F(ClaimOrderTest, AGrantThatComesLateDoesNotUndoWhatHasHappenedSince) {
  Start(2, {1});
  const Peer claimant = PeerAt(0x40);
  Ask(claimant, QueryOf(claimant, {PeerAt(1).id}));
  const RpcId asked = last_asked_;
  const Peer next = PeerAt(0x41);
  Ask(next, RenewQuery{kKey, LeaseOf(next, 1, 2)});

  Reply(Take<ClaimQuery>().at(0), Granted(1));

  EXPECT_EQ(ReplyIn(AnswerTo(asked)).verdict, ClaimVerdict::kRetry);
  const ClaimReply held = ReplyIn(Ask(PeerAt(0x42), QueryOf(PeerAt(0x42))));
  ASSERT_THAT(held.leases, SizeIs(1));
  EXPECT_EQ(held.leases[0].attempt.node, next.id);
}

// Rule 7: only the deciding node's own failures count, not what is said in the holder's name.
TEST_F(ClaimOrderTest, AHolderThatSaidGoodbyeIsAskedAllTheSame) {
  const Peer holder = PeerAt(9);
  const Peer claimant = PeerAt(0x40);
  Start(1, {9});
  Ask(holder, HandOverQuery{{Entry{.key = kKey, .leases = {LeaseOf(holder)}}}});
  Ask(holder, LeaveQuery{});
  ASSERT_EQ(node_->stats().peers_left, 1u);
  ClaimQuery query = QueryOf(claimant);
  query.exclude.push_back(holder.id);

  EXPECT_EQ(ReplyIn(Ask(claimant, query)).verdict, ClaimVerdict::kRetry);

  const std::vector<Sent> contest = Take<ContestQuery>();
  ASSERT_THAT(contest, SizeIs(1));
  Reply(contest[0], ContestReply{.standing = Standing::kStands});
  EXPECT_EQ(ReplyIn(Ask(claimant, query)).verdict, ClaimVerdict::kHeldByOther);
}

TEST_F(ClaimOrderTest, ChecksOfHoldersAreBoundedAndCounted) {
  options_.checks_max = 1;
  const Peer claimant = PeerAt(0x40);
  Start(1, {0x40});
  const auto complain_about = [&](const Peer& holder, const Key& key) {
    Ask(holder, HandOverQuery{{Entry{.key = key, .leases = {LeaseOf(holder)}}}});
    ClaimQuery query = QueryOf(claimant);
    query.key = key;
    query.exclude.push_back(holder.id);
    return ReplyIn(Ask(claimant, query)).verdict;
  };
  Key next = kKey;
  next.bytes[19] ^= 1;

  EXPECT_EQ(complain_about(PeerAt(9), kKey), ClaimVerdict::kRetry);
  EXPECT_EQ(complain_about(PeerAt(10), next), ClaimVerdict::kRetry);

  const std::vector<Sent> contest = Take<ContestQuery>();
  ASSERT_THAT(contest, SizeIs(1));
  EXPECT_EQ(node_->stats().checks_refused, 1u);
  Reply(contest[0], ContestReply{.standing = Standing::kGone});
  EXPECT_EQ(complain_about(PeerAt(10), next), ClaimVerdict::kRetry);
  EXPECT_THAT(Take<ContestQuery>(), SizeIs(1));
}

}  // namespace
}  // namespace reef::dsht
