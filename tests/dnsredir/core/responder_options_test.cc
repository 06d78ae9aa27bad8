// SPDX-License-Identifier: Apache-2.0
//
// EDNS options in answers, and what a responder does with queries beyond the rate.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dnsredir/core/responder.h"
#include "tests/dnsredir/support/desk.h"
#include "tests/dnsredir/support/message.h"

namespace reef::dns {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;
using testing::Pair;

const std::string kClientCookie = "\x24\x64\xc4\xab\xcf\x10\xc9\x57";

struct Desk : ResponderDesk {
  explicit Desk(ResponderOptions options = {})
      : ResponderDesk({ZoneOptions{}}, {NodeAt("192.0.2.1", 1)}, std::move(options)) {}
};

ResponderOptions Limited(uint32_t answers_per_second, uint32_t slip) {
  ResponderOptions options;
  options.nsid = "a1b2c3d4";
  options.rate_limit.answers_per_second = answers_per_second;
  options.rate_limit.slip = slip;
  return options;
}

QuerySpec WithOptions(std::string options) {
  QuerySpec query;
  query.edns = true;
  query.options = std::move(options);
  return query;
}

std::string CookieFrom(Desk& desk, Instant now = kNow) {
  return desk.Ask(WithOptions(Option(kOptionCookie, kClientCookie)), Transport::kUdp, now)
      .options.at(kOptionCookie);
}

uint64_t Cookies(const Desk& desk, CookieState state) {
  return desk.responder.stats().cookies[static_cast<size_t>(state)];
}

TEST(ResponderOptions, TellItsNameToWhoAsks) {  // RFC 5001
  Desk desk(Limited(0, 0));
  EXPECT_THAT(desk.Ask(WithOptions(Option(kOptionNsid, ""))).options,
              ElementsAre(Pair(kOptionNsid, "a1b2c3d4")));
  EXPECT_THAT(desk.Ask(WithOptions("")).options, IsEmpty());
}

TEST(ResponderOptions, TellNoNameThatItDoesNotHave) {
  Desk desk;
  EXPECT_THAT(desk.Ask(WithOptions(Option(kOptionNsid, ""))).options, IsEmpty());
}

TEST(ResponderOptions, ClientSubnetComesBackWithAScopeOfZero) {  // RFC 7871, 7.2.1
  Desk desk;
  const std::string v4("\0\1\x14\0\xc0\0\x20", 7);  // 192.0.32.0/20
  const std::string v6("\0\2\x21\0\x20\1\x0d\xb8\x80", 9);
  const std::string none("\0\1\0\0", 4);
  for (const std::string& subnet : {v4, v6, none}) {
    EXPECT_THAT(desk.Ask(WithOptions(Option(kOptionClientSubnet, subnet))).options,
                ElementsAre(Pair(kOptionClientSubnet, subnet)));
  }
}

TEST(ResponderOptions, CookieIsGivenAndThenKnown) {  // RFC 7873, 5.2.3 and 5.2.5
  Desk desk;

  const std::string cookie = CookieFrom(desk);
  EXPECT_EQ(cookie.size(), kCookieBytes);
  EXPECT_EQ(cookie.substr(0, kClientCookieBytes), kClientCookie);
  const ParsedMessage again = desk.Ask(WithOptions(Option(kOptionCookie, cookie)));

  EXPECT_EQ(again.options.at(kOptionCookie), cookie);
  EXPECT_EQ(Cookies(desk, CookieState::kNew), 1u);
  EXPECT_EQ(Cookies(desk, CookieState::kValid), 1u);
}

TEST(ResponderOptions, CookieOfTheWrongAddressIsAnsweredWithARightOne) {  // RFC 7873, 5.2.4
  Desk desk;
  const std::string cookie = CookieFrom(desk);
  desk.client = IpAddress::V4({203, 0, 113, 8});

  const ParsedMessage answer = desk.Ask(WithOptions(Option(kOptionCookie, cookie)));

  EXPECT_EQ(answer.rcode, kNoError);
  EXPECT_NE(answer.options.at(kOptionCookie), cookie);
  EXPECT_EQ(Cookies(desk, CookieState::kInvalid), 1u);
}

TEST(ResponderOptions, TheFirstOfSeveralCookiesCounts) {  // RFC 7873, 5.2
  Desk desk;
  const ParsedMessage answer =
      desk.Ask(WithOptions(Option(kOptionCookie, kClientCookie) + Option(kOptionCookie, "bad")));
  EXPECT_EQ(answer.rcode, kNoError);
  EXPECT_EQ(answer.options.at(kOptionCookie).substr(0, kClientCookieBytes), kClientCookie);
}

TEST(ResponderOptions, CookieIsRenewedAfterHalfAnHour) {  // RFC 9018, 4.3
  Desk desk;
  const std::string cookie = CookieFrom(desk);
  const QuerySpec query = WithOptions(Option(kOptionCookie, cookie));

  const auto at = [&](minutes later) {
    return desk.Ask(query, Transport::kUdp, kNow + later).options.at(kOptionCookie);
  };

  EXPECT_EQ(at(minutes(29)), cookie);
  EXPECT_NE(at(minutes(31)), cookie);
  EXPECT_EQ(Cookies(desk, CookieState::kValid), 2u);
}

TEST(ResponderOptions, AllFitBesideTheLongestQuestionInTheSmallestPayload) {
  ResponderOptions options;
  options.nsid = std::string(64, 'n');
  Desk desk(options);
  QuerySpec query = WithOptions(
      Option(kOptionNsid, "") + Option(kOptionCookie, kClientCookie) +
      Option(kOptionClientSubnet, std::string("\0\2\x80\0", 4) + std::string(16, '\x20')));
  query.payload = 512;
  query.name = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') +
               "." + std::string(52, 'd') + ".nyud.net";

  const std::string raw = desk.AskRaw(query.Bytes());

  EXPECT_LE(raw.size(), 512u);
  const ParsedMessage answer = ParsedMessage::Parse(raw).value();
  EXPECT_THAT(answer.options,
              ElementsAre(Key(kOptionNsid), Key(kOptionClientSubnet), Key(kOptionCookie)));
  EXPECT_THAT(answer.answers, testing::SizeIs(1));
}

TEST(ResponderOptions, OptionsComeWithErrorsToo) {
  Desk desk(Limited(0, 0));
  QuerySpec query = WithOptions(Option(kOptionNsid, ""));
  query.name = "example.com";
  const ParsedMessage answer = desk.Ask(query);
  EXPECT_EQ(answer.rcode, kRefused);
  EXPECT_THAT(answer.options, ElementsAre(Key(kOptionNsid)));
}

TEST(ResponderRate, BeyondItEveryOtherAnswerIsATruncatedOneAndTheRestAreSilence) {
  Desk desk(Limited(2, 2));
  const std::string query = QuerySpec{}.Bytes();
  desk.AskRaw(query);
  desk.AskRaw(query);

  EXPECT_EQ(desk.AskRaw(query), "");
  const ParsedMessage slipped = ParsedMessage::Parse(desk.AskRaw(query)).value();

  EXPECT_TRUE(slipped.truncated);
  EXPECT_FALSE(slipped.authoritative);
  EXPECT_THAT(slipped.answers, IsEmpty());
  EXPECT_EQ(slipped.question, "www.example.com.nyud.net IN A");
  EXPECT_EQ(desk.responder.stats().rate_dropped, 1u);
  EXPECT_EQ(desk.responder.stats().rate_truncated, 1u);
}

TEST(ResponderRate, BeyondItNoAnswerIsLongerThanItsQuery) {
  Desk desk(Limited(1, 1));
  desk.Ask(QuerySpec{});
  for (const std::string& options :
       {std::string(), Option(kOptionNsid, ""), Option(kOptionCookie, kClientCookie)}) {
    QuerySpec query = WithOptions(options);
    for (const uint8_t version : {uint8_t{0}, uint8_t{1}}) {
      query.version = version;
      const std::string raw = query.Bytes();
      const std::string answer = desk.AskRaw(raw);
      EXPECT_LE(answer.size(), raw.size());
      EXPECT_TRUE(ParsedMessage::Parse(answer).value().truncated);
      EXPECT_TRUE(ParsedMessage::Parse(answer).value().edns);
    }
  }
}

TEST(ResponderRate, DoesNotHoldByTcp) {
  Desk desk(Limited(1, 0));
  desk.Ask(QuerySpec{});
  EXPECT_EQ(desk.AskRaw(QuerySpec{}.Bytes()), "");
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(desk.Ask(QuerySpec{}, Transport::kTcp).answers, testing::SizeIs(1));
  }
}

TEST(ResponderRate, DoesNotHoldForWhoBringsAValidCookie) {
  Desk desk(Limited(1, 0));
  const std::string cookie = CookieFrom(desk);
  EXPECT_EQ(desk.AskRaw(QuerySpec{}.Bytes()), "");
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(desk.Ask(WithOptions(Option(kOptionCookie, cookie))).answers, testing::SizeIs(1));
  }
  EXPECT_EQ(desk.AskRaw(WithOptions(Option(kOptionCookie, kClientCookie)).Bytes()), "")
      << "a client's own cookie shows nothing";
}

TEST(ResponderRate, DoesNotTouchOtherNetworks) {
  Desk desk(Limited(1, 0));
  desk.Ask(QuerySpec{});
  EXPECT_EQ(desk.AskRaw(QuerySpec{}.Bytes()), "");
  desk.client = IpAddress::V4({203, 0, 114, 7});
  EXPECT_THAT(desk.Ask(QuerySpec{}).answers, testing::SizeIs(1));
}

}  // namespace
}  // namespace reef::dns
