// SPDX-License-Identifier: Apache-2.0
//
// Whole nodes over real gRPC on loopback, many in one process. Nothing here waits for a length of
// time: a test asks again until what must come has come, and fails if it has not within a minute.
#include "dsht/rpc/driver.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dsht/rpc/codec.h"
#include "dsht/rpc/credentials.h"
#include "proto/dsht.grpc.pb.h"
#include "tests/dsht/rpc/sample_messages.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kPatience = 60s;
const Endpoint kAnyPort = *Endpoint::Parse("127.0.0.1:0");

// What a callback is given; fails the test if it does not come.
template <typename T>
class Awaited {
 public:
  std::function<void(T)> Callback() {
    return [promise = promise_](T value) { promise->set_value(std::move(value)); };
  }
  T Get() {
    std::future<T> future = promise_->get_future();
    if (future.wait_for(kPatience) != std::future_status::ready) {
      ADD_FAILURE() << "no answer";
      return T{};
    }
    return future.get();
  }

 private:
  std::shared_ptr<std::promise<T>> promise_ = std::make_shared<std::promise<T>>();
};

// True as soon as `condition` is; each try asks the nodes something, which takes its time.
bool Eventually(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < give_up) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

// One process's worth of a node, its time-outs fit for loopback.
class TestNode {
 public:
  explicit TestNode(const std::string& name, Endpoint listen = kAnyPort,
                    std::optional<Endpoint> advertise = std::nullopt) {
    DriverOptions options;
    options.id = Id::Hash(name);
    options.listen = listen;
    options.advertise = advertise;
    options.http = *Endpoint::Parse("127.0.0.1:80");
    options.seed = 7;
    options.node.upkeep_every = 100ms;
    options.node.neighbour_ping_after = 300ms;
    options.node.verify_after = 200ms;
    options.node.join_retry_min = 100ms;
    options.node.join_retry_max = 500ms;
    // Sanitizers are slow: a node that is only slow must not count as dead.
    options.node.rpc_timeout_min = 2s;
    options.node.rpc_timeout_max = 5s;
    options.node.ping_timeout_min = 2s;
    options.node.check_timeout = 2s;
    options.node.claim_budget = 20s;
    options.node.claim_patience = 30s;
    options.node.lease = 2s;
    options.node.renew_every = 200ms;
    driver_ = std::make_unique<Driver>(options, metrics_);
    status_ = driver_->Start();
  }

  Driver& operator*() { return *driver_; }
  Driver* operator->() { return driver_.get(); }
  const Status& status() const { return status_; }
  std::string Address() const { return driver_->listening().ToString(); }
  std::string Exposition() const { return metrics_.Exposition(); }

  std::vector<Holder> Get(const Key& key) {
    Awaited<std::vector<Holder>> holders;
    driver_->Get(key, holders.Callback());
    return holders.Get();
  }
  void Put(const Key& key, const std::string& value) {
    PutRequest put;
    put.key = key;
    put.value = value;
    put.ttl = 1h;
    driver_->Put(put);
  }
  std::vector<NodeInfo> Nodes() {
    Awaited<std::vector<NodeInfo>> nodes;
    driver_->Nodes(0, 100, kServiceHttp, nodes.Callback());
    return nodes.Get();
  }
  Driver::Snapshot Describe() {
    Awaited<Driver::Snapshot> snapshot;
    driver_->Describe(snapshot.Callback());
    return snapshot.Get();
  }

 private:
  Metrics metrics_;
  std::unique_ptr<Driver> driver_;
  Status status_;
};

// A claim that is released at the end of its scope as failed, unless it was before.
class TestClaim {
 public:
  TestClaim(TestNode& node, const Key& key, std::vector<NodeId> exclude = {}) : node_(node) {
    ClaimRequest request;
    request.key = key;
    request.value = "127.0.0.1:" + std::to_string(node->listening().port);
    request.exclude = std::move(exclude);
    id_ = node->Claim(request, answer_.Callback(), [] {});
  }
  ~TestClaim() { Release(ClaimEnd::kFailed); }

  ClaimAnswer Answer() { return answer_.Get(); }
  void Release(ClaimEnd end) {
    if (!std::exchange(released_, true)) node_->Release(id_, end, 1h);
  }

 private:
  TestNode& node_;
  Awaited<ClaimAnswer> answer_;
  ClaimId id_ = 0;
  bool released_ = false;
};

