// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "base/runtime/clock.h"
#include "dnsredir/core/cookie.h"
#include "tests/dnsredir/support/fake_nodes.h"
#include "tests/dnsredir/support/message.h"
#include "tests/dnsredir/support/nodes.h"
#include "tests/dnsredir/support/stub_resolver.h"

namespace reef::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

Endpoint Loopback(std::string_view address = "127.0.0.1", uint16_t port = 0) {
  return {IpAddress::Parse(address).value(), port};
}

// A server with an index that knows the proxy 192.0.2.1 (and then what a test tells it).
class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    options_.listen = {Loopback()};
    options_.zones = {ZoneOptions{}};
    options_.self = NodeAt("198.51.100.99", 0x99);
    options_.refresh_interval = std::chrono::hours(1);
    index_.SetNodes({NodeAt("192.0.2.1", 0xa1)});
  }

  void Start() {
    server_ = std::make_unique<Server>(options_, index_, metrics_);
    const Status status = server_->Start();
    ASSERT_TRUE(status.ok()) << status.ToString();
    // The view of the index is in use when its proxy is.
    ASSERT_TRUE(EventuallyAnswers("192.0.2.1"));
  }

  Endpoint endpoint(size_t i = 0) const { return server_->endpoints()[i]; }

  std::vector<std::string> Answers() {
    const std::optional<std::string> raw = UdpAsker(endpoint()).Ask(QuerySpec{}.Bytes());
    if (!raw) return {};
    return ParsedMessage::Parse(*raw).value().answers;
  }

  bool EventuallyAnswers(const std::string& address) {
    const Instant deadline = MonotonicNow() + seconds(10);
    while (MonotonicNow() < deadline) {
      const std::vector<std::string> answers = Answers();
      if (answers.size() == 1 && answers[0].ends_with(" A " + address)) return true;
    }
    return false;
  }

  Server::Options options_;
  FakeNodes index_;
  Metrics metrics_;
  std::unique_ptr<Server> server_;
};

QuerySpec Numbered(uint16_t id) {
  QuerySpec query;
  query.id = id;
  return query;
}

TEST_F(ServerTest, AnswersOverUdp) {
  Start();
  EXPECT_THAT(Answers(), ElementsAre("www.example.com.nyud.net 30 A 192.0.2.1"));
}

TEST_F(ServerTest, AnswersOverIpv6) {
  options_.listen = {Loopback(), Loopback("::1")};
  Start();
  const auto raw = UdpAsker(endpoint(1)).Ask(QuerySpec{}.Bytes());
  ASSERT_TRUE(raw.has_value());
  EXPECT_THAT(ParsedMessage::Parse(*raw).value().answers, SizeIs(1));
}

TEST_F(ServerTest, AnswersFromTheAddressThatWasAskedOnAWildcardSocket) {
  options_.listen = {Loopback("0.0.0.0"), Loopback("::")};
  Start();
  for (const Endpoint& asked :
       {Loopback("127.0.0.1", endpoint(0).port), Loopback("127.0.0.2", endpoint(0).port),
        Loopback("127.1.2.3", endpoint(0).port), Loopback("::1", endpoint(1).port)}) {
    EXPECT_TRUE(UdpAsker(asked).Ask(QuerySpec{}.Bytes()).has_value()) << asked.ToString();
  }
}

TEST_F(ServerTest, AnswersEveryQueryOfManySourcesWithSeveralWorkers) {
  options_.workers = 4;
  Start();
  for (uint16_t source = 0; source < 50; ++source) {
    UdpAsker asker(endpoint());
    for (uint16_t i = 0; i < 20; ++i) ASSERT_TRUE(asker.Send(Numbered(i).Bytes()));
    std::vector<int> ids;
    for (int i = 0; i < 20; ++i) {
      const auto raw = asker.Receive();
      ASSERT_TRUE(raw.has_value());
      ids.push_back(ParsedMessage::Parse(*raw).value().id);
    }
    std::ranges::sort(ids);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(ids[static_cast<size_t>(i)], i);
  }
}

