// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "httpproxy/core/host_name.h"
#include "httpproxy/server/make_filler.h"
#include "tests/support/fake_dsht_client.h"
#include "tests/support/origin.h"

namespace reef::http {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::Origin;
using testing::OriginReply;
using testing::OriginRequest;
using testing::TestBytes;
using Kind = FetchOutcome::Kind;

struct Content {
  std::string bytes;
  bool whole = false;
  std::string aborted;
};

// Reads a body to its end, on its own loop; the future tells what came.
class BodyReading {
 public:
  BodyReading(EventLoop& loop, std::shared_ptr<const Object> object)
      : loop_(loop), object_(std::move(object)) {}

  static std::future<Content> Start(EventLoop& loop, std::shared_ptr<const Object> object) {
    auto reading = std::make_shared<BodyReading>(loop, std::move(object));
    loop.Post([reading] {
      reading->reader_ = reading->object_->body->NewReader(reading->loop_, 0);
      reading->Go(reading);
    });
    return reading->done_.get_future();
  }

 private:
  void Go(const std::shared_ptr<BodyReading>& self) {
    while (true) {
      const Body::Chunk chunk = reader_->Peek(100'000);
      switch (chunk.what) {
        case Body::Chunk::What::kBytes:
          content_.bytes.append(chunk.bytes);
          reader_->Advance(chunk.bytes.size());
          continue;
        case Body::Chunk::What::kWait:
          return reader_->WhenReadable([this, self] { Go(self); });
        case Body::Chunk::What::kEnd:
          content_.whole = true;
          break;
        case Body::Chunk::What::kAborted:
        case Body::Chunk::What::kGone:
          content_.aborted = object_->body->abort_reason();
          break;
      }
      break;
    }
    loop_.Post([self] { self->reader_.reset(); });
    done_.set_value(std::move(content_));
  }

  EventLoop& loop_;
  const std::shared_ptr<const Object> object_;
  std::unique_ptr<Body::Reader> reader_;
  Content content_;
  std::promise<Content> done_;
};

dsht::NodeId NodeOf(int i) {
  return dsht::NodeId::Hash("node" + std::to_string(i));
}

// One node's fetching: cache, references and filler on a loop of its own.
class Node {
 public:
  Node(int i, dsht::FakeIndex& index, FillerOptions options)
      : client_(index, NodeOf(i)), thread_("node") {
    auto cache = Cache::Open({});
    EXPECT_TRUE(cache.ok()) << cache.status();
    cache_ = *std::move(cache);
    options.node_hex = NodeOf(i).ToHex();
    options.self = {IpAddress::V4({127, 0, 1, static_cast<uint8_t>(i)}), 8090};
    thread_.RunAndWait([&] {
      references_ = std::make_unique<References>(ReferencesOptions{.self = options.self},
                                                 thread_.loop(), *cache_, client_, metrics_);
      filler_ = MakeFiller(options, thread_.loop(), *cache_, client_, *references_, metrics_);
    });
  }
  ~Node() {
    thread_.RunAndWait([this] {
      filler_.reset();
      references_.reset();
    });
    thread_.StopAndJoin();
  }

  struct Asked {
    uint64_t token = 0;
    std::future<FetchOutcome> outcome;
    FetchOutcome Get() { return outcome.get(); }
  };
  Asked Fetch(FetchRequest request) {
    auto promise = std::make_shared<std::promise<FetchOutcome>>();
    Asked asked{0, promise->get_future()};
    thread_.RunAndWait([&] {
      asked.token = filler_->Fetch(
          std::move(request),
          [promise](FetchOutcome outcome) { promise->set_value(std::move(outcome)); }, nullptr);
    });
    return asked;
  }
  Asked FetchAlone(FetchRequest request, std::shared_ptr<Body> body = nullptr) {
    auto promise = std::make_shared<std::promise<FetchOutcome>>();
    Asked asked{0, promise->get_future()};
    thread_.RunAndWait([&] {
      asked.token = filler_->FetchAlone(
          std::move(request), std::move(body),
          [promise](FetchOutcome outcome) { promise->set_value(std::move(outcome)); }, nullptr);
    });
    return asked;
  }
  void Cancel(uint64_t token) {
    thread_.RunAndWait([&] { filler_->Cancel(token); });
  }
  std::future<Content> Read(const std::shared_ptr<const Object>& object) {
    return BodyReading::Start(thread_.loop(), object);
  }
  Content ReadAll(const FetchOutcome& outcome) {
    if (outcome.object == nullptr) return {.bytes = "", .whole = false, .aborted = outcome.detail};
    return Read(outcome.object).get();
  }

  Cache& cache() { return *cache_; }
  References& references() { return *references_; }
  LoopThread& thread() { return thread_; }
  std::string metrics() const { return metrics_.Exposition(); }

 private:
  dsht::FakeDshtClient client_;
  Metrics metrics_;
  std::unique_ptr<Cache> cache_;
  LoopThread thread_;
  std::unique_ptr<References> references_;
  std::unique_ptr<Filler> filler_;
};

class FillerTest : public ::testing::Test {
 protected:
  FillerTest() {
    options_.guard.allow_private = true;
    options_.upstream.first_byte_timeout = std::chrono::seconds(10);
    // The scheduler of a busy machine is no judge of who is alive.
    options_.peer_stall = std::chrono::seconds(10);
    options_.claim_budget = std::chrono::seconds(10);
  }