class DriverTest : public testing::Test {
 protected:
  // The first is alone, the others join it and wait until they have.
  void StartNodes(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      nodes_.push_back(std::make_unique<TestNode>("node " + std::to_string(i)));
      ASSERT_TRUE(At(i).status().ok()) << At(i).status();
      At(i)->Join(i == 0 ? std::vector<std::string>{} : std::vector{At(0).Address()});
    }
    for (size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(Eventually([&] { return At(i)->joined() && PeerCount(i) == count - 1; })) << i;
    }
  }
  TestNode& At(size_t i) { return *nodes_[i]; }
  size_t PeerCount(size_t i) { return At(i).Describe().peers.size(); }
  static NodeId IdOf(size_t i) { return Id::Hash("node " + std::to_string(i)); }

  const Key key_ = Id::Hash("http://example.com/");
  std::vector<std::unique_ptr<TestNode>> nodes_;
};

TEST_F(DriverTest, NodesFindOneAnotherThroughTheFirst) {
  StartNodes(3);

  EXPECT_THAT(At(0).Nodes(), SizeIs(3));
  EXPECT_TRUE(Eventually([&] { return At(2).Nodes().size() == 3; }));
}

TEST_F(DriverTest, WhatOnePutsAllFindUntilItIsWithdrawn) {
  StartNodes(3);

  At(0).Put(key_, "127.0.0.1:80");
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(Eventually([&] { return At(i).Get(key_).size() == 1; })) << i;
    EXPECT_EQ(At(i).Get(key_)[0].node, IdOf(0));
  }

  At(0)->Withdraw(key_, "127.0.0.1:80");
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(Eventually([&] { return At(i).Get(key_).empty(); })) << i;
  }
}

TEST_F(DriverTest, OfThreeThatClaimAtOnceOneIsFirst) {
  StartNodes(3);

  TestClaim a(At(0), key_), b(At(1), key_), c(At(2), key_);
  const std::vector<ClaimAnswer> answers = {a.Answer(), b.Answer(), c.Answer()};

  std::multiset<ClaimAnswer::Kind> kinds;
  std::optional<NodeId> first;
  for (size_t i = 0; i < 3; ++i) {
    kinds.insert(answers[i].kind);
    if (answers[i].kind == ClaimAnswer::Kind::kFirst) first = IdOf(i);
  }
  EXPECT_THAT(kinds, ElementsAre(ClaimAnswer::Kind::kFirst, ClaimAnswer::Kind::kHeld,
                                 ClaimAnswer::Kind::kHeld));
  for (const ClaimAnswer& answer : answers) {
    if (answer.kind == ClaimAnswer::Kind::kFirst) continue;
    EXPECT_EQ(answer.holders.at(0).node, *first);
  }
}

TEST_F(DriverTest, ALeaseIsRenewedForAsLongAsItsClaimLives) {
  StartNodes(3);
  TestClaim leader(At(1), key_);
  ASSERT_EQ(leader.Answer().kind, ClaimAnswer::Kind::kFirst);
  const size_t renew = Body(RenewQuery()).index();

  // Three times the length of the lease, told by the renewals themselves.
  ASSERT_TRUE(Eventually([&] {
    uint64_t sent = 0;
    for (size_t i = 0; i < 3; ++i) sent += At(i).Describe().stats.received[renew];
    return sent >= 30;
  }));

  TestClaim other(At(2), key_);
  const ClaimAnswer answer = other.Answer();
  ASSERT_EQ(answer.kind, ClaimAnswer::Kind::kHeld);
  EXPECT_EQ(answer.holders.at(0).node, IdOf(1));
}

TEST_F(DriverTest, ACompleteFillIsFoundAfterwards) {
  StartNodes(3);
  TestClaim leader(At(1), key_);
  ASSERT_EQ(leader.Answer().kind, ClaimAnswer::Kind::kFirst);

  leader.Release(ClaimEnd::kComplete);

  ASSERT_TRUE(Eventually([&] {
    const std::vector<Holder> holders = At(2).Get(key_);
    return holders.size() == 1 && holders[0].complete && holders[0].node == IdOf(1);
  }));
}

TEST_F(DriverTest, AfterAFailedFillAnotherIsFirst) {
  StartNodes(3);
  TestClaim leader(At(1), key_);
  ASSERT_EQ(leader.Answer().kind, ClaimAnswer::Kind::kFirst);

  leader.Release(ClaimEnd::kFailed);

  EXPECT_TRUE(Eventually(
      [&] { return TestClaim(At(2), key_).Answer().kind == ClaimAnswer::Kind::kFirst; }));
}

TEST_F(DriverTest, WhenTheLeaderIsKilledAnotherTakesOver) {
  StartNodes(3);
  {
    TestClaim leader(At(1), key_);
    ASSERT_EQ(leader.Answer().kind, ClaimAnswer::Kind::kFirst);
    At(1)->Stop();  // without a word to anybody
  }

  EXPECT_TRUE(Eventually([&] {
    return TestClaim(At(2), key_, {IdOf(1)}).Answer().kind == ClaimAnswer::Kind::kFirst;
  }));
}

