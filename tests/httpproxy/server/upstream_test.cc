// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/upstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "httpproxy/store/cache.h"
#include "tests/support/name_server.h"
#include "tests/support/origin.h"
#include "tests/support/test_ca.h"

namespace reef::http {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing::NameServer;
using testing::Origin;
using testing::OriginReply;
using testing::OriginRequest;
using testing::TestBytes;
using testing::TestCa;

IpAddress Ip(const std::string& text) {
  return *IpAddress::Parse(text);
}

// What became of one request.
struct Result {
  int status = 0;
  std::string fields;
  std::string body;
  std::vector<int> interim;
  bool ended = false;
  bool verified = false;
  std::optional<FetchFailure> failure;
  std::string detail;
};

class UpstreamTest : public ::testing::Test {
 protected:
  UpstreamTest() : thread_("upstream") {
    guard_.allow_private = true;
    resolver_options_.servers = {names_.endpoint()};
    Make();
  }
  ~UpstreamTest() override { Stop(); }

  void Make() {
    Stop();
    thread_.RunAndWait([this] {
      resolver_ = std::make_unique<Resolver>(resolver_options_, thread_.loop());
      upstream_ =
          std::make_unique<Upstream>(options_, guard_, self_, thread_.loop(), *resolver_, metrics_);
    });
  }
  void Stop() {
    thread_.RunAndWait([this] {
      upstream_.reset();
      resolver_.reset();
    });
  }

  UpstreamRequest To(const Endpoint& endpoint, const std::string& target,
                     const std::string& method = "GET") {
    UpstreamRequest request;
    request.target.host = endpoint.address.ToString();
    request.target.port = endpoint.port;
    request.method = IdentifyMethod(method);
    request.head = method + " " + target + " HTTP/1.1\r\nHost: site.test\r\n\r\n";
    return request;
  }

  struct Sent {
    uint64_t id = 0;
    std::future<Result> result;
  };
  Sent Send(UpstreamRequest request) {
    auto promise = std::make_shared<std::promise<Result>>();
    auto result = std::make_shared<Result>();
    UpstreamEvents events;
    events.on_interim = [result](const ResponseHead& head) {
      result->interim.push_back(head.status);
    };
    events.on_head = [result](const ResponseHead& head, WallTime) {
      result->status = head.status;
      for (const Field& field : head.fields) {
        result->fields += std::string(field.name) + ": " + std::string(field.value) + "\n";
      }
    };
    events.on_body = [result](std::string_view bytes) { result->body.append(bytes); };
    events.on_end = [result, promise](bool verified) {
      result->ended = true;
      result->verified = verified;
      promise->set_value(*result);
    };
    events.on_failure = [result, promise](FetchFailure failure, const std::string& detail) {
      result->failure = failure;
      result->detail = detail;
      promise->set_value(*result);
    };
    Sent sent{0, promise->get_future()};
    thread_.RunAndWait([&] { sent.id = upstream_->Send(std::move(request), std::move(events)); });
    return sent;
  }
  Result Get(UpstreamRequest request) { return Send(std::move(request)).result.get(); }
  Result Get(const std::string& target) { return Get(To(origin_.endpoint(), target)); }
  // Of a name that the test's server resolves.
  UpstreamRequest ToName(const std::string& name, const std::string& target, bool tls = false) {
    UpstreamRequest request = To(origin_.endpoint(), target);
    request.target.host = name;
    request.target.tls = tls;
    return request;
  }