  Node& node() {
    if (node_ == nullptr) node_ = std::make_unique<Node>(1, index_, options_);
    return *node_;
  }

  FetchRequest RequestTo(const Origin& origin, const std::string& target) {
    FetchRequest request;
    request.origin = {
        .tls = false, .host = origin.endpoint().address.ToString(), .port = origin.endpoint().port};
    request.method = "GET";
    request.target = target;
    request.fields = "Accept: */*\r\nCache-Control: max-age=0\r\nVia: 1.1 reef\r\n";
    request.key = PrimaryKey(false, request.origin.host, request.origin.port, target);
    return request;
  }
  FetchRequest RequestFor(const std::string& target) { return RequestTo(origin_, target); }

  static OriginReply Fresh(std::string body, const std::string& etag = "\"v1\"") {
    OriginReply reply;
    reply.fields = "Cache-Control: max-age=3600\r\n";
    if (!etag.empty()) reply.fields += "ETag: " + etag + "\r\n";
    reply.body = std::move(body);
    return reply;
  }
  static OriginReply Private(std::string body) {
    OriginReply reply;
    reply.fields = "Cache-Control: private\r\n";
    reply.body = std::move(body);
    return reply;
  }
  // Makes another proxy, played by `holder`, known to the index as one that has `target`.
  void SetHolder(int i, const Origin& holder, const std::string& target, bool complete = true) {
    dsht::FakeDshtClient client(index_, NodeOf(i));
    client.Put({.key = IndexKey(RequestFor(target).key),
                .value = holder.endpoint().ToString(),
                .ttl = std::chrono::hours(1),
                .complete = complete});
  }
  std::vector<dsht::Holder> HoldersOf(const std::string& target) {
    // What references do, they do on their loop.
    node().thread().RunAndWait([] {});
    return index_.HoldersOf(IndexKey(RequestFor(target).key));
  }
  static OriginReply Says(const std::string& answer) {
    OriginReply reply;
    reply.status = 504;
    reply.reason = "Gateway Timeout";
    reply.fields = "Reef-Answer: " + answer + "\r\n";
    return reply;
  }