TEST_F(DriverTest, ANodeThatLeavesHandsItsEntriesOnAndIsForgotten) {
  StartNodes(4);
  At(0).Put(key_, "127.0.0.1:80");
  ASSERT_TRUE(Eventually([&] { return At(3).Get(key_).size() == 1; }));

  At(1)->Leave(10s);
  At(1)->Stop();

  EXPECT_TRUE(Eventually([&] { return PeerCount(2) == 2 && PeerCount(3) == 2; }));
  EXPECT_THAT(At(2).Get(key_), SizeIs(1));
  EXPECT_THAT(At(3).Get(key_), SizeIs(1));
}

TEST_F(DriverTest, AStoppedPeerIsDroppedAndStallsNobody) {
  StartNodes(4);
  At(0).Put(key_, "127.0.0.1:80");
  ASSERT_TRUE(Eventually([&] { return At(3).Get(key_).size() == 1; }));

  At(1)->Stop();

  EXPECT_THAT(At(2).Get(key_), SizeIs(1));
  EXPECT_TRUE(Eventually([&] { return PeerCount(2) == 2 && PeerCount(3) == 2; }));
}

TEST_F(DriverTest, ANodeThatComesBackOnItsPortIsFoundAgain) {
  StartNodes(3);
  const Endpoint listen = At(1)->listening();
  nodes_[1].reset();

  nodes_[1] = std::make_unique<TestNode>("node 1", listen);
  ASSERT_TRUE(At(1).status().ok()) << At(1).status();
  At(1)->Join({At(0).Address()});

  ASSERT_TRUE(Eventually([&] { return PeerCount(1) == 2; }));
  EXPECT_TRUE(Eventually([&] { return At(0).Nodes().size() == 3 && At(2).Nodes().size() == 3; }));
}

TEST_F(DriverTest, DrainingIsSeenByTheOthers) {
  StartNodes(3);
  const auto draining_at_2 = [&] {
    for (const NodeInfo& node : At(2).Nodes()) {
      if (node.id == IdOf(1)) return node.draining;
    }
    return false;
  };
  ASSERT_FALSE(draining_at_2());

  At(1)->SetDraining(true);

  EXPECT_TRUE(Eventually(draining_at_2));
}

TEST_F(DriverTest, TenNodesFindAllThatWasPut) {
  StartNodes(10);
  for (int i = 0; i < 30; ++i) {
    At(static_cast<size_t>(i % 10)).Put(Id::Hash(std::to_string(i)), "127.0.0.1:80");
  }

  for (int i = 0; i < 30; ++i) {
    const size_t asker = static_cast<size_t>((i * 7 + 3) % 10);
    EXPECT_TRUE(Eventually([&] { return At(asker).Get(Id::Hash(std::to_string(i))).size() == 1; }))
        << i;
  }
}

TEST_F(DriverTest, ASeedMayBeAHostNameAndAppearBeforeItsNodeDoes) {
  TestNode late("late");
  const std::string port = std::to_string(late->listening().port);
  const Endpoint listen = late->listening();
  late->Stop();
  TestNode early("early");
  early->Join({"localhost:" + port});
  EXPECT_FALSE(early->joined());

  TestNode again("late", listen);
  ASSERT_TRUE(again.status().ok()) << again.status();
  again->Join({});

  EXPECT_TRUE(Eventually([&] { return early->joined() && again.Describe().peers.size() == 1; }));
}

TEST_F(DriverTest, ASeedThatDoesNotKnowItsAddressIsKeptUnderTheOneItWasReachedAt) {
  TestNode seed("seed", kAnyPort, Endpoint());
  seed->Join({});
  TestNode other("other");

  other->Join({"localhost:" + std::to_string(seed->listening().port)});

  ASSERT_TRUE(Eventually([&] { return other->joined(); }));
  const std::vector<NodeInfo> peers = other.Describe().peers;
  ASSERT_THAT(peers, SizeIs(1));
  EXPECT_EQ(peers[0].rpc, seed->listening());
}

TEST_F(DriverTest, ItsOwnEndpointAmongTheSeedsIsSkipped) {
  TestNode alone("alone");

  alone->Join({alone.Address()});

  EXPECT_TRUE(Eventually([&] { return alone->joined() || alone.Describe().joined; }));
}