TEST_F(ServerTest, SurvivesGarbageAndAnswersTheNext) {
  Start();
  UdpAsker asker(endpoint());
  ASSERT_TRUE(asker.Send(""));
  ASSERT_TRUE(asker.Send("x"));
  ASSERT_TRUE(asker.Send(std::string(9000, '\xff')));
  ASSERT_TRUE(asker.Send(std::string("\0\7\0\0\0\1\0\0\0\0\0\0", 12)));

  const auto formerr = asker.Receive();
  ASSERT_TRUE(formerr.has_value());
  EXPECT_EQ(ParsedMessage::Parse(*formerr).value().id, 7);
  EXPECT_EQ(ParsedMessage::Parse(*formerr).value().rcode, 1);
  EXPECT_THAT(Answers(), SizeIs(1));
}

QuerySpec WithCookie(std::string cookie) {
  QuerySpec query;
  query.edns = true;
  query.options = Option(kOptionCookie, std::move(cookie));
  return query;
}

TEST_F(ServerTest, KnowsItsCookieAgainByUdpAndTcpOfEitherFamily) {
  options_.listen = {Loopback(), Loopback("::1")};
  Start();
  for (const size_t family : {0u, 1u}) {
    UdpAsker udp(endpoint(family));
    TcpAsker tcp(endpoint(family));
    const auto given = ParsedMessage::Parse(udp.Ask(WithCookie("client-1").Bytes()).value());
    const std::string cookie = given->options.at(kOptionCookie);
    ASSERT_EQ(cookie.size(), kCookieBytes);

    EXPECT_TRUE(udp.Ask(WithCookie(cookie).Bytes()).has_value());
    tcp.Send(WithCookie(cookie).Bytes());
    EXPECT_TRUE(tcp.Receive().has_value());
  }
  EXPECT_THAT(metrics_.Exposition(),
              AllOf(HasSubstr("reef_dns_cookies_total{state=\"new\"} 2\n"),
                    HasSubstr("reef_dns_cookies_total{state=\"valid\"} 4\n"),
                    HasSubstr("reef_dns_cookies_total{state=\"invalid\"} 0\n")));
}

TEST_F(ServerTest, CookiesTellUnixTimeAndNotHowLongTheMachineRuns) {  // RFC 9018, 4.3
  Start();
  const auto given =
      ParsedMessage::Parse(UdpAsker(endpoint()).Ask(WithCookie("client-1").Bytes()).value());
  const std::string cookie = given->options.at(kOptionCookie);
  int64_t made = 0;
  for (size_t i = 12; i < 16; ++i) made = made << 8 | static_cast<uint8_t>(cookie[i]);
  EXPECT_NEAR(static_cast<double>(made), static_cast<double>(UnixSeconds(WallNow())), 60);
}

TEST_F(ServerTest, TellsAFloodByUdpToComeByTcpAndAnswersItThere) {
  options_.rate_limit = {.answers_per_second = 1, .slip = 1};
  server_ = std::make_unique<Server>(options_, index_, metrics_);
  ASSERT_TRUE(server_->Start().ok());
  UdpAsker udp(endpoint());
  bool truncated = false;
  for (int i = 0; i < 20 && !truncated; ++i) {
    truncated = ParsedMessage::Parse(udp.Ask(QuerySpec{}.Bytes()).value())->truncated;
  }
  EXPECT_TRUE(truncated);

  TcpAsker tcp(endpoint());
  tcp.Send(QuerySpec{}.Bytes());
  EXPECT_THAT(ParsedMessage::Parse(tcp.Receive().value())->answers, SizeIs(1));
}

TEST_F(ServerTest, AnswersPipelinedQueriesInOrderOverTcp) {  // RFC 7766, 6.2.1.1
  Start();
  TcpAsker tcp(endpoint());
  tcp.SendRaw(Framed(Numbered(1).Bytes()) + Framed(Numbered(2).Bytes()) +
              Framed(Numbered(3).Bytes()));

  for (int id = 1; id <= 3; ++id) {
    const auto raw = tcp.Receive();
    ASSERT_TRUE(raw.has_value());
    EXPECT_EQ(ParsedMessage::Parse(*raw).value().id, id);
  }
}

TEST_F(ServerTest, TakesATcpQueryByteByByte) {  // RFC 7766, 8
  Start();
  TcpAsker tcp(endpoint());
  for (const char c : Framed(QuerySpec{}.Bytes())) tcp.SendRaw({&c, 1});
  EXPECT_TRUE(tcp.Receive().has_value());
}