  Origin origin_;
  dsht::FakeIndex index_;
  FillerOptions options_;
  std::unique_ptr<Node> node_;
};

// ---- From the origin ----

TEST_F(FillerTest, AMissIsFetchedOnceForAllWhoAsk) {
  const std::string bytes = TestBytes(3'000'000, 1);
  OriginReply reply = Fresh(bytes);
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  std::vector<Node::Asked> asked;
  for (int i = 0; i < 10; ++i) asked.push_back(node().Fetch(RequestFor("/a")));
  ASSERT_TRUE(origin_.WaitForRequests(1));
  origin_.Release("/a");

  int collapsed = 0;
  for (Node::Asked& one : asked) {
    const FetchOutcome outcome = one.Get();
    ASSERT_EQ(outcome.kind, Kind::kObject) << outcome.detail;
    EXPECT_TRUE(node().ReadAll(outcome).bytes == bytes);
    collapsed += outcome.collapsed;
  }

  EXPECT_EQ(collapsed, 9);
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(FillerTest, WhatArrivesIsReadBeforeTheRestHasCome) {
  OriginReply reply = Fresh(TestBytes(1000, 2));
  reply.hold_at = 400;
  origin_.Serve("/a", reply);

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();
  ASSERT_EQ(outcome.kind, Kind::kObject);
  auto content = node().Read(outcome.object);
  EXPECT_EQ(outcome.object->body->state(), Body::State::kFilling);
  origin_.Release("/a");

  EXPECT_EQ(content.get().bytes, TestBytes(1000, 2));
}

TEST_F(FillerTest, SaysWhereAResponseCameFrom) {
  origin_.Serve("/a", Fresh("x"));

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();

  EXPECT_EQ(outcome.source, "origin");
  EXPECT_EQ(outcome.upstream_status, 200);
  EXPECT_TRUE(outcome.stored);
  EXPECT_FALSE(outcome.collapsed);
}

TEST_F(FillerTest, ACompleteObjectIsCachedAndNamedInTheIndex) {
  origin_.Serve("/a", Fresh("x"));

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();
  ASSERT_TRUE(node().ReadAll(outcome).whole);

  EXPECT_EQ(node().cache().Find(outcome.object->key).object, outcome.object);
  const auto holders = HoldersOf("/a");
  ASSERT_EQ(holders.size(), 1u);
  EXPECT_EQ(holders[0].value, "127.0.1.1:8090");
  EXPECT_TRUE(holders[0].complete);
}

TEST_F(FillerTest, AsksTheOriginAsItKnowsItself) {
  origin_.Serve("/a?b=c", Fresh("x"));

  node().Fetch(RequestFor("/a?b=c")).Get();

  const OriginRequest request = origin_.Requests().at(0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.Field("Host"), origin_.endpoint().ToString());
  EXPECT_EQ(request.Field("Accept"), "*/*");
  EXPECT_EQ(request.Field("Reef-Peer"), std::nullopt);
}

TEST_F(FillerTest, AConfiguredOriginIsAskedAtItsAddressByItsName) {
  options_.origins["site.test"] = origin_.endpoint();
  options_.guard.allow_private = false;
  origin_.Serve("/a", Fresh("ours"));
  FetchRequest request = RequestFor("/a");
  request.origin = {.tls = true, .host = "site.test", .port = 443};

  const FetchOutcome outcome = node().Fetch(request).Get();

  EXPECT_EQ(node().ReadAll(outcome).bytes, "ours");
  EXPECT_EQ(origin_.Requests().at(0).Field("Host"), "site.test");
}

TEST_F(FillerTest, ATruncatedResponseIsBrokenOffAndNotKept) {
  for (const auto framing : {OriginReply::Framing::kLength, OriginReply::Framing::kChunked}) {
    OriginReply reply = Fresh(TestBytes(100'000, 3), /*etag=*/"");
    reply.framing = framing;
    reply.close_at = 50'000;
    origin_.Serve("/cut", reply);

    const FetchOutcome outcome = node().Fetch(RequestFor("/cut")).Get();
    const Content content = node().ReadAll(outcome);

    EXPECT_FALSE(content.whole);
    EXPECT_THAT(content.aborted, HasSubstr("origin"));
    EXPECT_EQ(node().cache().Find(outcome.object->key).where, Cache::Found::Where::kMiss);
    EXPECT_THAT(HoldersOf("/cut"), IsEmpty());
  }
}

TEST_F(FillerTest, ACutResponseWithAStrongValidatorIsContinuedAtTheByteReached) {
  const std::string bytes = TestBytes(500'000, 4);
  origin_.Serve("/a", [&bytes](const OriginRequest& request) {
    OriginReply reply = StaticReply(request, bytes, "\"v1\"", "Cache-Control: max-age=60\r\n");
    if (!request.Field("Range")) reply.close_at = 200'000;
    return reply;
  });

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();

  EXPECT_TRUE(node().ReadAll(outcome).bytes == bytes);
  const OriginRequest second = origin_.Requests().at(1);
  EXPECT_EQ(second.Field("Range"), "bytes=200000-");
  EXPECT_EQ(second.Field("If-Range"), "\"v1\"");
}

TEST_F(FillerTest, ARepresentationThatChangedMeanwhileIsNotMixedIn) {
  origin_.Serve("/a", [](const OriginRequest& request) {
    if (request.Field("Range")) return Fresh(TestBytes(1000, 6), "\"v2\"");
    OriginReply reply = Fresh(TestBytes(1000, 5), "\"v1\"");
    reply.close_at = 400;
    return reply;
  });

  const Content content = node().ReadAll(node().Fetch(RequestFor("/a")).Get());

  EXPECT_FALSE(content.whole);
  EXPECT_EQ(content.bytes, TestBytes(1000, 5).substr(0, 400));
}

TEST_F(FillerTest, ADeadOriginIsNamedAndNotAskedAgainAtOnce) {
  origin_.StopListening();

  const FetchOutcome first = node().Fetch(RequestFor("/a")).Get();
  const FetchOutcome second = node().Fetch(RequestFor("/b")).Get();

  EXPECT_EQ(first.kind, Kind::kError);
  EXPECT_EQ(first.status, 502);
  EXPECT_THAT(first.detail, HasSubstr(origin_.endpoint().ToString()));
  EXPECT_EQ(second.status, 502);
  EXPECT_THAT(second.detail, HasSubstr("a moment ago"));
  EXPECT_THAT(node().metrics(), HasSubstr("reef_http_upstream_connects_total 1"));
}

TEST_F(FillerTest, ASilentOriginIsAGatewayTimeoutForAllWhoWait) {
  options_.upstream.first_byte_timeout = milliseconds(30);
  OriginReply reply = Fresh("x");
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Node::Asked first = node().Fetch(RequestFor("/a"));
  Node::Asked second = node().Fetch(RequestFor("/a"));

  EXPECT_EQ(first.Get().status, 504);
  EXPECT_EQ(second.Get().status, 504);
}

TEST_F(FillerTest, AnInternalAddressIsForbidden) {
  options_.guard.allow_private = false;

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();

  EXPECT_EQ(outcome.status, 403);
  EXPECT_THAT(outcome.detail, HasSubstr("not-public"));
  EXPECT_EQ(origin_.ConnectionCount(), 0u);
}

// ---- Not to be shared ----

TEST_F(FillerTest, APrivateResponseIsTheFirstAskersAlone) {
  OriginReply reply = Private("secret");
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Node::Asked first = node().Fetch(RequestFor("/a"));
  Node::Asked second = node().Fetch(RequestFor("/a"));
  ASSERT_TRUE(origin_.WaitForRequests(1));
  origin_.Release("/a");

  const FetchOutcome own = first.Get();
  const FetchOutcome other = second.Get();

  EXPECT_EQ(own.kind, Kind::kPassThrough);
  EXPECT_EQ(node().ReadAll(own).bytes, "secret");
  EXPECT_EQ(other.kind, Kind::kRetryAlone);
  EXPECT_EQ(other.object, nullptr);
  EXPECT_EQ(node().cache().Find(RequestFor("/a").key).where, Cache::Found::Where::kMiss);
}

TEST_F(FillerTest, WhoAsksWhenTheFillHasJustEndedIsGivenWhatItBrought) {
  origin_.Serve("/a", Fresh("alpha"));
  const FetchOutcome first = node().Fetch(RequestFor("/a")).Get();
  ASSERT_EQ(node().Read(first.object).get().bytes, "alpha");

  const FetchOutcome late = node().Fetch(RequestFor("/a")).Get();
  FetchRequest of_peer = RequestFor("/a");
  of_peer.only_if_cached = of_peer.from_peer = true;
  const FetchOutcome late_peer = node().Fetch(of_peer).Get();

  for (const FetchOutcome& outcome : {late, late_peer}) {
    EXPECT_EQ(outcome.kind, Kind::kObject);
    EXPECT_EQ(outcome.object, first.object);
    EXPECT_TRUE(outcome.collapsed);
  }
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(FillerTest, AUrlThatIsNotAnsweredInTimeIsNotAskedForAgainAtOnce) {
  options_.upstream.first_byte_timeout = milliseconds(30);
  OriginReply reply;
  reply.hold_head = true;
  origin_.Serve("/a", reply);

  const FetchOutcome first = node().Fetch(RequestFor("/a")).Get();
  const FetchOutcome second = node().Fetch(RequestFor("/a")).Get();

  EXPECT_EQ(first.status, 504);
  EXPECT_EQ(second.status, 504);
  EXPECT_THAT(second.detail, HasSubstr("a moment ago"));
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(FillerTest, AnUncacheableKeyIsRememberedWithoutAskingTheIndex) {
  origin_.Serve("/a", Private("x"));
  node().ReadAll(node().Fetch(RequestFor("/a")).Get());

  EXPECT_EQ(node().Fetch(RequestFor("/a")).Get().kind, Kind::kRetryAlone);
  EXPECT_EQ(index_.stats().claims, 1u);
}

TEST_F(FillerTest, AnUncacheableKeyIsClaimedAgainAfterAWhile) {
  options_.claim_again = Duration::zero();
  origin_.Serve("/a", Private("x"));
  node().ReadAll(node().Fetch(RequestFor("/a")).Get());

  // Another node's marker, or the one we set, is what the index says now.
  EXPECT_EQ(node().Fetch(RequestFor("/a")).Get().kind, Kind::kRetryAlone);
  EXPECT_EQ(index_.stats().claims, 2u);
}

TEST_F(FillerTest, AServersTroubleIsPassedOnAndNotRememberedAsUncacheable) {
  OriginReply reply;
  reply.status = 503;
  reply.reason = "Service Unavailable";
  reply.fields = "Cache-Control: no-store\r\n";
  origin_.Serve("/a", reply);

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();
  node().ReadAll(outcome);

  EXPECT_EQ(outcome.kind, Kind::kPassThrough);
  EXPECT_EQ(outcome.upstream_status, 503);
  EXPECT_EQ(node().Fetch(RequestFor("/a")).Get().kind, Kind::kPassThrough);
  EXPECT_EQ(index_.stats().uncacheable, 0u);
}

TEST_F(FillerTest, WhoAsksWhileAResponsePassesThroughIsToldToFetchAlone) {
  OriginReply reply;
  reply.status = 503;  // not remembered as uncacheable
  reply.reason = "Service Unavailable";
  reply.fields = "Cache-Control: no-store\r\n";
  reply.body = TestBytes(1000, 20);
  reply.hold_at = 500;
  origin_.Serve("/a", reply);
  const FetchOutcome own = node().Fetch(RequestFor("/a")).Get();
  ASSERT_EQ(own.kind, Kind::kPassThrough);

  Node::Asked late = node().Fetch(RequestFor("/a"));
  EXPECT_EQ(late.Get().kind, Kind::kRetryAlone);
  node().Cancel(late.token);
  auto content = node().Read(own.object);
  origin_.Release("/a");

  EXPECT_TRUE(content.get().whole);
}

TEST_F(FillerTest, FetchesAloneWithItsOwnMethodAndContent) {
  origin_.Serve("/form", Private("thanks"));
  FetchRequest request = RequestFor("/form");
  request.method = "POST";
  request.body_length = 5;
  const auto body = Cache::NewPassThroughBody(1024);
  Node::Asked asked = node().FetchAlone(request, body);
  body->Append("a=b&c");
  body->Complete();

  const FetchOutcome outcome = asked.Get();

  EXPECT_EQ(outcome.kind, Kind::kPassThrough);
  EXPECT_EQ(node().ReadAll(outcome).bytes, "thanks");
  EXPECT_EQ(origin_.Requests().at(0).method, "POST");
  EXPECT_EQ(origin_.Requests().at(0).body, "a=b&c");
  EXPECT_EQ(origin_.Requests().at(0).Field("Content-Length"), "5");
  EXPECT_EQ(index_.stats().claims, 0u);
}

TEST_F(FillerTest, APassingResponseWaitsForItsReader) {
  options_.pass_through_window_bytes = 256 * 1024;
  const std::string bytes = TestBytes(20'000'000, 7);
  origin_.Serve("/a", Private(bytes));
  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();
  const Body& body = *outcome.object->body;
  std::unique_ptr<Body::Reader> reader;
  node().thread().RunAndWait(
      [&] { reader = outcome.object->body->NewReader(node().thread().loop(), 0); });

  uint64_t ahead_max = 0;
  std::string got;
  std::promise<void> done;
  std::function<void()> read = [&] {
    while (true) {
      const Body::Chunk chunk = reader->Peek(64 * 1024);
      if (chunk.what == Body::Chunk::What::kWait) return reader->WhenReadable([&] { read(); });
      if (chunk.what != Body::Chunk::What::kBytes) break;
      ahead_max = std::max(ahead_max, body.size() - reader->offset());
      got.append(chunk.bytes);
      reader->Advance(chunk.bytes.size());
    }
    done.set_value();
  };
  node().thread().loop().Post([&] { read(); });
  done.get_future().get();
  node().thread().RunAndWait([&] { reader.reset(); });

  EXPECT_TRUE(got == bytes);
  EXPECT_LE(ahead_max, options_.pass_through_window_bytes + kSegmentBytes + 64 * 1024);
}

// ---- Revalidation ----

TEST_F(FillerTest, A304MakesTheStaleObjectFreshOverTheSameBody) {
  origin_.Serve("/a", [](const OriginRequest& request) {
    return StaticReply(request, "content", "\"v1\"", "Cache-Control: max-age=100\r\n");
  });
  const FetchOutcome first = node().Fetch(RequestFor("/a")).Get();
  node().ReadAll(first);
  FetchRequest again = RequestFor("/a");
  again.stale = first.object;

  const FetchOutcome second = node().Fetch(again).Get();

  EXPECT_EQ(second.kind, Kind::kObject);
  EXPECT_TRUE(second.revalidated);
  EXPECT_EQ(second.upstream_status, 304);
  EXPECT_NE(second.object, first.object);
  EXPECT_EQ(second.object->body, first.object->body);
  EXPECT_EQ(node().cache().Find(again.key).object, second.object);
  EXPECT_EQ(origin_.Requests().at(1).Field("If-None-Match"), "\"v1\"");
}

TEST_F(FillerTest, WhatMustBeAskedAboutEachTimeIsAskedWithItsValidatorAndNotClaimed) {
  origin_.Serve("/a", [](const OriginRequest& request) {
    return StaticReply(request, "content", "\"v1\"", "Cache-Control: no-cache\r\n");
  });
  const FetchOutcome first = node().Fetch(RequestFor("/a")).Get();
  node().ReadAll(first);
  FetchRequest again = RequestFor("/a");
  again.stale = first.object;

  const FetchOutcome second = node().Fetch(again).Get();

  EXPECT_TRUE(second.revalidated);
  EXPECT_EQ(index_.stats().claims, 1u);
  EXPECT_THAT(HoldersOf("/a"), IsEmpty());
}

TEST_F(FillerTest, AChangedObjectReplacesTheStaleOne) {
  int version = 0;
  origin_.Serve("/a", [&version](const OriginRequest& request) {
    ++version;
    return StaticReply(request, "content " + std::to_string(version),
                       "\"v" + std::to_string(version) + "\"", "Cache-Control: max-age=100\r\n");
  });
  const FetchOutcome first = node().Fetch(RequestFor("/a")).Get();
  node().ReadAll(first);
  FetchRequest again = RequestFor("/a");
  again.stale = first.object;

  const FetchOutcome second = node().Fetch(again).Get();

  EXPECT_EQ(node().ReadAll(second).bytes, "content 2");
  EXPECT_FALSE(second.revalidated);
}

TEST_F(FillerTest, AnOriginInTroubleDoesNotDisplaceAStaleObject) {
  bool trouble = false;
  origin_.Serve("/a", [&trouble](const OriginRequest& request) {
    OriginReply reply = StaticReply(request, "content", "\"v1\"", "Cache-Control: max-age=100\r\n");
    if (trouble) reply.status = 500;
    return reply;
  });
  const FetchOutcome first = node().Fetch(RequestFor("/a")).Get();
  node().ReadAll(first);
  trouble = true;
  FetchRequest again = RequestFor("/a");
  again.fields += "X-Other: 1\r\n";
  again.stale = first.object;

  const FetchOutcome second = node().Fetch(again).Get();

  EXPECT_EQ(second.kind, Kind::kPassThrough);
  EXPECT_EQ(node().cache().Find(again.key).object, first.object);
}

// ---- Other proxies ----

TEST_F(FillerTest, AHolderIsReadInsteadOfTheOrigin) {
  Origin holder;
  const std::string bytes = TestBytes(600'000, 8);
  OriginReply reply = Fresh(bytes);
  reply.fields += "Age: 100\r\nCache-Status: reef; hit\r\nVia: 1.1 reef\r\n";
  holder.Serve("/a", reply);
  SetHolder(2, holder, "/a");

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();

  EXPECT_TRUE(node().ReadAll(outcome).bytes == bytes);
  EXPECT_EQ(outcome.source, "peer-l0");
  EXPECT_EQ(outcome.upstream_cache_status, "reef; hit");
  EXPECT_EQ(origin_.ConnectionCount(), 0u);
  EXPECT_GE(outcome.object->head.freshness.AgeAt(WallNow()), std::chrono::seconds(100));
}

TEST_F(FillerTest, AHolderIsAskedForTheCoralisedNameAndWhatItHasOnly) {
  Origin holder;
  holder.Serve("/a", Fresh("x"));
  SetHolder(2, holder, "/a");

  node().ReadAll(node().Fetch(RequestFor("/a")).Get());

  const OriginRequest request = holder.Requests().at(0);
  EXPECT_EQ(request.Field("Host"), CoralisedHost(RequestFor("/a").origin, "nyud.net"));
  EXPECT_EQ(request.Field("Cache-Control"), "only-if-cached");
  const auto ask = ParsePeerAsk(request.Field("Reef-Peer").value_or(""));
  ASSERT_TRUE(ask.has_value());
  EXPECT_EQ(ask->rank, 3);
  EXPECT_EQ(ask->node, NodeOf(1).ToHex());
  EXPECT_EQ(ask->endpoint.ToString(), "127.0.1.1:8090");
}

TEST_F(FillerTest, AReaderIsNamedInTheIndexOnceItsCopyIsComplete) {
  Origin holder;
  OriginReply reply = Fresh(TestBytes(1000, 9));
  reply.hold_at = 500;
  holder.Serve("/a", reply);
  SetHolder(2, holder, "/a");
  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();
  const auto while_filling = HoldersOf("/a");
  holder.Release("/a");
  ASSERT_TRUE(node().ReadAll(outcome).whole);
  const auto after = HoldersOf("/a");

  ASSERT_EQ(while_filling.size(), 2u);
  EXPECT_FALSE(while_filling[1].complete);
  ASSERT_EQ(after.size(), 2u);
  EXPECT_TRUE(after[1].complete);
}

TEST_F(FillerTest, AHolderThatHasItNoMoreLeadsToTheOriginUnderAClaim) {
  Origin holder;
  holder.Serve("/a", Says("not-held"));
  SetHolder(2, holder, "/a");
  origin_.Serve("/a", Fresh("x"));

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();

  EXPECT_EQ(outcome.source, "origin");
  EXPECT_EQ(index_.stats().firsts, 1u);
}

TEST_F(FillerTest, ADeadHolderCostsOneMoreClaim) {
  const auto holder = std::make_unique<Origin>();
  holder->StopListening();
  SetHolder(2, *holder, "/a");
  origin_.Serve("/a", Fresh("x"));

  EXPECT_EQ(node().Fetch(RequestFor("/a")).Get().source, "origin");
  EXPECT_EQ(index_.stats().claims, 2u);
}

TEST_F(FillerTest, ABusyHolderSendsUsToItsReaders) {
  Origin busy, reader;
  reader.Serve("/a", Fresh("x"));
  busy.Serve("/a", Says("busy; try=\"" + reader.endpoint().ToString() + "\""));
  SetHolder(2, busy, "/a");

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();

  EXPECT_EQ(node().ReadAll(outcome).bytes, "x");
  EXPECT_EQ(outcome.source, "peer-l0");
  EXPECT_EQ(reader.RequestCount("/a"), 1u);
}

TEST_F(FillerTest, TheSlowerOfTwoHoldersIsLetGo) {
  Origin slow, quick;
  OriginReply held = Fresh("x");
  held.hold_head = true;
  slow.Serve("/a", held);
  quick.Serve("/a", [&slow](const OriginRequest&) {
    EXPECT_TRUE(slow.WaitForRequests(1));
    return Fresh("x");
  });
  SetHolder(2, slow, "/a");
  SetHolder(3, quick, "/a");

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();

  EXPECT_EQ(node().ReadAll(outcome).bytes, "x");
  EXPECT_TRUE(slow.WaitForOpenConnections(0));
}

TEST_F(FillerTest, AStalledHolderIsLeft) {
  options_.peer_stall = milliseconds(30);
  Origin stalled;
  OriginReply held = Fresh("x");
  held.hold_head = true;
  stalled.Serve("/a", held);
  SetHolder(2, stalled, "/a");
  origin_.Serve("/a", Fresh("x"));

  EXPECT_EQ(node().Fetch(RequestFor("/a")).Get().source, "origin");
  EXPECT_TRUE(stalled.WaitForOpenConnections(0));
  EXPECT_THAT(HoldersOf("/a"), Not(IsEmpty()));
}

TEST_F(FillerTest, WhenAHolderDiesTheRestComesFromTheOriginByRange) {
  const std::string bytes = TestBytes(900'000, 10);
  Origin holder;
  OriginReply cut = Fresh(bytes);
  cut.close_at = 300'000;
  holder.Serve("/a", cut);
  SetHolder(2, holder, "/a");
  origin_.ServeStatic("/a", bytes, "\"v1\"");

  const Content content = node().ReadAll(node().Fetch(RequestFor("/a")).Get());

  EXPECT_TRUE(content.bytes == bytes);
  EXPECT_TRUE(content.whole);
  ASSERT_EQ(origin_.RequestCount("/a"), 1u);
  EXPECT_EQ(origin_.Requests().at(0).Field("Range"), "bytes=300000-");
}

TEST_F(FillerTest, WhenAHolderDiesTheRestComesFromAnotherHolder) {
  const std::string bytes = TestBytes(900'000, 11);
  options_.race_max = 1;
  Origin dying, other;
  OriginReply cut = Fresh(bytes);
  cut.close_at = 300'000;
  dying.Serve("/a", cut);
  other.ServeStatic("/a", bytes, "\"v1\"");
  SetHolder(2, dying, "/a");
  SetHolder(3, other, "/a");

  const Content content = node().ReadAll(node().Fetch(RequestFor("/a")).Get());

  EXPECT_TRUE(content.bytes == bytes);
  EXPECT_EQ(origin_.ConnectionCount(), 0u);
  const auto ask = ParsePeerAsk(other.Requests().at(0).Field("Reef-Peer").value_or(""));
  EXPECT_TRUE(ask->has_head);
  EXPECT_EQ(ask->have, 300'000u);
}

TEST_F(FillerTest, AProxysOwnErrorIsNotTakenForTheOriginsAnswer) {
  Origin holder;
  OriginReply error;
  error.status = 400;
  error.reason = "Bad Request";
  error.fields = "Cache-Control: no-store\r\n";
  error.body = "go away";
  holder.Serve("/a", error);
  SetHolder(2, holder, "/a");
  origin_.Serve("/a", Fresh("x"));

  EXPECT_EQ(node().ReadAll(node().Fetch(RequestFor("/a")).Get()).bytes, "x");
}

TEST_F(FillerTest, AProxysBodyThatEndsWithItsConnectionIsNotWhole) {
  Origin holder;
  OriginReply reply = Fresh("only the beginn");
  reply.framing = OriginReply::Framing::kClose;
  holder.Serve("/a", reply);
  SetHolder(2, holder, "/a");
  origin_.ServeStatic("/a", "only the beginning", "\"v1\"");

  const Content content = node().ReadAll(node().Fetch(RequestFor("/a")).Get());

  EXPECT_EQ(content.bytes, "only the beginning");
}

TEST_F(FillerTest, AHolderThatSaysUncacheableLetsEachFetchForItself) {
  Origin holder;
  holder.Serve("/a", Says("uncacheable"));
  SetHolder(2, holder, "/a");

  EXPECT_EQ(node().Fetch(RequestFor("/a")).Get().kind, Kind::kRetryAlone);
  EXPECT_EQ(node().Fetch(RequestFor("/a")).Get().kind, Kind::kRetryAlone);
  EXPECT_EQ(index_.stats().claims, 1u);
}

TEST_F(FillerTest, AValueThatIsNoProxyOfThisKindIsNotConnectedTo) {
  dsht::FakeDshtClient client(index_, NodeOf(7));
  for (const std::string value : {"10.0.0.1:80", "127.0.0.1:53", "garbage"}) {
    const std::string target = "/" + value;
    client.Put({.key = IndexKey(RequestFor(target).key),
                .value = value,
                .ttl = std::chrono::hours(1),
                .complete = true});
    origin_.Serve(target, Fresh("x"));

    EXPECT_EQ(node().Fetch(RequestFor(target)).Get().source, "origin") << value;
  }
}

TEST_F(FillerTest, WithoutAnIndexTheOriginIsAskedUnclaimed) {
  index_.SetAnswering(false);
  origin_.Serve("/a", Fresh("x"));

  const FetchOutcome outcome = node().Fetch(RequestFor("/a")).Get();

  EXPECT_EQ(node().ReadAll(outcome).bytes, "x");
  EXPECT_THAT(node().metrics(),
              HasSubstr("reef_http_fill_events_total{event=\"origin-unclaimed\"} 1"));
}

TEST_F(FillerTest, ALostLeaseIsClaimedAnew) {
  OriginReply reply = Fresh("x");
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Node::Asked asked = node().Fetch(RequestFor("/a"));
  ASSERT_TRUE(origin_.WaitForRequests(1));

  index_.Revoke(IndexKey(RequestFor("/a").key));
  ASSERT_TRUE(origin_.WaitForRequests(2));
  origin_.Release("/a");

  EXPECT_EQ(node().ReadAll(asked.Get()).bytes, "x");
  EXPECT_EQ(index_.stats().claims, 2u);
}

// ---- Other proxies that ask us ----

FetchRequest FromPeer(FetchRequest request, int rank) {
  request.from_peer = true;
  request.only_if_cached = true;
  request.peer_rank = rank;
  return request;
}

TEST_F(FillerTest, AnotherProxyNeverStartsAFetchHere) {
  EXPECT_EQ(node().Fetch(FromPeer(RequestFor("/a"), 3)).Get().kind, Kind::kNotHeld);
  EXPECT_EQ(index_.stats().claims, 0u);
}

TEST_F(FillerTest, AnotherProxyWaitsForOurFetchFromTheOrigin) {
  OriginReply reply = Fresh("x");
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Node::Asked own = node().Fetch(RequestFor("/a"));
  ASSERT_TRUE(origin_.WaitForRequests(1));
  Node::Asked peer = node().Fetch(FromPeer(RequestFor("/a"), 3));
  origin_.Release("/a");

  EXPECT_EQ(peer.Get().kind, Kind::kObject);
}

TEST_F(FillerTest, AnotherProxyMayNotWaitForOneThatWaitsLikeItself) {
  Origin holder;
  OriginReply held = Fresh("x");
  held.hold_head = true;
  holder.Serve("/a", held);
  SetHolder(2, holder, "/a");
  Node::Asked own = node().Fetch(RequestFor("/a"));
  ASSERT_TRUE(holder.WaitForRequests(1));

  EXPECT_EQ(node().Fetch(FromPeer(RequestFor("/a"), 3)).Get().kind, Kind::kOrder);
  holder.Release("/a");
  EXPECT_EQ(own.Get().kind, Kind::kObject);
}

TEST_F(FillerTest, AnotherProxyIsToldWhatCannotBeShared) {
  OriginReply reply = Private("x");
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Node::Asked own = node().Fetch(RequestFor("/a"));
  ASSERT_TRUE(origin_.WaitForRequests(1));
  Node::Asked peer = node().Fetch(FromPeer(RequestFor("/a"), 3));
  origin_.Release("/a");

  EXPECT_EQ(peer.Get().kind, Kind::kRetryAlone);
  EXPECT_EQ(own.Get().kind, Kind::kPassThrough);
}

// ---- Leaving ----

TEST_F(FillerTest, AFetchThatAllHaveLeftBeforeItsHeadIsGivenUp) {
  OriginReply reply = Fresh("x");
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Node::Asked first = node().Fetch(RequestFor("/a"));
  Node::Asked second = node().Fetch(RequestFor("/a"));
  ASSERT_TRUE(origin_.WaitForRequests(1));

  node().Cancel(first.token);
  EXPECT_EQ(origin_.OpenConnectionCount(), 1u);
  node().Cancel(second.token);

  EXPECT_TRUE(origin_.WaitForOpenConnections(0));
}

TEST_F(FillerTest, ALargeFetchThatAllHaveLeftEarlyIsGivenUp) {
  OriginReply reply = Fresh(TestBytes(10'000'000, 12));
  reply.hold_at = 100;
  origin_.Serve("/a", reply);
  Node::Asked asked = node().Fetch(RequestFor("/a"));
  asked.Get();

  node().Cancel(asked.token);

  EXPECT_TRUE(origin_.WaitForOpenConnections(0));
}

TEST_F(FillerTest, ASmallFetchThatAllHaveLeftGoesOn) {
  OriginReply reply = Fresh(TestBytes(1000, 13));
  reply.hold_at = 100;
  origin_.Serve("/a", reply);
  Node::Asked asked = node().Fetch(RequestFor("/a"));
  const auto object = asked.Get().object;
  node().Cancel(asked.token);
  origin_.Release("/a");

  EXPECT_TRUE(node().Read(object).get().whole);
}

TEST_F(FillerTest, APassingResponseWhoseAskerLeftIsGivenUp) {
  OriginReply reply = Private(TestBytes(10'000'000, 14));
  origin_.Serve("/a", reply);
  for (const bool alone : {false, true}) {
    Node::Asked asked =
        alone ? node().FetchAlone(RequestFor("/a")) : node().Fetch(RequestFor("/a"));
    ASSERT_EQ(asked.Get().kind, Kind::kPassThrough);

    node().Cancel(asked.token);

    EXPECT_TRUE(origin_.WaitForOpenConnections(0));
  }
}

TEST_F(FillerTest, ADestroyedFillerBreaksItsBodiesOff) {
  OriginReply reply = Fresh(TestBytes(1000, 15));
  reply.hold_at = 100;
  origin_.Serve("/a", reply);
  const auto object = node().Fetch(RequestFor("/a")).Get().object;

  node_.reset();

  EXPECT_EQ(object->body->state(), Body::State::kAborted);
}

// ---- Two nodes ----

TEST_F(FillerTest, DrainWithdrawsWhatThisNodeIsNamedFor) {
  origin_.Serve("/a", Fresh("x"));
  node().ReadAll(node().Fetch(RequestFor("/a")).Get());
  ASSERT_THAT(HoldersOf("/a"), Not(IsEmpty()));

  std::promise<void> drained;
  node().references().Drain([&] { drained.set_value(); });
  drained.get_future().get();

  EXPECT_THAT(HoldersOf("/a"), IsEmpty());
  EXPECT_EQ(node().references().count(), 0u);
}

TEST_F(FillerTest, RepublishNamesWhatTheCacheHolds) {
  origin_.Serve("/a", Fresh("x"));
  node().ReadAll(node().Fetch(RequestFor("/a")).Get());
  node().references().Withdraw(RequestFor("/a").key);
  ASSERT_THAT(HoldersOf("/a"), IsEmpty());

  node().references().Republish();

  // It is paced: a tick later.
  const Instant limit = MonotonicNow() + std::chrono::seconds(10);
  while (HoldersOf("/a").empty() && MonotonicNow() < limit) {
  }
  EXPECT_THAT(HoldersOf("/a"), Not(IsEmpty()));
}

TEST_F(FillerTest, AnEvictedObjectIsWithdrawn) {
  origin_.Serve("/a", Fresh("x"));
  node().ReadAll(node().Fetch(RequestFor("/a")).Get());
  ASSERT_THAT(HoldersOf("/a"), Not(IsEmpty()));

  node().cache().Erase(RequestFor("/a").key);

  EXPECT_THAT(HoldersOf("/a"), IsEmpty());
}

}  // namespace
}  // namespace reef::http