TEST_F(DriverTest, WithoutAnAddressToAdvertiseItLearnsTheOneItIsSeenUnder) {
  StartNodes(2);
  TestNode unaware("unaware", kAnyPort, Endpoint());
  ASSERT_TRUE(unaware.Describe().self.rpc.address.IsUnspecified());

  unaware->Join({At(0).Address()});

  ASSERT_TRUE(Eventually([&] { return unaware->joined(); }));
  EXPECT_EQ(unaware.Describe().self.rpc, unaware->listening());
  EXPECT_TRUE(Eventually([&] { return PeerCount(1) == 2; }));
}

TEST_F(DriverTest, APortInUseIsAnErrorThatNamesIt) {
  TestNode one("one");

  TestNode two("two", one->listening());

  EXPECT_THAT(two.status().ToString(), HasSubstr(one.Address()));
}

TEST_F(DriverTest, CallbacksRunOnceThoughTheNodeStops) {
  StartNodes(3);
  std::vector<Awaited<std::vector<Holder>>> gets(50);
  std::vector<Awaited<ClaimAnswer>> claims(50);
  for (size_t i = 0; i < gets.size(); ++i) {
    At(0)->Get(Id::Hash(std::to_string(i)), gets[i].Callback());
    At(0)->Claim({.key = Id::Hash(std::to_string(i)), .value = "127.0.0.1:80", .exclude = {}},
                 claims[i].Callback(), [] {});
  }

  At(0)->Stop();

  for (auto& get : gets) EXPECT_THAT(get.Get(), IsEmpty());
  for (auto& claim : claims) claim.Get();
  EXPECT_THAT(At(0).Get(key_), IsEmpty());
  EXPECT_EQ(TestClaim(At(0), key_).Answer().kind, ClaimAnswer::Kind::kNoAnswer);
  EXPECT_THAT(At(0).Nodes(), IsEmpty());
}

TEST_F(DriverTest, AReleasedClaimIsNotAnswered) {
  StartNodes(3);
  bool answered = false;

  // The dsht thread is held, so that the answer cannot have come before the release.
  std::promise<void> go;
  At(0)->Levels([&](const std::vector<LevelInfo>&) { go.get_future().wait(); });
  const ClaimId claim = At(0)->Claim(
      {.key = key_, .value = "127.0.0.1:80", .exclude = {}},
      [&](const ClaimAnswer&) { answered = true; }, [] {});
  At(0)->Release(claim, ClaimEnd::kFailed, 0s);
  go.set_value();
  At(0)->Stop();

  EXPECT_FALSE(answered);
}

TEST_F(DriverTest, WhatItCountsIsExported) {
  StartNodes(2);
  At(0).Put(key_, "127.0.0.1:80");
  ASSERT_TRUE(Eventually([&] { return At(1).Get(key_).size() == 1; }));

  const std::string text = At(0).Exposition();

  EXPECT_THAT(text, HasSubstr("\nreef_dsht_peers 1"));
  EXPECT_THAT(text, HasSubstr("\nreef_dsht_puts_total 1"));
  EXPECT_THAT(text, HasSubstr("reef_dsht_messages_total{direction=\"sent\""));
}

class HostileCallTest : public DriverTest {
 protected:
  void SetUp() override {
    StartNodes(1);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    stub_ = v1::Dsht::NewStub(
        grpc::CreateCustomChannel(At(0).Address(), NodeChannelCredentials(), arguments));
  }
  grpc::Status Call(const v1::Envelope& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::Envelope reply;
    return stub_->Call(&context, request, &reply);
  }
  std::unique_ptr<v1::Dsht::Stub> stub_;
};

TEST_F(HostileCallTest, AGoodQueryIsAnswered) {
  EXPECT_TRUE(Call(Encode(SampleMessages().front())).ok());
}

TEST_F(HostileCallTest, AMalformedOneIsRefusedAndCounted) {
  v1::Envelope request = Encode(SampleMessages().front());
  request.mutable_sender()->set_id("short");

  EXPECT_EQ(Call(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  EXPECT_THAT(At(0).Exposition(), HasSubstr("reef_dsht_malformed_total{reason=\"id\"} 1"));
}

TEST_F(HostileCallTest, AReplyIsNoQuery) {
  EXPECT_EQ(Call(Encode(SampleMessages().at(1))).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(HostileCallTest, AnOversizeMessageIsRefused) {
  v1::Envelope request = Encode(SampleMessages().front());
  request.set_signature(std::string(100'000, 's'));

  EXPECT_EQ(Call(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(HostileCallTest, EverySampleQueryIsSurvived) {
  for (const Message& message : SampleMessages()) Call(Encode(message));

  EXPECT_TRUE(Call(Encode(SampleMessages().front())).ok());
}

}  // namespace
}  // namespace reef::dsht
