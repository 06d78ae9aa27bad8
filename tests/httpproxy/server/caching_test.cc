// SPDX-License-Identifier: Apache-2.0
//
// RFC 9111 and its neighbours as seen from outside, clause by clause: a client, the proxy as it is
// shipped, an origin behind a named site. What needs no proxy to be shown is in the core's tests.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <map>
#include <memory>
#include <string>

#include "tests/httpproxy/server/proxy_fixture.h"

namespace reef::http {
namespace {

using reef::testing::OriginReply;
using reef::testing::OriginRequest;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class CachingTest : public ProxyTest {
 protected:
  // Every target: "1", "2", ... in the order of its requests, good for an hour. Unsafe methods are
  // answered with `unsafe`.
  void ServeCounted(OriginReply unsafe = {}) {
    origin_.ServeAll([this, unsafe](const OriginRequest& request) {
      if (request.method != "GET") return unsafe;
      return Reply(std::to_string(++counts_[request.target]), reply_fields_);
    });
  }
  static TestResponse Send(const Node& node, std::string_view method, std::string_view target) {
    TestClient client = node.Connect();
    client.Send(std::string(method) + " " + std::string(target) +
                " HTTP/1.1\r\nHost: " + std::string(kSite) + "\r\nContent-Length: 3\r\n\r\nabc");
    return client.Read();
  }
  static bool IsHit(const TestResponse& response) {
    return response.Field("Cache-Status").starts_with("reef; hit");
  }

  std::string reply_fields_{kFresh};
  std::map<std::string, int> counts_;  // on the origin's thread
};

// ---- 4.4: invalidation ----

class Rfc9111Section44Test : public CachingTest,
                             public ::testing::WithParamInterface<std::string> {};

TEST_P(Rfc9111Section44Test, TheTargetOfAnUnsafeRequestIsFetchedAnew) {
  ServeCounted();
  Node& node = AddNode();
  node.Get(kSite, "/a");

  EXPECT_EQ(Send(node, GetParam(), "/a").status, 200);

  EXPECT_EQ(node.Get(kSite, "/a").body, "2");
  EXPECT_TRUE(IsHit(node.Get(kSite, "/a")));
}

TEST_P(Rfc9111Section44Test, SoAreLocationAndContentLocation) {
  OriginReply reply;
  reply.status = 201;
  reply.fields = "Location: made\r\nContent-Location: http://site/dir/state\r\n";
  ServeCounted(reply);
  Node& node = AddNode();
  for (const char* target : {"/dir/made", "/dir/state", "/dir/other"}) node.Get(kSite, target);

  Send(node, GetParam(), "/dir/a");

  EXPECT_EQ(node.Get(kSite, "/dir/made").body, "2");
  EXPECT_EQ(node.Get(kSite, "/dir/state").body, "2");
  EXPECT_EQ(node.Get(kSite, "/dir/other").body, "1");
}

TEST_P(Rfc9111Section44Test, AnErrorInvalidatesNothing) {
  OriginReply reply;
  reply.status = 500;
  ServeCounted(reply);
  Node& node = AddNode();
  node.Get(kSite, "/a");

  Send(node, GetParam(), "/a");

  EXPECT_EQ(node.Get(kSite, "/a").body, "1");
}

INSTANTIATE_TEST_SUITE_P(Methods, Rfc9111Section44Test,
                         ::testing::Values("POST", "PUT", "DELETE", "PATCH", "MSEARCH"),
                         [](const auto& test) { return test.param; });

TEST_F(CachingTest, Rfc9111Section44AnotherOriginsTargetIsNotInvalidated) {
  OriginReply reply;
  reply.fields = "Location: https://site/b\r\nContent-Location: http://elsewhere.example/c\r\n";
  ServeCounted(reply);
  Node& node = AddNode();
  node.Get(kSite, "/b");
  node.Get(kSite, "/c");

  Send(node, "POST", "/a");

  EXPECT_EQ(node.Get(kSite, "/b").body, "1");
  EXPECT_EQ(node.Get(kSite, "/c").body, "1");
}

TEST_F(CachingTest, Rfc9111Section44EveryVariantIsInvalidated) {
  reply_fields_ += "Vary: Accept\r\n";
  ServeCounted();
  Node& node = AddNode();
  for (const char* accept : {"Accept: a\r\n", "Accept: b\r\n"}) {
    node.Get(kSite, "/a", accept);
    ASSERT_TRUE(IsHit(node.Get(kSite, "/a", accept)));
  }

  Send(node, "PUT", "/a");

  EXPECT_EQ(node.Get(kSite, "/a", "Accept: b\r\n").body, "3");
  EXPECT_EQ(node.Get(kSite, "/a", "Accept: a\r\n").body, "4");
}

TEST_F(CachingTest, Rfc9111Section44AnotherProxysOlderCopyDoesNotComeBack) {
  ServeCounted();
  Node& first = AddNode();
  Node& second = AddNode();
  ASSERT_EQ(first.Get(kSite, "/a").body, "1");
  ASSERT_EQ(second.Get(kSite, "/a").body, "1");

  Send(second, "POST", "/a");

  EXPECT_EQ(second.Get(kSite, "/a").body, "2");
}

TEST_F(CachingTest, Rfc9111Section44AFetchFromBeforeIsNotJoined) {
  origin_.ServeAll([this](const OriginRequest& request) {
    if (request.method != "GET") return OriginReply{};
    OriginReply reply = Reply(std::to_string(++counts_[request.target]));
    reply.hold_head = counts_[request.target] == 1;
    return reply;
  });
  Node& node = AddNode();
  TestClient early = node.Connect();
  early.SendGet(kSite, "/a");
  ASSERT_TRUE(origin_.WaitForRequests("/a", 1));

  Send(node, "POST", "/a");

  EXPECT_EQ(node.Get(kSite, "/a").body, "2");
  origin_.Release("/a");
  EXPECT_EQ(early.Read().body, "1");
  EXPECT_NE(node.Get(kSite, "/a").body, "1");
}

// ---- 3.5: credentials ----

TEST_F(CachingTest, Rfc9111Section35AnAnswerToCredentialsIsNotForOthers) {
  ServeCounted();
  Node& node = AddNode();

  EXPECT_EQ(node.Get(kSite, "/a", "Authorization: Basic x\r\n").body, "1");
  EXPECT_EQ(node.Get(kSite, "/a").body, "2");
}

TEST_F(CachingTest, Rfc9111Section35UnlessItSaysSo) {
  for (const std::string directives :
       {"max-age=60, public", "max-age=60, must-revalidate", "s-maxage=60"}) {
    reply_fields_ = "Cache-Control: " + directives + "\r\n";
    ServeCounted();
    Node& node = AddNode();
    const std::string target = "/" + std::to_string(directives.size());

    EXPECT_EQ(node.Get(kSite, target, "Authorization: Basic x\r\n").body, "1") << directives;
    EXPECT_TRUE(IsHit(node.Get(kSite, target))) << directives;
    EXPECT_TRUE(IsHit(node.Get(kSite, target, "Authorization: Basic y\r\n"))) << directives;
  }
}

TEST_F(CachingTest, AnAnswerToACookieIsSharedIfItStatesItsFreshnessAndSetsNone) {
  Node& node = AddNode();
  ServeCounted();
  EXPECT_EQ(node.Get(kSite, "/stated", "Cookie: a=b\r\n").body, "1");
  EXPECT_TRUE(IsHit(node.Get(kSite, "/stated", "Cookie: c=d\r\n")));
  EXPECT_TRUE(IsHit(node.Get(kSite, "/stated")));

  reply_fields_ = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  EXPECT_EQ(node.Get(kSite, "/guessed", "Cookie: a=b\r\n").body, "1");
  EXPECT_EQ(node.Get(kSite, "/guessed").body, "2");

  reply_fields_ = std::string(kFresh) + "Set-Cookie: a=b\r\n";
  EXPECT_EQ(node.Get(kSite, "/setting", "Cookie: a=b\r\n").body, "1");
  EXPECT_EQ(node.Get(kSite, "/setting").body, "2");
}

TEST_F(CachingTest, AnAnswerToAClientsOwnConditionIsNotForOthers) {
  origin_.ServeAll([](const OriginRequest& request) {
    OriginReply reply = Reply("alpha");
    if (request.Field("Range")) reply.status = 416;
    if (request.Field("If-Match")) reply.status = 412;
    return reply;
  });
  Node& node = AddNode();
  ASSERT_EQ(node.Get(kSite, "/a").status, 200);
  const std::string anew = "Cookie: a=b\r\nCache-Control: no-cache\r\n";

  EXPECT_EQ(node.Get(kSite, "/a", anew + "Range: bytes=9-\r\n").status, 416);
  EXPECT_EQ(node.Get(kSite, "/a").status, 200);
  EXPECT_EQ(node.Get(kSite, "/a", anew + "If-Match: \"x\"\r\n").status, 412);
  EXPECT_EQ(node.Get(kSite, "/a").status, 200);
}

TEST_F(CachingTest, AnOriginInTroubleWithACookieDisplacesNoGoodCopy) {
  origin_.ServeAll([](const OriginRequest& request) {
    OriginReply reply = Reply("alpha");
    if (request.Field("Cookie")) reply.status = 503;
    return reply;
  });
  Node& node = AddNode();
  ASSERT_EQ(node.Get(kSite, "/a").status, 200);

  EXPECT_EQ(node.Get(kSite, "/a", "Cookie: a=b\r\nCache-Control: no-cache\r\n").status, 503);

  const TestResponse after = node.Get(kSite, "/a");
  EXPECT_EQ(after.status, 200);
  EXPECT_TRUE(IsHit(after));
}

TEST_F(CachingTest, AReaderOfAnAnswerToACookieOutlivesWhoAskedForIt) {
  OriginReply reply = Reply(std::string(1'000'000, 'x'));
  reply.hold_at = 500'000;
  origin_.Serve("/a", reply);
  Node& node = AddNode();
  TestClient owner = node.Connect(), reader = node.Connect();
  owner.SendGet(kSite, "/a", "Cookie: a=b\r\n");
  ASSERT_EQ(owner.ReadHead().status, 200);
  reader.SendGet(kSite, "/a");
  ASSERT_EQ(reader.ReadHead().status, 200);
  ASSERT_EQ(reader.ReadBytes(100'000).size(), 100'000u);

  owner.Reset();
  ASSERT_TRUE(node.WaitForOpenConnections(1));
  origin_.Release("/a");

  EXPECT_EQ(reader.ReadBytes(900'000).size(), 900'000u);
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(CachingTest, AnAnswerToACookieThatNobodyReadsAnyMoreIsBrokenOff) {
  OriginReply reply = Reply(std::string(1'000'000, 'x'));
  reply.hold_at = 500'000;
  origin_.Serve("/a", reply);
  Node& node = AddNode();
  TestClient owner = node.Connect();
  owner.SendGet(kSite, "/a", "Cookie: a=b\r\n");
  ASSERT_EQ(owner.ReadHead().status, 200);
  ASSERT_EQ(owner.ReadBytes(100'000).size(), 100'000u);

  owner.Reset();

  EXPECT_TRUE(origin_.WaitForOpenConnections(0));
}

TEST_F(CachingTest, Rfc9111Section5215AnAnswerToNoStoreIsNotStored) {
  ServeCounted();
  Node& node = AddNode();

  EXPECT_EQ(node.Get(kSite, "/a", "Cache-Control: no-store\r\n").body, "1");
  EXPECT_EQ(node.Get(kSite, "/a").body, "2");
}

// ---- 3: which statuses are stored ----

class StatusTest : public CachingTest, public ::testing::WithParamInterface<int> {
 protected:
  void ServeStatus(const std::string& fields) {
    origin_.ServeAll([this, fields](const OriginRequest& request) {
      OriginReply reply = Reply(std::to_string(++counts_[request.target]), fields);
      reply.status = GetParam();
      if (reply.status == 204) reply.body.clear();
      return reply;
    });
  }
};

TEST_P(StatusTest, Rfc9111Section3IsReusedWhileItsStatedFreshnessLasts) {
  ServeStatus(std::string(kFresh));
  Node& node = AddNode();

  EXPECT_EQ(node.Get(kSite, "/a").status, GetParam());
  const TestResponse again = node.Get(kSite, "/a");

  EXPECT_EQ(again.status, GetParam());
  EXPECT_TRUE(IsHit(again)) << again.head;
}

TEST_P(StatusTest, Rfc9111Section4IsNotReusedStale) {
  ServeStatus("Expires: Sun, 06 Nov 1994 08:49:37 GMT\r\nLast-Modified: x\r\n");
  Node& node = AddNode();

  node.Get(kSite, "/a");

  EXPECT_FALSE(IsHit(node.Get(kSite, "/a")));
  EXPECT_EQ(origin_.RequestCount("/a"), 2u);
}

TEST_P(StatusTest, Rfc9111Section422IsReusedByHeuristicsIfItIsCacheableByDefault) {
  ServeStatus("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  Node& node = AddNode();

  node.Get(kSite, "/a");
  const TestResponse again = node.Get(kSite, "/a");

  static constexpr int kByDefault[] = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501};
  const bool by_default =
      std::find(std::begin(kByDefault), std::end(kByDefault), GetParam()) != std::end(kByDefault);
  EXPECT_EQ(IsHit(again), by_default) << again.head;
}

INSTANTIATE_TEST_SUITE_P(Statuses, StatusTest,
                         ::testing::Values(200, 201, 202, 203, 204, 299, 300, 301, 302, 303, 307,
                                           308, 400, 403, 404, 405, 410, 414, 499, 500, 501, 502,
                                           503, 504, 599));

// ---- 4.2.4: stale answers ----

TEST_F(CachingTest, Rfc9111Section424StaleRatherThanAnErrorWhenTheOriginIsGone) {
  origin_.Serve("/a", Reply("alpha", "Cache-Control: max-age=0\r\nETag: \"v\"\r\n"));
  origin_.Serve("/b",
                Reply("beta", "Cache-Control: max-age=0, must-revalidate\r\nETag: \"v\"\r\n"));
  Node& node = AddNode();
  node.Get(kSite, "/a");
  node.Get(kSite, "/b");
  ASSERT_TRUE(IsStored(node, "/a") && IsStored(node, "/b"));

  origin_.StopListening();
  origin_.CloseConnections();

  const TestResponse stale = node.Get(kSite, "/a");
  EXPECT_EQ(stale.body, "alpha");
  EXPECT_THAT(stale.Field("Cache-Status"), HasSubstr("fwd=stale"));
  EXPECT_EQ(node.Get(kSite, "/b").status, 502);
}

TEST_F(CachingTest, Rfc5861Section4AnErrorOfTheOriginIsPassedOnUnlessStaleIsAllowed) {
  origin_.Serve("/a", Reply("alpha", "Cache-Control: max-age=0\r\nETag: \"v\"\r\n"));
  origin_.Serve("/b",
                Reply("beta", "Cache-Control: max-age=0, stale-if-error=60\r\nETag: \"v\"\r\n"));
  Node& node = AddNode();
  node.Get(kSite, "/a");
  node.Get(kSite, "/b");
  ASSERT_TRUE(IsStored(node, "/a") && IsStored(node, "/b"));
  OriginReply trouble;
  trouble.status = 503;
  origin_.Serve("/a", trouble);
  origin_.Serve("/b", trouble);

  EXPECT_EQ(node.Get(kSite, "/a").status, 503);
  EXPECT_EQ(node.Get(kSite, "/b").body, "beta");
  EXPECT_EQ(node.Get(kSite, "/a", "Cache-Control: stale-if-error=60\r\n").body, "alpha");
}

// ---- 4.1: Vary ----

TEST_F(CachingTest, Rfc9111Section41BlanksAndLinesDoNotMakeAnotherVariant) {
  reply_fields_ += "Vary: Accept-Language\r\n";
  ServeCounted();
  Node& node = AddNode();

  EXPECT_EQ(node.Get(kSite, "/a", "Accept-Language: de,en\r\n").body, "1");
  EXPECT_TRUE(IsHit(node.Get(kSite, "/a", "Accept-Language: de ,  EN\r\n")));
  EXPECT_TRUE(IsHit(node.Get(kSite, "/a", "Accept-Language: de\r\naccept-language: en\r\n")));
  EXPECT_EQ(node.Get(kSite, "/a", "Accept-Language: en\r\n").body, "2");
  EXPECT_TRUE(IsHit(node.Get(kSite, "/a", "Accept-Language: en\r\n")));
  EXPECT_TRUE(IsHit(node.Get(kSite, "/a", "Accept-Language: de, en\r\n")));
}

// ---- 4.2.2: heuristics ----

TEST_F(CachingTest, Rfc9111Section422LastModifiedAllowsReuseForATenthOfItsAge) {
  reply_fields_ = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  ServeCounted();
  Node& node = AddNode();

  EXPECT_EQ(node.Get(kSite, "/a").body, "1");
  EXPECT_TRUE(IsHit(node.Get(kSite, "/a")));
}

TEST_F(CachingTest, Rfc9111Section422WithoutItThereIsNone) {
  reply_fields_ = "";
  ServeCounted();
  Node& node = AddNode();

  EXPECT_EQ(node.Get(kSite, "/a").body, "1");
  EXPECT_EQ(node.Get(kSite, "/a").body, "2");
}

TEST_F(CachingTest, ACookieIsNotSharedByAGuess) {
  origin_.ServeAll([this](const OriginRequest& request) {
    const std::string count = std::to_string(++counts_[request.target]);
    return Reply(
        count, "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nSet-Cookie: id=" + count + "\r\n");
  });
  Node& node = AddNode();

  EXPECT_EQ(node.Get(kSite, "/a").Field("Set-Cookie"), "id=1");
  const TestResponse second = node.Get(kSite, "/a");
  EXPECT_EQ(second.Field("Set-Cookie"), "id=2");
  EXPECT_EQ(second.body, "2");
}

// ---- 4.3.4: what a 304 changes ----

TEST_F(CachingTest, Rfc9111Section434A304OfOneClientIsNotForOthers) {
  Node& node = AddNode();
  for (const std::string directive : {"private", "no-store"}) {
    const std::string target = "/" + directive;
    origin_.Serve(target, [&directive](const OriginRequest& request) {
      OriginReply reply = Reply("alpha", "ETag: \"v\"\r\n");
      const bool asks = request.Field("If-None-Match").has_value();
      reply.fields += asks ? "Cache-Control: max-age=60, " + directive + "\r\nX-Mine: 1\r\n"
                           : "Cache-Control: max-age=0\r\n";
      if (asks) reply.status = 304;
      return reply;
    });
    ASSERT_EQ(node.Get(kSite, target).body, "alpha");
    ASSERT_TRUE(IsStored(node, target));

    const TestResponse own = node.Get(kSite, target);
    EXPECT_EQ(own.body, "alpha");
    EXPECT_EQ(own.Field("X-Mine"), "1");

    const TestResponse other = node.Get(kSite, target);
    EXPECT_EQ(other.body, "alpha");
    EXPECT_EQ(other.Field("X-Mine"), "") << directive;
  }
}

TEST_F(CachingTest, Rfc9111Section434AFieldThatIsWithheldInA304ReachesItsClientOnly) {
  origin_.Serve("/a", [](const OriginRequest& request) {
    OriginReply reply = Reply("alpha", "ETag: \"v\"\r\n");
    if (!request.Field("If-None-Match")) {
      reply.fields += "Cache-Control: max-age=60, private=\"x-a\"\r\n";
      return reply;
    }
    reply.status = 304;
    reply.fields += "X-A: mine\r\nX-B: all\r\n";
    return reply;
  });
  Node& node = AddNode();
  ASSERT_EQ(node.Get(kSite, "/a").body, "alpha");
  ASSERT_TRUE(IsStored(node, "/a"));

  const TestResponse own = node.Get(kSite, "/a", "Cache-Control: no-cache\r\n");
  const TestResponse other = node.Get(kSite, "/a");

  EXPECT_EQ(own.Field("X-A"), "mine");
  EXPECT_TRUE(IsHit(other));
  EXPECT_EQ(other.Field("X-A"), "");
  EXPECT_EQ(other.Field("X-B"), "all");
}

// ---- 5.2.2.4 and 5.2.2.7: fields that are withheld ----

TEST_F(CachingTest, Rfc9111Section522WithheldFieldsReachTheFirstClientOnly) {
  reply_fields_ =
      "Cache-Control: max-age=60, private=\"x-secret\", no-cache=\"set-cookie\"\r\n"
      "X-Secret: s\r\nSet-Cookie: a=b\r\nX-Open: o\r\n";
  ServeCounted();
  Node& node = AddNode();

  const TestResponse first = node.Get(kSite, "/a");
  const TestResponse second = node.Get(kSite, "/a");

  EXPECT_EQ(first.Field("X-Secret"), "s");
  EXPECT_EQ(first.Field("Set-Cookie"), "a=b");
  EXPECT_TRUE(IsHit(second));
  EXPECT_EQ(second.Field("X-Secret"), "");
  EXPECT_EQ(second.Field("Set-Cookie"), "");
  EXPECT_EQ(second.Field("X-Open"), "o");
}

// ---- RFC 9110, 15.2: interim responses ----

TEST_F(CachingTest, Rfc9110Section152InterimResponsesArePassedOn) {
  OriginReply reply = Reply("alpha");
  reply.interim =
      "HTTP/1.1 102 Processing\r\n\r\n"
      "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\nConnection: x-hop\r\n"
      "X-Hop: 1\r\n\r\n";
  origin_.Serve("/a", reply);
  origin_.Serve("/a?alone", reply);
  Node& node = AddNode();
  for (const std::string fields : {"", "Authorization: Basic x\r\n"}) {
    TestClient client = node.Connect();
    client.SendGet(kSite, fields.empty() ? "/a" : "/a?alone", fields);
    EXPECT_EQ(client.ReadHead().status, 102);
    const TestResponse hints = client.ReadHead();
    EXPECT_EQ(hints.status, 103);
    EXPECT_EQ(hints.Field("Link"), "</s.css>; rel=preload");
    EXPECT_EQ(hints.Field("X-Hop"), "");
    EXPECT_EQ(hints.Field("Connection"), "");
    EXPECT_EQ(client.Read().body, "alpha");
  }
  EXPECT_TRUE(IsHit(node.Get(kSite, "/a")));
}

// An origin that decides about a request before it has its content.
class ExpectTest : public CachingTest {
 protected:
  ExpectTest() : listener_(*ListenTcp({IpAddress::V4({127, 0, 0, 1}), 0}, /*reuse_port=*/false)) {}
  // Accepts one connection and reads until `end` has come.
  std::string Read(std::string_view end) {
    if (!accepted_) {
      pollfd ready{listener_.get(), POLLIN, 0};
      EXPECT_EQ(poll(&ready, 1, 10'000), 1);
      accepted_ = UniqueFd(accept(listener_.get(), nullptr, nullptr));
    }
    while (received_.find(end) == std::string::npos) {
      pollfd ready{accepted_.get(), POLLIN, 0};
      char buffer[4096];
      ssize_t n =
          poll(&ready, 1, 10'000) == 1 ? recv(accepted_.get(), buffer, sizeof buffer, 0) : 0;
      if (n <= 0) break;
      received_.append(buffer, static_cast<size_t>(n));
    }
    return received_;
  }
  void Write(std::string_view bytes) {
    EXPECT_EQ(send(accepted_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  TestClient Ask() {
    node_ = std::make_unique<Node>(index_, LocalEndpoint(listener_.get()), 1);
    TestClient client = node_->Connect();
    client.Send("PUT /a HTTP/1.1\r\nHost: " + std::string(kSite) +
                "\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    return client;
  }

  UniqueFd listener_, accepted_;
  std::string received_;
  std::unique_ptr<Node> node_;
};

TEST_F(ExpectTest, Rfc9110Section1011TheOriginSaysWhetherToGoOn) {
  TestClient client = Ask();
  EXPECT_THAT(Read("\r\n\r\n"), HasSubstr("\r\nExpect: 100-continue\r\n"));

  Write("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.ReadHead().status, 100);
  client.Send("abc");
  EXPECT_THAT(Read("abc"), EndsWith("\r\n\r\nabc"));
  Write("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");

  EXPECT_EQ(client.Read().status, 201);
}

TEST_F(ExpectTest, Rfc9110Section1011OrRefuses) {
  TestClient client = Ask();
  Read("\r\n\r\n");

  Write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");

  EXPECT_EQ(client.Read().status, 413);
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
}

TEST_F(CachingTest, Rfc9110Section152ButNotToHttp10) {
  OriginReply reply = Reply("alpha");
  reply.interim = "HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n";
  origin_.Serve("/a", reply);
  Node& node = AddNode();
  TestClient client = node.Connect();

  client.Send("GET /a HTTP/1.0\r\nHost: " + std::string(kSite) + "\r\n\r\n");

  EXPECT_EQ(client.Read().status, 200);
}

}  // namespace
}  // namespace reef::http