  Origin origin_;
  NameServer names_;
  Metrics metrics_;
  UpstreamOptions options_;
  ResolverOptions resolver_options_;
  GuardOptions guard_;
  Endpoint self_{Ip("127.0.0.1"), 8090};
  LoopThread thread_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<Upstream> upstream_;
};

OriginReply Body(std::string body) {
  OriginReply reply;
  reply.body = std::move(body);
  return reply;
}

TEST_F(UpstreamTest, DeliversAResponseOfAnyFraming) {
  const std::string bytes = TestBytes(300'000, 1);
  for (const auto framing : {OriginReply::Framing::kLength, OriginReply::Framing::kChunked,
                             OriginReply::Framing::kClose}) {
    OriginReply reply = Body(bytes);
    reply.framing = framing;
    origin_.Serve("/a", reply);

    const Result result = Get("/a");

    EXPECT_EQ(result.status, 200);
    EXPECT_EQ(result.body, bytes);
    EXPECT_TRUE(result.ended) << result.detail;
    EXPECT_EQ(result.verified, framing != OriginReply::Framing::kClose);
  }
}

TEST_F(UpstreamTest, ASecondRequestUsesTheConnectionOfTheFirst) {
  origin_.Serve("/a", Body("one"));

  Get("/a");
  Get("/a");

  EXPECT_EQ(origin_.ConnectionCount(), 1u);
}

TEST_F(UpstreamTest, AKeptConnectionThatTheOriginClosedIsReplaced) {
  origin_.Serve("/a", Body("one"));
  Get("/a");
  origin_.CloseConnections();

  const Result result = Get("/a");

  EXPECT_EQ(result.body, "one");
  EXPECT_EQ(origin_.ConnectionCount(), 2u);
}

TEST_F(UpstreamTest, ARequestLostWithItsKeptConnectionIsSentAgain) {
  origin_.Serve("/a", Body("one"));
  int asked = 0;
  origin_.Serve("/b", [&asked](const OriginRequest&) {
    OriginReply reply = Body("two");
    reply.reset = ++asked == 1;  // as if it had closed in that moment
    return reply;
  });
  Get("/a");

  EXPECT_EQ(Get("/b").body, "two");
  EXPECT_EQ(origin_.RequestCount("/b"), 2u);
}

TEST_F(UpstreamTest, AFreshConnectionThatIsResetIsAFailure) {
  OriginReply reply = Body("x");
  reply.reset = true;
  origin_.Serve("/a", reply);

  const Result result = Get("/a");

  EXPECT_EQ(result.failure, FetchFailure::kBroken);
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(UpstreamTest, ATruncatedBodyIsBrokenNotEnded) {
  for (const bool chunked : {false, true}) {
    OriginReply reply = Body(TestBytes(100'000, 2));
    reply.close_at = 5'000;
    if (chunked) reply.framing = OriginReply::Framing::kChunked;
    origin_.Serve("/cut", reply);

    const Result result = Get("/cut");

    EXPECT_EQ(result.failure, FetchFailure::kBroken);
    EXPECT_FALSE(result.ended);
  }
}

TEST_F(UpstreamTest, ChunkedWithoutItsLastChunkIsBroken) {
  OriginReply reply = Body("all of it");
  reply.framing = OriginReply::Framing::kChunked;
  reply.omit_last_chunk = true;
  origin_.Serve("/a", reply);

  EXPECT_EQ(Get("/a").failure, FetchFailure::kBroken);
}

TEST_F(UpstreamTest, BytesBeyondTheLengthAreNotDeliveredAndTheirConnectionIsNotKept) {
  OriginReply reply = Body("0123456789");
  reply.claimed_length = 4;
  origin_.Serve("/a", reply);

  EXPECT_EQ(Get("/a").body, "0123");
  EXPECT_EQ(Get("/a").body, "0123");
  EXPECT_EQ(origin_.ConnectionCount(), 2u);
}

TEST_F(UpstreamTest, InterimResponsesAreToldAndPassedOver) {
  OriginReply reply = Body("x");
  reply.interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
  origin_.Serve("/a", reply);

  const Result result = Get("/a");

  EXPECT_THAT(result.interim, ::testing::ElementsAre(103, 102));
  EXPECT_EQ(result.body, "x");
}

TEST_F(UpstreamTest, ResponsesWithoutContentEndWithTheirHead) {
  OriginReply nothing;
  nothing.status = 204;
  origin_.Serve("/204", nothing);
  origin_.Serve("/head", Body("0123456789"));

  EXPECT_TRUE(Get("/204").ended);
  const Result head = Get(To(origin_.endpoint(), "/head", "HEAD"));

  EXPECT_TRUE(head.ended);
  EXPECT_EQ(head.body, "");
  EXPECT_THAT(head.fields, HasSubstr("Content-Length: 10"));
  EXPECT_EQ(origin_.ConnectionCount(), 1u);
}

TEST_F(UpstreamTest, WhatIsNotHttpIsRefused) {
  OriginReply reply;
  reply.raw = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
  origin_.Serve("/a", reply);

  EXPECT_EQ(Get("/a").failure, FetchFailure::kProtocol);
}

TEST_F(UpstreamTest, AHeadThatDoesNotComeInTimeIsATimeout) {
  options_.first_byte_timeout = milliseconds(30);
  Make();
  OriginReply reply = Body("x");
  reply.hold_head = true;
  origin_.Serve("/a", reply);

  EXPECT_EQ(Get("/a").failure, FetchFailure::kTimeout);
}

TEST_F(UpstreamTest, ABodyThatStopsComingIsATimeout) {
  options_.between_bytes_timeout = milliseconds(30);
  Make();
  OriginReply reply = Body(TestBytes(100, 3));
  reply.hold_at = 50;
  origin_.Serve("/a", reply);

  const Result result = Get("/a");

  EXPECT_EQ(result.failure, FetchFailure::kTimeout);
  EXPECT_EQ(result.body.size(), 50u);
}

TEST_F(UpstreamTest, ARefusedConnectionNamesTheAddress) {
  const Endpoint gone = Origin().endpoint();

  const Result result = Get(To(gone, "/a"));

  EXPECT_EQ(result.failure, FetchFailure::kConnect);
  EXPECT_THAT(result.detail, HasSubstr(gone.ToString()));
}

TEST_F(UpstreamTest, TriesTheNextAddressOfAName) {
  origin_.Serve("/a", Body("one"));
  names_.Set("site.test", {Ip("127.0.0.9"), Ip("127.0.0.1")}, 60);

  EXPECT_EQ(Get(ToName("site.test", "/a")).body, "one");
}

TEST_F(UpstreamTest, ANameThatDoesNotExistIsAFailureToResolve) {
  const Result result = Get(ToName("nothing.test", "/a"));

  EXPECT_EQ(result.failure, FetchFailure::kResolve);
  EXPECT_THAT(result.detail, HasSubstr("nothing.test"));
}

TEST_F(UpstreamTest, ANameThatPointsInsideIsRefusedOnTheAddressItself) {
  guard_.allow_private = false;
  Make();
  origin_.Serve("/a", Body("secret"));
  names_.Set("rebind.test", {Ip("127.0.0.1")}, 60);

  const Result result = Get(ToName("rebind.test", "/a"));

  EXPECT_EQ(result.failure, FetchFailure::kForbidden);
  EXPECT_THAT(result.detail, HasSubstr("not-public"));
  EXPECT_EQ(origin_.ConnectionCount(), 0u);
  EXPECT_THAT(metrics_.Exposition(),
              HasSubstr("reef_http_guard_refusals_total{reason=\"not-public\"} 1"));
}

TEST_F(UpstreamTest, AConfiguredOriginMayBeInside) {
  guard_.allow_private = false;
  Make();
  origin_.Serve("/a", Body("ours"));
  UpstreamRequest request = To(origin_.endpoint(), "/a");
  request.target.kind = UpstreamTarget::Kind::kConfigured;
  request.target.fixed = origin_.endpoint();

  EXPECT_EQ(Get(std::move(request)).body, "ours");
}

TEST_F(UpstreamTest, StreamsARequestsContentWithItsLengthOrChunked) {
  origin_.Serve("/post", Body("taken"));
  const std::string bytes = TestBytes(200'000, 4);
  for (const bool chunked : {false, true}) {
    const auto body = Cache::NewPassThroughBody(64 * 1024);
    UpstreamRequest request = To(origin_.endpoint(), "/post", "POST");
    request.head = "POST /post HTTP/1.1\r\nHost: site.test\r\n" +
                   (chunked ? std::string("Transfer-Encoding: chunked\r\n\r\n")
                            : "Content-Length: " + std::to_string(bytes.size()) + "\r\n\r\n");
    request.body = body;
    request.chunked = chunked;
    Sent sent = Send(std::move(request));
    body->Append(bytes);
    body->Complete();

    EXPECT_EQ(sent.result.get().body, "taken");
    EXPECT_EQ(origin_.Requests().back().body, bytes);
  }
}

TEST_F(UpstreamTest, AContentThatBreaksOffBreaksTheRequestOff) {
  const auto body = Cache::NewPassThroughBody(64 * 1024);
  UpstreamRequest request = To(origin_.endpoint(), "/post", "POST");
  request.head = "POST /post HTTP/1.1\r\nHost: site.test\r\nContent-Length: 100\r\n\r\n";
  request.body = body;
  Sent sent = Send(std::move(request));
  body->Append("only this");
  body->Abort("the client left");

  EXPECT_EQ(sent.result.get().failure, FetchFailure::kBroken);
  EXPECT_EQ(origin_.RequestCount("/post"), 0u);
}

TEST_F(UpstreamTest, AnEarlyAnswerToAnUnfinishedContentIsTaken) {
  OriginReply refusal;
  refusal.raw = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  origin_.ServeAll([&](const OriginRequest&) { return refusal; });
  const auto body = Cache::NewPassThroughBody(64 * 1024);
  UpstreamRequest request = To(origin_.endpoint(), "/post", "POST");
  // The origin answers after the first chunk, which it takes for all.
  request.head = "POST /post HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0\r\n\r\n";
  request.body = body;

  EXPECT_EQ(Send(std::move(request)).result.get().status, 413);
}

TEST_F(UpstreamTest, ACancelledRequestLetsGoOfItsConnection) {
  OriginReply reply = Body("x");
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Sent sent = Send(To(origin_.endpoint(), "/a"));
  ASSERT_TRUE(origin_.WaitForRequests(1));

  thread_.RunAndWait([&] { upstream_->Cancel(sent.id); });

  EXPECT_TRUE(origin_.WaitForOpenConnections(0));
  thread_.RunAndWait([&] { EXPECT_EQ(upstream_->active(), 0u); });
}

TEST_F(UpstreamTest, MayBeCancelledFromItsOwnEvents) {
  origin_.Serve("/a", Body(TestBytes(100'000, 5)));
  std::promise<void> head_seen;
  uint64_t id = 0;
  thread_.RunAndWait([&] {
    UpstreamEvents events;
    events.on_head = [&](const ResponseHead&, WallTime) {
      upstream_->Cancel(id);
      head_seen.set_value();
    };
    events.on_body = [](std::string_view) { ADD_FAILURE() << "after Cancel"; };
    events.on_end = [](bool) { ADD_FAILURE() << "after Cancel"; };
    events.on_failure = [](FetchFailure, const std::string&) { ADD_FAILURE() << "after Cancel"; };
    id = upstream_->Send(To(origin_.endpoint(), "/a"), std::move(events));
  });
  head_seen.get_future().get();

  thread_.RunAndWait([&] { EXPECT_EQ(upstream_->active(), 0u); });
  EXPECT_TRUE(origin_.WaitForOpenConnections(0));
}

TEST_F(UpstreamTest, APausedResponseIsNotRead) {
  const std::string bytes = TestBytes(30'000'000, 6);
  origin_.Serve("/big", Body(bytes));
  std::string got;
  std::promise<void> paused, ended;
  uint64_t id = 0;
  thread_.RunAndWait([&] {
    UpstreamEvents events;
    events.on_head = [](const ResponseHead&, WallTime) {};
    events.on_body = [&](std::string_view chunk) {
      if (got.empty()) {
        upstream_->Pause(id);
        paused.set_value();
      }
      got.append(chunk);
    };
    events.on_end = [&](bool) { ended.set_value(); };
    events.on_failure = [&](FetchFailure, const std::string& detail) {
      ADD_FAILURE() << detail;
      ended.set_value();
    };
    id = upstream_->Send(To(origin_.endpoint(), "/big"), std::move(events));
  });
  paused.get_future().get();
  // Other requests run, which takes longer than reading would.
  origin_.Serve("/a", Body("x"));
  for (int i = 0; i < 50; ++i) Get("/a");
  thread_.RunAndWait([&] { EXPECT_LE(got.size(), 64u * 1024); });
  EXPECT_LT(origin_.BodyBytesSent(), bytes.size() - 1'000'000);

  thread_.loop().Post([&] { upstream_->Resume(id); });
  ended.get_future().get();

  EXPECT_TRUE(got == bytes);
}

TEST_F(UpstreamTest, TheConnectionsKeptAreBounded) {
  options_.idle_per_origin_max = 2;
  Make();
  OriginReply reply = Body("x");
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  std::vector<Sent> sent;
  for (int i = 0; i < 4; ++i) sent.push_back(Send(To(origin_.endpoint(), "/a")));
  ASSERT_TRUE(origin_.WaitForRequests(4));
  origin_.Release("/a");
  for (Sent& one : sent) EXPECT_EQ(one.result.get().body, "x");

  thread_.RunAndWait([&] { EXPECT_EQ(upstream_->idle(), 2u); });
  EXPECT_TRUE(origin_.WaitForOpenConnections(2));
}

TEST_F(UpstreamTest, AnIdleConnectionIsClosedInTime) {
  options_.idle_timeout = milliseconds(20);
  Make();
  origin_.Serve("/a", Body("x"));
  Get("/a");

  EXPECT_TRUE(origin_.WaitForOpenConnections(0));
}

TEST_F(UpstreamTest, RequestsAtOnceAreBounded) {
  options_.active_max = 1;
  Make();
  OriginReply reply = Body("x");
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Sent first = Send(To(origin_.endpoint(), "/a"));

  EXPECT_EQ(Get("/a").failure, FetchFailure::kLimit);
}

class UpstreamTlsTest : public UpstreamTest {
 protected:
  UpstreamTlsTest() {
    options_.extra_ca_file = ca_.file();
    Make();
    names_.Set("site.test", {Ip("127.0.0.1")}, 60);
  }
  UpstreamRequest ToTls(const Origin& origin, const std::string& target) {
    UpstreamRequest request = To(origin.endpoint(), target);
    request.target.host = "site.test";
    request.target.tls = true;
    return request;
  }

  TestCa ca_;
};

TEST_F(UpstreamTlsTest, FetchesFromAnOriginOfAVerifiedName) {
  Origin origin({.tls = ca_.Server({.names = {"site.test"}})});
  const std::string bytes = TestBytes(2'000'000, 7);
  origin.Serve("/a", Body(bytes));

  const Result result = Get(ToTls(origin, "/a"));

  EXPECT_TRUE(result.ended) << result.detail;
  EXPECT_TRUE(result.body == bytes);
}

TEST_F(UpstreamTlsTest, KeepsAConnectionOverTls) {
  Origin origin({.tls = ca_.Server({.names = {"site.test"}})});
  origin.Serve("/a", Body("x"));

  Get(ToTls(origin, "/a"));
  Get(ToTls(origin, "/a"));

  EXPECT_EQ(origin.ConnectionCount(), 1u);
}

TEST_F(UpstreamTlsTest, AnotherNameOnTheCertificateIsRefusedByName) {
  Origin origin({.tls = ca_.Server({.names = {"other.test"}})});
  origin.Serve("/a", Body("x"));

  const Result result = Get(ToTls(origin, "/a"));

  EXPECT_EQ(result.failure, FetchFailure::kTls);
  EXPECT_THAT(result.detail, HasSubstr("name-mismatch"));
  EXPECT_EQ(origin.RequestCount("/a"), 0u);
}

TEST_F(UpstreamTlsTest, AServerThatDoesNotAnswerTheHandshakeTimesOut) {
  options_.connect_timeout = milliseconds(30);
  Make();

  const Result result = Get(ToTls(origin_, "/a"));  // a plain one: it waits for a request

  EXPECT_EQ(result.failure, FetchFailure::kConnectTimeout);
}

}  // namespace
}  // namespace reef::http