TEST_F(ServerTest, AnswersAPeerThatHasFinishedSendingThenCloses) {
  Start();
  TcpAsker tcp(endpoint());
  tcp.Send(Numbered(1).Bytes());
  tcp.Send(Numbered(2).Bytes());
  tcp.FinishSending();

  EXPECT_TRUE(tcp.Receive().has_value());
  EXPECT_TRUE(tcp.Receive().has_value());
  EXPECT_TRUE(tcp.IsClosedByServer());
}

TEST_F(ServerTest, AnswersAllToATcpPeerThatReadsLate) {
  options_.zones[0].records = {{"@", kTxt, 1, TxtRdata(std::string(4000, 'x'))}};
  Start();
  TcpAsker tcp(endpoint());
  QuerySpec query;
  query.name = "nyud.net";
  query.type = kTxt;
  // 12 MB of answers: far more than the sockets and the server buffer.
  constexpr int kQueries = 3000;
  for (int i = 0; i < kQueries; ++i) tcp.Send(query.Bytes());
  for (int i = 0; i < kQueries; ++i) ASSERT_TRUE(tcp.Receive().has_value()) << i;
}

TEST_F(ServerTest, ClosesATcpConnectionThatSendsNoQuery) {
  Start();
  TcpAsker short_message(endpoint());
  short_message.Send("x");
  EXPECT_TRUE(short_message.IsClosedByServer());
  TcpAsker response(endpoint());
  QuerySpec query;
  query.flags = 0x8000;
  response.Send(query.Bytes());
  EXPECT_TRUE(response.IsClosedByServer());
  EXPECT_THAT(metrics_.Exposition(), HasSubstr("reef_dns_tcp_closed_total{reason=\"protocol\"} 2"));
}

TEST_F(ServerTest, ClosesAnIdleTcpConnectionAlsoInMidMessage) {  // RFC 7766, 6.2.3
  options_.tcp_idle_max = milliseconds(50);
  Start();
  TcpAsker silent(endpoint());
  TcpAsker partial(endpoint());
  partial.SendRaw(std::string("\0\x20x", 3));

  EXPECT_TRUE(silent.IsClosedByServer());
  EXPECT_TRUE(partial.IsClosedByServer());
  EXPECT_THAT(metrics_.Exposition(), HasSubstr("reef_dns_tcp_closed_total{reason=\"idle\"} 2"));
}

TEST_F(ServerTest, ClosesTheLongestIdleTcpConnectionForANewOne) {
  options_.tcp_connections_max = 2;
  Start();
  TcpAsker first(endpoint());
  first.Send(QuerySpec{}.Bytes());
  ASSERT_TRUE(first.Receive().has_value());
  TcpAsker second(endpoint());
  second.Send(QuerySpec{}.Bytes());
  ASSERT_TRUE(second.Receive().has_value());
  first.Send(QuerySpec{}.Bytes());
  ASSERT_TRUE(first.Receive().has_value());

  TcpAsker third(endpoint());
  third.Send(QuerySpec{}.Bytes());

  EXPECT_TRUE(third.Receive().has_value());
  EXPECT_TRUE(second.IsClosedByServer());
  first.Send(QuerySpec{}.Bytes());
  EXPECT_TRUE(first.Receive().has_value());
  EXPECT_THAT(metrics_.Exposition(), HasSubstr("reef_dns_tcp_closed_total{reason=\"limit\"} 1"));
}

TEST_F(ServerTest, UsesANewViewAfterRefresh) {
  options_.workers = 2;
  Start();
  index_.SetNodes({NodeAt("192.0.2.7", 7)});
  server_->Refresh();
  EXPECT_TRUE(EventuallyAnswers("192.0.2.7"));

  TcpAsker tcp(endpoint());
  tcp.Send(QuerySpec{}.Bytes());
  EXPECT_THAT(ParsedMessage::Parse(tcp.Receive().value()).value().answers,
              ElementsAre("www.example.com.nyud.net 30 A 192.0.2.7"));
}

TEST_F(ServerTest, RefreshesByItself) {
  options_.refresh_interval = milliseconds(5);
  Start();
  index_.SetNodes({NodeAt("192.0.2.8", 8)});
  EXPECT_TRUE(EventuallyAnswers("192.0.2.8"));
}

