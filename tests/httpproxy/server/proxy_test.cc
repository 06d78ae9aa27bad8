// SPDX-License-Identifier: Apache-2.0
//
// Proxies as they are shipped, several in one process that share an index, over real sockets, with
// an origin that does as it is told.
#include "httpproxy/server/proxy.h"

#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/httpproxy/server/proxy_fixture.h"

namespace reef::http {
namespace {

using namespace std::chrono_literals;
using reef::testing::OriginReply;
using reef::testing::OriginRequest;
using reef::testing::TestBytes;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(ProxyTest, FetchesOnceAndServesFromTheCacheThen) {
  origin_.Serve("/a", Reply("alpha"));
  Node& node = AddNode();

  const TestResponse miss = node.Get(kSite, "/a");
  const TestResponse hit = node.Get(kSite, "/a");

  EXPECT_EQ(miss.body, "alpha");
  EXPECT_THAT(miss.Field("Cache-Status"), HasSubstr("reef; fwd=uri-miss; fwd-status=200; stored"));
  EXPECT_THAT(miss.Field("Cache-Status"), HasSubstr("detail=origin"));
  EXPECT_EQ(hit.body, "alpha");
  EXPECT_THAT(hit.Field("Cache-Status"), StartsWith("reef; hit"));
  EXPECT_NE(hit.Field("Age"), "");
  EXPECT_THAT(hit.Field("Via"), HasSubstr("reef"));
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
  EXPECT_EQ(origin_.Requests()[0].Field("Host"), "site");
}

TEST_F(ProxyTest, AnOriginByItsAddressNeedsNoConfiguration) {
  origin_.Serve("/a", Reply("alpha"));
  Node& node = AddNode();
  const std::string host = "127.0.0.1." + std::to_string(origin_.endpoint().port) + ".nyud.net";

  EXPECT_EQ(node.Get(host, "/a").body, "alpha");
  EXPECT_EQ(node.Get(host, "/a").body, "alpha");

  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(ProxyTest, AHundredClientsAtOnceCauseOneRequestAtTheOrigin) {
  OriginReply reply = Reply(TestBytes(300'000, 1));
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Node& node = AddNode();
  std::vector<TestClient> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(node.Connect());
  for (TestClient& client : clients) client.SendGet(kSite, "/a");
  ASSERT_TRUE(origin_.WaitForRequests("/a", 1));

  origin_.Release("/a");

  for (TestClient& client : clients) {
    const TestResponse response = client.Read();
    ASSERT_TRUE(response.whole) << "client " << &client - clients.data() << " got "
                                << response.body.size() << " bytes after " << response.head;
    ASSERT_TRUE(response.body == reply.body);
  }
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
  EXPECT_EQ(node.proxy->stats().origin_avoided, 99u);
}

TEST_F(ProxyTest, FirstBytesArriveBeforeTheOriginHasSentTheLast) {
  OriginReply reply = Reply(TestBytes(1'000'000, 1));
  reply.hold_at = 500'000;
  origin_.Serve("/a", reply);
  Node& node = AddNode();
  TestClient first = node.Connect(), second = node.Connect();

  first.SendGet(kSite, "/a");
  ASSERT_EQ(first.ReadHead().status, 200);
  EXPECT_TRUE(first.ReadBytes(400'000) == reply.body.substr(0, 400'000));
  second.SendGet(kSite, "/a");
  ASSERT_EQ(second.ReadHead().status, 200);
  EXPECT_TRUE(second.ReadBytes(400'000) == reply.body.substr(0, 400'000));
  EXPECT_LE(origin_.BodyBytesSent(), 500'000u);
  origin_.Release("/a");

  EXPECT_TRUE(first.ReadBytes(600'000) == reply.body.substr(400'000));
  EXPECT_TRUE(second.ReadBytes(600'000) == reply.body.substr(400'000));
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(ProxyTest, ThreeProxiesAskTheOriginOnce) {
  const std::string body = TestBytes(700'000, 1);
  origin_.Serve("/a", Reply(body));
  Node& one = AddNode();
  Node& two = AddNode();
  Node& three = AddNode();

  const TestResponse from_origin = one.Get(kSite, "/a");
  const TestResponse from_peer = two.Get(kSite, "/a");
  const TestResponse from_another = three.Get(kSite, "/a");

  EXPECT_THAT(from_origin.Field("Cache-Status"), HasSubstr("detail=origin"));
  for (const TestResponse& response : {from_peer, from_another}) {
    EXPECT_TRUE(response.whole && response.body == body);
    EXPECT_THAT(response.Field("Cache-Status"), HasSubstr("detail=peer-l0"));
    EXPECT_THAT(response.Field("Cache-Status"), HasSubstr("hit"));
  }
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
  // More where two holders were raced.
  EXPECT_GE(one.proxy->stats().peers_served + two.proxy->stats().peers_served, 2u);
}

TEST_F(ProxyTest, PeersWaitForASlowOriginThroughTheOneThatAsksIt) {
  OriginReply reply = Reply(TestBytes(100'000, 1));
  reply.hold_head = true;
  origin_.Serve("/a", reply);
  Node& one = AddNode();
  Node& two = AddNode();
  TestClient first = one.Connect(), second = two.Connect();
  first.SendGet(kSite, "/a");
  ASSERT_TRUE(origin_.WaitForRequests("/a", 1));
  second.SendGet(kSite, "/a");

  // Longer than a stall lasts: the signs of life keep the second one waiting.
  std::this_thread::sleep_for(2s);
  origin_.Release("/a");

  EXPECT_TRUE(first.Read().body == reply.body);
  EXPECT_TRUE(second.Read().body == reply.body);
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(ProxyTest, ABodyThatThePeerBreaksOffNeverLooksWhole) {
  OriginReply reply = Reply(TestBytes(1'000'000, 1));
  reply.close_at = 500'000;
  origin_.Serve("/a", reply);
  Node& one = AddNode();
  Node& two = AddNode();
  TestClient first = one.Connect(), second = two.Connect();

  first.SendGet(kSite, "/a");
  second.SendGet(kSite, "/a");
  const TestResponse broken = first.Read(), also_broken = second.Read();

  for (const TestResponse& response : {broken, also_broken}) {
    if (response.status == 200) {
      EXPECT_FALSE(response.whole);
    } else {
      EXPECT_GE(response.status, 500);
    }
  }
  origin_.Serve("/a", Reply(reply.body));
  const TestResponse later = two.Get(kSite, "/a");
  EXPECT_TRUE(later.whole && later.body == reply.body);
}

TEST_F(ProxyTest, UncacheableAnswersAreEveryonesOwn) {
  int served = 0;
  origin_.Serve("/a", [&](const OriginRequest&) {
    return Reply("answer " + std::to_string(++served), "Cache-Control: no-store\r\n");
  });
  Node& one = AddNode();
  Node& two = AddNode();

  const TestResponse first = one.Get(kSite, "/a");
  const TestResponse second = one.Get(kSite, "/a");
  const TestResponse third = two.Get(kSite, "/a");

  EXPECT_EQ(first.body, "answer 1");
  EXPECT_EQ(second.body, "answer 2");
  EXPECT_EQ(third.body, "answer 3");
  EXPECT_THAT(first.Field("Cache-Status"), Not(HasSubstr("stored")));
}

TEST_F(ProxyTest, UnsafeRequestPassesWithItsContentAndInvalidatesWhatIsStored) {
  origin_.Serve("/a", [](const OriginRequest& request) {
    if (request.method == "POST") return Reply("took " + request.body, "");
    return Reply("alpha");
  });
  Node& node = AddNode();
  ASSERT_EQ(node.Get(kSite, "/a").body, "alpha");
  TestClient client = node.Connect();

  client.Send("POST /a HTTP/1.1\r\nHost: site.nyud.net\r\nContent-Length: 4\r\n\r\nbeta");
  EXPECT_EQ(client.Read().body, "took beta");

  EXPECT_THAT(client.Get(kSite, "/a").Field("Cache-Status"), HasSubstr("fwd=uri-miss"));
  EXPECT_EQ(origin_.RequestCount("/a"), 3u);
}

TEST_F(ProxyTest, StaleCopyIsValidatedAndServedAgain) {
  origin_.Serve("/a", [](const OriginRequest& request) {
    return StaticReply(request, "alpha", "\"v1\"", "Cache-Control: max-age=0\r\n");
  });
  Node& node = AddNode();
  ASSERT_EQ(node.Get(kSite, "/a").body, "alpha");
  ASSERT_TRUE(IsStored(node, "/a"));

  const TestResponse again = node.Get(kSite, "/a");

  EXPECT_EQ(again.body, "alpha");
  EXPECT_THAT(again.Field("Cache-Status"), HasSubstr("fwd=stale; fwd-status=304"));
  EXPECT_EQ(origin_.Requests()[1].Field("If-None-Match"), "\"v1\"");
}

TEST_F(ProxyTest, VariantsAreKeptApart) {
  origin_.Serve("/a", [](const OriginRequest& request) {
    return Reply("in " + request.Field("Accept-Language").value_or("none"),
                 "Cache-Control: max-age=3600\r\nVary: Accept-Language\r\n");
  });
  Node& node = AddNode();

  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(node.Get(kSite, "/a", "Accept-Language: de\r\n").body, "in de");
    EXPECT_EQ(node.Get(kSite, "/a", "Accept-Language: fr\r\n").body, "in fr");
    EXPECT_EQ(node.Get(kSite, "/a").body, "in none");
  }

  EXPECT_EQ(origin_.RequestCount("/a"), 3u);
}

TEST_F(ProxyTest, UnreachableOriginIsAnsweredWith502) {
  Node& node = AddNode();
  origin_.StopListening();

  const TestResponse response = node.Get(kSite, "/a");

  EXPECT_EQ(response.status, 502);
  EXPECT_THAT(response.Field("Proxy-Status"), StartsWith("reef; error="));
  EXPECT_EQ(node.proxy->stats().requests[static_cast<size_t>(Source::kError)], 1u);
}

TEST_F(ProxyTest, HeadForWhatIsNotHereFillsTheCache) {
  origin_.Serve("/a", Reply("alpha"));
  Node& node = AddNode();
  TestClient client = node.Connect();

  client.Send("HEAD /a HTTP/1.1\r\nHost: site.nyud.net\r\n\r\n");
  const TestResponse head = client.Read(/*head_only=*/true);

  EXPECT_EQ(head.Field("Content-Length"), "5");
  EXPECT_EQ(client.Get(kSite, "/a").body, "alpha");
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(ProxyTest, RedirectsToOtherSitesStayInsideTheZone) {
  OriginReply reply = Reply("", "Location: https://other.example/x\r\n");
  reply.status = 302;
  reply.reason = "Found";
  origin_.Serve("/a", reply);
  Node& node = AddNode();
  const std::string host =
      "127.0.0.1." + std::to_string(origin_.endpoint().port) + ".nyud.net:8090";

  EXPECT_EQ(node.Get(host, "/a").Field("Location"), "http://other.example.443.nyud.net:8090/x");
}

TEST_F(ProxyTest, DrainedProxyIsNamedByTheIndexNoMore) {
  origin_.Serve("/a", Reply("alpha"));
  Node& one = AddNode();
  Node& two = AddNode();
  ASSERT_EQ(one.Get(kSite, "/a").body, "alpha");

  EXPECT_TRUE(one.proxy->Drain(10s));
  one.proxy->Stop();

  EXPECT_EQ(two.Get(kSite, "/a").body, "alpha");
  EXPECT_EQ(origin_.RequestCount("/a"), 2u);
}

TEST_F(ProxyTest, AnotherOneTakesOverWhenTheProxyThatAsksTheOriginDies) {
  OriginReply reply =
      Reply(TestBytes(400'000, 1), "Cache-Control: max-age=3600\r\nETag: \"v\"\r\n");
  reply.hold_at = 200'000;
  origin_.Serve("/a", reply);
  Node& one = AddNode();
  Node& two = AddNode();
  TestClient first = one.Connect(), second = two.Connect();
  first.SendGet(kSite, "/a");
  ASSERT_EQ(first.ReadHead().status, 200);
  second.SendGet(kSite, "/a");
  const TestResponse head = second.ReadHead();
  ASSERT_EQ(head.status, 200);
  EXPECT_TRUE(second.ReadBytes(100'000) == reply.body.substr(0, 100'000));
  origin_.ServeStatic("/a", reply.body, "\"v\"");

  one.proxy->Stop();

  EXPECT_TRUE(second.ReadBytes(300'000) == reply.body.substr(100'000));
}

}  // namespace
}  // namespace reef::http
