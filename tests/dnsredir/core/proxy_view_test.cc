// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/proxy_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/dnsredir/support/nodes.h"

namespace reef::dns {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Instant kNow = Instant(std::chrono::hours(1));
const dsht::NodeInfo kSelf = NodeAt("198.51.100.99", 0x99);

ProxyView ViewOf(std::vector<dsht::NodeInfo> proxies, std::vector<dsht::NodeInfo> servers = {}) {
  return ProxyView(kNow, proxies, servers, kSelf);
}

std::vector<std::string> Texts(std::span<const IpAddress> addresses) {
  std::vector<std::string> texts;
  for (const IpAddress& address : addresses) texts.push_back(address.ToString());
  return texts;
}

constexpr auto kV4 = IpAddress::Family::kV4;
constexpr auto kV6 = IpAddress::Family::kV6;

TEST(ProxyView, HandsOutLiveProxiesOnly) {
  const ProxyView view =
      ViewOf({NodeAt("192.0.2.1", 1), Draining(NodeAt("192.0.2.2", 2)),
              Overloaded(NodeAt("192.0.2.3", 3)), NotHeardFor(NodeAt("192.0.2.4", 4), seconds(31)),
              NotHeardFor(NodeAt("192.0.2.5", 5), seconds(30)), NodeAt("2001:db8::1", 6)});

  EXPECT_THAT(Texts(view.Proxies(kV4)), ElementsAre("192.0.2.1", "192.0.2.5"));
  EXPECT_THAT(Texts(view.Proxies(kV6)), ElementsAre("2001:db8::1"));
  EXPECT_FALSE(view.IsGuess(kNow));
  EXPECT_EQ(view.live_proxy_count(), 3u);
  EXPECT_EQ(view.known_proxy_count(), 6u);
}

TEST(ProxyView, CountsAnAddressOnce) {
  EXPECT_THAT(ViewOf({NodeAt("192.0.2.1", 1), NodeAt("192.0.2.1", 2)}).Proxies(kV4), SizeIs(1));
}

TEST(ProxyView, SkipsNodesWithoutTheServiceOrAnAddress) {
  dsht::NodeInfo no_proxy = NodeAt("192.0.2.1", 1);
  no_proxy.http.port = 0;
  const ProxyView view = ViewOf({no_proxy, NodeAt("0.0.0.0", 2)});

  EXPECT_THAT(Texts(view.Proxies(kV4)), ElementsAre("198.51.100.99"));
  EXPECT_EQ(view.known_proxy_count(), 0u);
  EXPECT_TRUE(view.IsGuess(kNow));
}

TEST(ProxyView, GuessesAllKnownWhenNoneIsLive) {
  const ProxyView view =
      ViewOf({Draining(NodeAt("192.0.2.1", 1)), Overloaded(NodeAt("2001:db8::1", 2))});

  EXPECT_THAT(Texts(view.Proxies(kV4)), ElementsAre("192.0.2.1"));
  EXPECT_THAT(Texts(view.Proxies(kV6)), ElementsAre("2001:db8::1"));
  EXPECT_TRUE(view.IsGuess(kNow));
}

TEST(ProxyView, IsEmptyOnlyIfThisNodeRunsNoProxyEither) {
  EXPECT_FALSE(ViewOf({}).IsEmpty());
  dsht::NodeInfo self = kSelf;
  self.http.port = 0;
  EXPECT_TRUE(ProxyView(kNow, {}, {}, self).IsEmpty());
}

TEST(ProxyView, PutsLiveNameServersInTheSetAndKeepsTheOthersNames) {
  const ProxyView view =
      ViewOf({}, {NodeAt("192.0.2.2", 0xb2), NodeAt("192.0.2.1", 0xa1),
                  Draining(NodeAt("192.0.2.3", 0x03)), Overloaded(NodeAt("192.0.2.4", 0xd4))});

  ASSERT_THAT(view.NameServers(), SizeIs(3));
  EXPECT_EQ(view.NameServers()[0].Label(), "\x0bns-a1a1a1a1");
  EXPECT_EQ(view.NameServers()[1].Label(), "\x0bns-b2b2b2b2");
  EXPECT_EQ(view.NameServers()[2].Label(), "\x0bns-d4d4d4d4");
  ASSERT_NE(view.FindNameServer("\x0bns-03030303"), nullptr);
  EXPECT_EQ(view.FindNameServer("\x0bns-03030303")->address.ToString(), "192.0.2.3");
  EXPECT_EQ(view.FindNameServer("\x0bns-ffffffff"), nullptr);
}

TEST(ProxyView, KeepsNameServersThatAreAllDraining) {
  EXPECT_THAT(ViewOf({}, {Draining(NodeAt("192.0.2.2", 2))}).NameServers(), SizeIs(1));
}

TEST(ChooseProxies, TakesEachSubsetAndOrderEquallyOften) {
  Rng rng(7);
  std::map<std::vector<uint32_t>, int> seen;
  for (int i = 0; i < 12000; ++i) {
    std::array<uint32_t, kAnswersMax> chosen;
    const size_t count = ChooseProxies(4, 2, rng, chosen);
    ++seen[{chosen.begin(), chosen.begin() + static_cast<ptrdiff_t>(count)}];
  }
  EXPECT_THAT(seen, SizeIs(12));
  for (const auto& [pick, count] : seen) EXPECT_NEAR(count, 1000, 150);
}

TEST(ChooseProxies, IsDecidedByTheSeed) {
  std::array<uint32_t, kAnswersMax> a;
  std::array<uint32_t, kAnswersMax> b;
  Rng rng_a(3);
  Rng rng_b(3);
  EXPECT_EQ(ChooseProxies(1000, 8, rng_a, a), 8u);
  EXPECT_EQ(ChooseProxies(1000, 8, rng_b, b), 8u);
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace reef::dns