TEST_F(ServerTest, AnswersWithItselfBeforeTheIndexDoes) {
  index_.Hold();
  server_ = std::make_unique<Server>(options_, index_, metrics_);
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_TRUE(EventuallyAnswers("198.51.100.99"));
}

TEST_F(ServerTest, IgnoresAnAnswerOfTheIndexAfterStop) {
  index_.Hold();
  server_ = std::make_unique<Server>(options_, index_, metrics_);
  ASSERT_TRUE(server_->Start().ok());
  server_->Stop();
  EXPECT_EQ(index_.held_count(), 1u);
  server_.reset();

  index_.AnswerHeld();

  EXPECT_EQ(index_.held_count(), 0u);
}

TEST_F(ServerTest, KeepsUdpAndOpenTcpConnectionsWhileDraining) {
  Start();
  TcpAsker open(endpoint());
  open.Send(QuerySpec{}.Bytes());
  ASSERT_TRUE(open.Receive().has_value());
  index_.SetNodes({NodeAt("192.0.2.7", 7)});

  server_->Drain();

  EXPECT_TRUE(EventuallyAnswers("192.0.2.7"));
  EXPECT_FALSE(TcpAsker(endpoint()).connected());
  open.Send(QuerySpec{}.Bytes());
  EXPECT_TRUE(open.Receive().has_value());
}

TEST_F(ServerTest, StopsTwiceAndFreesItsPort) {
  Start();
  const Endpoint was = endpoint();
  server_->Stop();
  server_->Stop();
  options_.listen = {was};
  Start();
  EXPECT_EQ(endpoint(), was);
}

TEST_F(ServerTest, SaysWhichEndpointIsTaken) {
  options_.workers = 2;
  Start();
  Server::Options same = options_;
  same.listen = {endpoint()};

  const Status status = Server(same, index_, metrics_).Start();

  EXPECT_THAT(status.ToString(), HasSubstr(endpoint().ToString()));
  EXPECT_THAT(status.ToString(), HasSubstr("in use"));
}

TEST_F(ServerTest, SaysWhatIsWrongWithAZone) {
  options_.zones.push_back(ZoneOptions{});
  EXPECT_THAT(Server(options_, index_, metrics_).Start().ToString(),
              HasSubstr("zone nyud.net: configured twice"));
}

TEST_F(ServerTest, SaysWhichOptionIsWrong) {
  const auto error_of = [this](void (*change)(Server::Options&)) {
    Server::Options options = options_;
    change(options);
    return Server(options, index_, metrics_).Start().ToString();
  };
  EXPECT_THAT(error_of([](auto& o) { o.zones.clear(); }), HasSubstr("no zone"));
  EXPECT_THAT(error_of([](auto& o) { o.listen.clear(); }), HasSubstr("no endpoint"));
  EXPECT_THAT(error_of([](auto& o) { o.workers = 0; }), HasSubstr("workers"));
  EXPECT_THAT(error_of([](auto& o) { o.workers = 1'000'000'000; }), HasSubstr("workers"));
  EXPECT_THAT(error_of([](auto& o) { o.refresh_interval = {}; }), HasSubstr("refresh_interval"));
  EXPECT_THAT(error_of([](auto& o) { o.tcp_connections_max = 0; }), HasSubstr("TCP"));
}

TEST_F(ServerTest, CountsOfAllThreadsAreInTheMetricsAlsoAfterStop) {
  Start();
  TcpAsker tcp(endpoint());
  tcp.Send(QuerySpec{}.Bytes());
  ASSERT_TRUE(tcp.Receive().has_value());
  QuerySpec outside;
  outside.name = "example.com";
  ASSERT_TRUE(UdpAsker(endpoint()).Ask(outside.Bytes()).has_value());
  server_.reset();

  const std::string exposition = metrics_.Exposition();
  EXPECT_THAT(exposition, HasSubstr("reef_dns_queries_total{transport=\"tcp\"} 1"));
  EXPECT_THAT(exposition, HasSubstr("reef_dns_answers_total{rcode=\"REFUSED\"} 1"));
  EXPECT_THAT(exposition, HasSubstr("reef_dns_proxies{state=\"live\"} 1"));
  EXPECT_THAT(exposition, HasSubstr("reef_dns_ignored_total{reason=\"short\"} 0"))
      << "stopping counts nothing";
}

}  // namespace
}  // namespace reef::dns
