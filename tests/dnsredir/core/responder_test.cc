// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/responder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/dnsredir/support/desk.h"
#include "tests/dnsredir/support/message.h"
#include "tests/dnsredir/support/nodes.h"

namespace reef::dns {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr std::string_view kNegativeSoa =
    "nyud.net 60 SOA ns1.nyud.net hostmaster.nyud.net 1 3600 600 604800 60";

ZoneOptions PlainZone() {
  ZoneOptions options;
  options.name_servers = {{"ns1.nyud.net", IpAddress::Parse("192.0.2.53").value()},
                          {"ns1.nyud.net", IpAddress::Parse("2001:db8::53").value()},
                          {"ns.other.example", IpAddress::Parse("192.0.2.54").value()}};
  options.records = {{"@", kTxt, 300, TxtRdata("v=spf1 -all")},
                     {"@", kCaa, 300, CaaRdata(0, "issue", "ca.example")},
                     {"_acme-challenge.nyud.net", kTxt, 60, TxtRdata("token")},
                     {"_443._tcp.site.nyud.net", kTxt, 60, TxtRdata("deep")},
                     {"site.nyud.net", kTxt, 300, TxtRdata("beside proxies")}};
  return options;
}

// One responder over one zone and one view.
struct Desk : ResponderDesk {
  explicit Desk(std::vector<ZoneOptions> zone_options = {PlainZone()},
                std::vector<dsht::NodeInfo> nodes = {NodeAt("192.0.2.1", 0xa1),
                                                     NodeAt("2001:db8::1", 0xb2)})
      : ResponderDesk(zone_options, nodes) {}
};

std::string Joined(const std::vector<std::string>& records) {
  std::string text;
  for (const std::string& record : records) text += " / " + record;
  return text;
}

// "NOERROR aa: answers | authority", the parts that are empty left out.
std::string Summary(const ParsedMessage& m) {
  const std::map<int, std::string> rcodes = {{0, "NOERROR"}, {1, "FORMERR"}, {3, "NXDOMAIN"},
                                             {4, "NOTIMP"},  {5, "REFUSED"}, {16, "BADVERS"}};
  std::string text = rcodes.at(m.rcode);
  if (m.authoritative) text += " aa";
  if (m.truncated) text += " tc";
  if (!m.answers.empty()) text += ":" + Joined(m.answers);
  if (!m.authority.empty()) text += " |" + Joined(m.authority);
  return text;
}

const std::string kNoData = "NOERROR aa | / " + std::string(kNegativeSoa);
const std::string kNoName = "NXDOMAIN aa | / " + std::string(kNegativeSoa);

struct Case {
  std::string name;
  QuerySpec query;
  std::string answer;  // Summary
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class AnswerTable : public testing::TestWithParam<Case> {};

TEST_P(AnswerTable, IsAsTheClauseSays) {
  Desk desk;

  const ParsedMessage answer = desk.Ask(GetParam().query);

  EXPECT_EQ(Summary(answer), GetParam().answer);
  EXPECT_TRUE(answer.response);
  EXPECT_EQ(answer.id, GetParam().query.id);
  EXPECT_EQ(answer.opcode, GetParam().query.flags >> 11 & 0xf);
  EXPECT_FALSE(answer.recursion_available);
  EXPECT_EQ(answer.z, 0);
}

QuerySpec For(std::string name, uint16_t type) {
  QuerySpec query;
  query.name = std::move(name);
  query.type = type;
  return query;
}

std::string Proxy4(const std::string& name) {
  return "NOERROR aa: / " + name + " 30 A 192.0.2.1";
}

INSTANTIATE_TEST_SUITE_P(
    Apex, AnswerTable,
    testing::Values(
        Case{"Rfc1035_3_3_13_Soa", For("nyud.net", 6),
             "NOERROR aa: / nyud.net 3600 SOA ns1.nyud.net hostmaster.nyud.net 1 3600 600 604800 "
             "60"},
        Case{"Rfc1035_3_3_11_Ns", For("nyud.net", 2),
             "NOERROR aa: / nyud.net 3600 NS ns1.nyud.net / nyud.net 3600 NS ns.other.example"},
        Case{"A", For("nyud.net", 1), Proxy4("nyud.net")},
        Case{"Aaaa", For("nyud.net", 28), "NOERROR aa: / nyud.net 30 AAAA 2001:db8::1"},
        Case{"Txt", For("nyud.net", 16), "NOERROR aa: / nyud.net 300 TXT \"v=spf1 -all\""},
        Case{"Rfc8659_Caa", For("nyud.net", 257),
             "NOERROR aa: / nyud.net 300 CAA 0005697373756563612e6578616d706c65"},
        Case{"Rfc2308_2_2_MxIsNoData", For("nyud.net", 15), kNoData},
        Case{"Rfc8482_4_2_AnyIsHinfo", For("nyud.net", 255),
             "NOERROR aa: / nyud.net 3600 HINFO \"RFC8482\" \"\""}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    BelowTheApex, AnswerTable,
    testing::Values(
        Case{"Host", For("www.example.com.nyud.net", 1), Proxy4("www.example.com.nyud.net")},
        Case{"HostAaaa", For("www.example.com.nyud.net", 28),
             "NOERROR aa: / www.example.com.nyud.net 30 AAAA 2001:db8::1"},
        Case{"HostAndPort", For("example.com.8080.nyud.net", 1),
             Proxy4("example.com.8080.nyud.net")},
        Case{"SingleLabelHost", For("intranet.nyud.net", 1), Proxy4("intranet.nyud.net")},
        Case{"Ipv4Literal", For("127.0.0.1.nyud.net", 1), Proxy4("127.0.0.1.nyud.net")},
        Case{"Ipv4LiteralAndPort", For("127.0.0.1.18000.nyud.net", 1),
             Proxy4("127.0.0.1.18000.nyud.net")},
        Case{"Ipv6Literal", For("2001-db8--1.ip6.nyud.net", 1), Proxy4("2001-db8--1.ip6.nyud.net")},
        Case{"Rfc4343_CaseOfTheQuestion", For("wWw.ExAmPlE.cOm.NyUd.NeT", 1),
             Proxy4("wWw.ExAmPlE.cOm.NyUd.NeT")},
        Case{"UnderscoreInsideALabel", For("my_site.example.com.nyud.net", 1),
             Proxy4("my_site.example.com.nyud.net")},
        Case{"Rfc2308_2_2_HttpsIsNoData", For("www.example.com.nyud.net", 65), kNoData},
        Case{"Rfc2308_2_2_SvcbIsNoData", For("www.example.com.nyud.net", 64), kNoData},
        Case{"Rfc2308_2_2_MxIsNoData", For("www.example.com.nyud.net", 15), kNoData},
        Case{"Rfc2308_2_2_NsBelowTheApexIsNoData", For("www.example.com.nyud.net", 2), kNoData},
        Case{"Rfc3597_UnknownTypeIsNoData", For("www.example.com.nyud.net", 65280), kNoData},
        Case{"Rfc8482_4_2_AnyIsHinfo", For("www.example.com.nyud.net", 255),
             "NOERROR aa: / www.example.com.nyud.net 3600 HINFO \"RFC8482\" \"\""},
        Case{"Rfc8020_PortAloneIsAnEmptyNonTerminal", For("8080.nyud.net", 1), kNoData},
        Case{"Rfc8482_AnyOfAnEmptyNonTerminalIsNoData", For("8080.nyud.net", 255), kNoData},
        Case{"Rfc1035_NumberThatIsNoPort", For("example.com.65536.nyud.net", 1), kNoName},
        Case{"NumberWithSixDigits", For("example.com.000080.nyud.net", 1), kNoName},
        Case{"HighestPort", For("example.com.65535.nyud.net", 1),
             Proxy4("example.com.65535.nyud.net")},
        Case{"Rfc8552_LeadingUnderscoreIsNoHost", For("_dmarc.example.com.nyud.net", 16), kNoName},
        Case{"ByteThatNoHostHas", For("a b.nyud.net", 1), kNoName},
        Case{"WildcardLabelIsNoHost", For("*.nyud.net", 1), kNoName},
        Case{"EightBitLabelIsNoHost", For("caf\xc3\xa9.nyud.net", 1), kNoName}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Records, AnswerTable,
    testing::Values(
        Case{"StaticTxt", For("_acme-challenge.nyud.net", 16),
             "NOERROR aa: / _acme-challenge.nyud.net 60 TXT \"token\""},
        Case{"StaticTxtInAnyCase", For("_ACME-Challenge.nyud.net", 16),
             "NOERROR aa: / _ACME-Challenge.nyud.net 60 TXT \"token\""},
        Case{"Rfc2308_2_2_OtherTypeOfAStaticName", For("_acme-challenge.nyud.net", 1), kNoData},
        Case{"StaticTxtBesideProxies", For("site.nyud.net", 16),
             "NOERROR aa: / site.nyud.net 300 TXT \"beside proxies\""},
        Case{"ProxiesBesideAStaticTxt", For("site.nyud.net", 1), Proxy4("site.nyud.net")},
        Case{"Rfc4592_2_2_2_EmptyNonTerminal", For("_tcp.site.nyud.net", 16), kNoData},
        Case{"Rfc8482_AnyOfAStaticName", For("_acme-challenge.nyud.net", 255),
             "NOERROR aa: / _acme-challenge.nyud.net 3600 HINFO \"RFC8482\" \"\""},
        Case{"NameServersAddress", For("ns1.nyud.net", 1),
             "NOERROR aa: / ns1.nyud.net 3600 A 192.0.2.53"},
        Case{"NameServersAaaa", For("ns1.nyud.net", 28),
             "NOERROR aa: / ns1.nyud.net 3600 AAAA 2001:db8::53"},
        Case{"NameServersTxtIsNoData", For("ns1.nyud.net", 16), kNoData},
        Case{"KnownNodesNsLabel", For("ns-a1a1a1a1.nyud.net", 1),
             "NOERROR aa: / ns-a1a1a1a1.nyud.net 3600 A 192.0.2.1"},
        Case{"KnownNodesNsLabelOtherFamily", For("ns-a1a1a1a1.nyud.net", 28), kNoData},
        Case{"KnownNodesNsLabelInAnyCase", For("NS-B2B2B2B2.nyud.net", 28),
             "NOERROR aa: / NS-B2B2B2B2.nyud.net 3600 AAAA 2001:db8::1"},
        Case{"UnknownNsLabel", For("ns-00000000.nyud.net", 1), kNoName},
        Case{"Rfc8020_NothingBelowAnNsLabel", For("www.ns-a1a1a1a1.nyud.net", 1), kNoName},
        Case{"NsLabelFurtherDownIsAHost", For("ns-a1a1a1a1.example.com.nyud.net", 1),
             Proxy4("ns-a1a1a1a1.example.com.nyud.net")},
        Case{"NotQuiteAnNsLabel", For("ns-a1a1a1g1.nyud.net", 1), Proxy4("ns-a1a1a1g1.nyud.net")}),
    [](const auto& tested) { return tested.param.name; });

QuerySpec With(QuerySpec base, void (*change)(QuerySpec&)) {
  change(base);
  return base;
}
const QuerySpec kHost;

INSTANTIATE_TEST_SUITE_P(
    Refusals, AnswerTable,
    testing::Values(
        Case{"Rfc1035_4_1_1_OutsideTheZone", For("example.com", 1), "REFUSED"},
        Case{"TheZonesParent", For("net", 1), "REFUSED"}, Case{"TheRoot", For("", 2), "REFUSED"},
        Case{"NameThatOnlyEndsInTheSameLetters", For("xnyud.net", 1), "REFUSED"},
        Case{"Rfc5936_Axfr", For("nyud.net", 252), "REFUSED"},
        Case{"Rfc1995_Ixfr", For("nyud.net", 251), "REFUSED"},
        Case{"Rfc1995_3_IxfrWithItsSoa",
             With(For("nyud.net", 251),
                  [](QuerySpec& q) {
                    q.authority_count = 1;
                    q.after_question = std::string("\xc0\x0c", 2) + U16(6) + U16(1) +
                                       std::string(4, '\0') + U16(0);
                  }),
             "REFUSED"},
        Case{"Rfc1035_3_2_4_Chaos", With(kHost, [](QuerySpec& q) { q.klass = 3; }), "REFUSED"},
        Case{"Rfc1035_6_2_ClassAnyIsNotAuthoritative",
             With(kHost, [](QuerySpec& q) { q.klass = 255; }),
             "NOERROR: / www.example.com.nyud.net 30 A 192.0.2.1"},
        Case{"Rfc1035_4_1_1_InverseQuery", With(kHost, [](QuerySpec& q) { q.flags = 0x0800; }),
             "NOTIMP"},
        Case{"Rfc1996_Notify", With(kHost, [](QuerySpec& q) { q.flags = 0x2000; }), "NOTIMP"},
        Case{"Rfc2136_Update", With(kHost, [](QuerySpec& q) { q.flags = 0x2800; }), "NOTIMP"},
        Case{"Rfc8906_3_1_4_UnknownOpcode", With(kHost, [](QuerySpec& q) { q.flags = 0x7800; }),
             "NOTIMP"},
        Case{"Rfc8906_3_1_3_FlagsOfNoMeaningHere",
             With(kHost, [](QuerySpec& q) { q.flags = 0x0670; }),
             Proxy4("www.example.com.nyud.net")}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Extensions, AnswerTable,
    testing::Values(Case{"Rfc6891_6_1_3_UnknownVersion",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.version = 1;
                              }),
                         "BADVERS"},
                    Case{"Rfc6891_6_1_3_UnknownVersionWithStrangeOptions",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.version = 200;
                                q.options = "?";
                              }),
                         "BADVERS"},
                    Case{"Rfc6891_6_1_2_UnknownOption",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.options = Option(65001, "whatever");
                              }),
                         Proxy4("www.example.com.nyud.net")},
                    Case{"Rfc6891_6_2_3_PayloadBelow512",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.payload = 0;
                              }),
                         Proxy4("www.example.com.nyud.net")},
                    Case{"Rfc7871_ClientSubnet",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.options =
                                    Option(8, std::string("\x00\x01\x18\x00\xc0\x00\x02", 7));
                              }),
                         Proxy4("www.example.com.nyud.net")},
                    Case{"Rfc6891_6_1_1_OtherAdditionalRecord",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.additional_count = 2;
                                q.after_question = std::string("\x01x\x00", 3) + U16(16) + U16(1) +
                                                   std::string(4, '\0') + U16(2) + "\x01y";
                              }),
                         Proxy4("www.example.com.nyud.net")}),
    [](const auto& tested) { return tested.param.name; });

const std::string kOptRecord = std::string("\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);

INSTANTIATE_TEST_SUITE_P(
    Malformed, AnswerTable,
    testing::Values(Case{"Rfc9619_NoQuestion",
                         With(kHost, [](QuerySpec& q) { q.question_count = 0; }), "FORMERR"},
                    Case{"Rfc9619_TwoQuestions",
                         With(kHost, [](QuerySpec& q) { q.question_count = 2; }), "FORMERR"},
                    Case{"AnswerRecordCounted",
                         With(kHost, [](QuerySpec& q) { q.answer_count = 1; }), "FORMERR"},
                    Case{"AuthorityRecordCounted",
                         With(kHost, [](QuerySpec& q) { q.authority_count = 1; }), "FORMERR"},
                    Case{"AdditionalRecordCountedButAbsent",
                         With(kHost, [](QuerySpec& q) { q.additional_count = 1; }), "FORMERR"},
                    Case{"ForgedCount",
                         With(kHost, [](QuerySpec& q) { q.additional_count = 65535; }), "FORMERR"},
                    Case{"TrailingBytes", With(kHost, [](QuerySpec& q) { q.trailing = "x"; }),
                         "FORMERR"},
                    Case{"Rfc6891_6_1_1_TwoOpts",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.additional_count = 2;
                                q.trailing = kOptRecord;
                              }),
                         "FORMERR"},
                    Case{"Rfc6891_6_1_2_OptNotAtTheRoot",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.additional_count = 1;
                                q.trailing = "\xc0\x0c" + kOptRecord.substr(1);
                              }),
                         "FORMERR"},
                    Case{"OptionLongerThanTheRecord",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.options = U16(65001) + U16(2) + "x";
                              }),
                         "FORMERR"},
                    Case{"Rfc7873_5_2_2_CookieOfNineBytes",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.options = Option(10, "123456789");
                              }),
                         "FORMERR"},
                    Case{"Rfc7871_7_1_1_SubnetWithBitsBeyondItsPrefix",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.options =
                                    Option(8, std::string("\x00\x01\x17\x00\xc0\x00\x01", 7));
                              }),
                         "FORMERR"},
                    Case{"Rfc7871_7_1_1_SubnetScopeInAQuery",
                         With(kHost,
                              [](QuerySpec& q) {
                                q.edns = true;
                                q.options =
                                    Option(8, std::string("\x00\x01\x18\x18\xc0\x00\x02", 7));
                              }),
                         "FORMERR"},
                    Case{"QuestionForOpt", For("nyud.net", 41), "FORMERR"},
                    Case{"QuestionForTsig", For("nyud.net", 250), "FORMERR"}),
    [](const auto& tested) { return tested.param.name; });

TEST(Responder, IsSilentToWhatIsNoQuery) {  // RFC 1035, 4.1.1: QR
  Desk desk;
  QuerySpec response;
  response.flags = 0x8000;

  EXPECT_EQ(desk.AskRaw(response.Bytes()), "");
  EXPECT_EQ(desk.AskRaw(std::string(11, '\0')), "");
  EXPECT_EQ(desk.AskRaw(""), "");
  EXPECT_EQ(desk.responder.stats().responses, 1u);
  EXPECT_EQ(desk.responder.stats().short_messages, 2u);
}

TEST(Responder, RefusesPointersAndReservedLabelTypesInTheQuestion) {  // RFC 1035, 4.1.4
  const std::string header = QuerySpec{}.Bytes().substr(0, 12);
  const std::string rest = U16(1) + U16(1);
  for (const std::string& name :
       {std::string("\xc0\x0c", 2), std::string("\xc0\x00", 2), std::string("\x01x\xc0\x0c", 4),
        std::string("\x40", 1), std::string("\x80x", 2), std::string("\x05x", 2)}) {
    Desk desk;
    const auto answer = ParsedMessage::Parse(desk.AskRaw(header + name + rest));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(Summary(*answer), "FORMERR");
    EXPECT_EQ(desk.responder.stats().malformed[static_cast<size_t>(Malformed::kName)], 1u);
  }
}

// A name below the zone of `bytes` wire bytes in all.
std::string NameOfBytes(size_t bytes) {
  std::string name;
  for (size_t left = bytes - WireName("nyud.net").size(); left > 0;) {
    size_t label = std::min<size_t>(left - 1, 63);
    if (left - 1 - label == 1) --label;  // a label needs two bytes
    name += std::string(label, 'x') + ".";
    left -= label + 1;
  }
  return name + "nyud.net";
}

TEST(Responder, AnswersTheLongestNameAndRefusesALongerOne) {  // RFC 1035, 2.3.4
  Desk desk;
  QuerySpec query;
  query.edns = true;
  query.payload = 512;

  query.name = NameOfBytes(255);
  EXPECT_EQ(Summary(desk.Ask(query)), Proxy4(query.name));
  query.name = NameOfBytes(256);
  EXPECT_EQ(Summary(desk.Ask(query)), "FORMERR");
  query.name = std::string(64, 'x') + ".nyud.net";
  EXPECT_EQ(Summary(desk.Ask(query)), "FORMERR");
}

TEST(Responder, AnswersEveryTruncationOfAQueryWithFormerrOrSilence) {
  Desk desk;
  QuerySpec query;
  query.edns = true;
  query.options = Option(10, "12345678") + Option(3, "");
  const std::string whole = query.Bytes();

  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string answer = desk.AskRaw(whole.substr(0, size));
    if (size < 12) {
      EXPECT_EQ(answer, "") << size;
    } else {
      EXPECT_EQ(ParsedMessage::Parse(answer).value().rcode, 1) << size;
    }
  }
}

TEST(Responder, CopiesTheQuestionByteForByte) {  // RFC 4343, 4.1; 0x20
  Desk desk;
  QuerySpec query;
  query.name = "WwW.eXample.COM.nYud.neT";
  const std::string raw = query.Bytes();

  const std::string answer = desk.AskRaw(raw);

  EXPECT_EQ(answer.substr(12, raw.size() - 12), raw.substr(12));
}

TEST(Responder, CopiesRdAndLeavesRaClear) {  // RFC 1035, 4.1.1
  Desk desk;
  QuerySpec query;
  EXPECT_FALSE(desk.Ask(query).recursion_desired);
  query.flags = 0x0100;
  EXPECT_TRUE(desk.Ask(query).recursion_desired);
  EXPECT_FALSE(desk.Ask(query).recursion_available);
}

TEST(Responder, AddsOptExactlyWhenAsked) {  // RFC 6891, 6.1.1 and 7; RFC 3225, 3
  Desk desk;
  QuerySpec query;
  EXPECT_FALSE(desk.Ask(query).edns);
  query.edns = true;
  EXPECT_TRUE(desk.Ask(query).edns);
  EXPECT_EQ(desk.Ask(query).payload, 1232);
  EXPECT_FALSE(desk.Ask(query).dnssec_ok);
  query.dnssec_ok = true;
  EXPECT_TRUE(desk.Ask(query).dnssec_ok);
  query.name = "example.com";
  EXPECT_TRUE(desk.Ask(query).edns) << "also with REFUSED";
}

TEST(Responder, GivesTheApexNsSetWithGlue) {  // RFC 1034, 4.2.1
  Desk desk;

  const ParsedMessage answer = desk.Ask(For("nyud.net", kNs));

  EXPECT_THAT(answer.additional,
              ElementsAre("ns1.nyud.net 3600 A 192.0.2.53", "ns1.nyud.net 3600 AAAA 2001:db8::53"));
}

TEST(Responder, MakesTheNsSetOfLiveNameServersWhenNoneIsConfigured) {
  Desk desk({ZoneOptions{}}, {NodeAt("192.0.2.1", 0xa1), NodeAt("2001:db8::1", 0xb2),
                              Draining(NodeAt("192.0.2.3", 0xc3))});

  const ParsedMessage answer = desk.Ask(For("nyud.net", kNs));

  EXPECT_THAT(answer.answers, UnorderedElementsAre("nyud.net 3600 NS ns-a1a1a1a1.nyud.net",
                                                   "nyud.net 3600 NS ns-b2b2b2b2.nyud.net"));
  EXPECT_THAT(answer.additional,
              UnorderedElementsAre("ns-a1a1a1a1.nyud.net 3600 A 192.0.2.1",
                                   "ns-b2b2b2b2.nyud.net 3600 AAAA 2001:db8::1"));
  EXPECT_THAT(desk.Ask(For("nyud.net", kSoa)).answers[0],
              testing::StartsWith("nyud.net 3600 SOA ns-a1a1a1a1.nyud.net hostmaster.nyud.net"));
  EXPECT_THAT(desk.Ask(For("ns-c3c3c3c3.nyud.net", kA)).answers, SizeIs(1))
      << "a draining server's name still has its address";
}

TEST(Responder, NamesThisNodeAsServerAndProxyWhenTheIndexKnowsNone) {
  Desk desk({ZoneOptions{}}, {});

  EXPECT_THAT(desk.Ask(For("nyud.net", kNs)).answers,
              ElementsAre("nyud.net 3600 NS ns-99999999.nyud.net"));
  EXPECT_THAT(desk.Ask(kHost).answers, ElementsAre("www.example.com.nyud.net 5 A 198.51.100.99"));
  EXPECT_EQ(desk.responder.stats().guesses, 1u);
}

std::vector<dsht::NodeInfo> ManyNodes(int count) {
  std::vector<dsht::NodeInfo> nodes;
  for (int i = 1; i <= count; ++i) {
    nodes.push_back(NodeAt("192.0.2." + std::to_string(i), static_cast<uint8_t>(i)));
  }
  return nodes;
}

TEST(Responder, LeavesGlueOutRatherThanTruncate) {  // RFC 2181, 9
  ZoneOptions zone;
  for (char c = 'a'; c < 'a' + 13; ++c) {
    zone.name_servers.push_back(
        {std::string(12, c) + ".nyud.net", IpAddress::Parse("2001:db8::1").value()});
  }
  Desk desk({zone});
  QuerySpec query = For("nyud.net", kNs);

  const ParsedMessage small = desk.Ask(query);
  query.edns = true;
  const ParsedMessage large = desk.Ask(query);

  EXPECT_THAT(small.answers, SizeIs(13));
  EXPECT_LT(small.additional.size(), 13u);
  EXPECT_FALSE(small.truncated);
  EXPECT_THAT(large.additional, SizeIs(13));
}

TEST(Responder, GivesEightOfManyNameServersAndAllInTime) {
  Desk desk({ZoneOptions{}}, ManyNodes(20));
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const ParsedMessage answer = desk.Ask(For("nyud.net", kNs));
    EXPECT_THAT(answer.answers, SizeIs(8));
    EXPECT_THAT(answer.additional, SizeIs(8));
    seen.insert(answer.answers.begin(), answer.answers.end());
  }
  EXPECT_THAT(seen, SizeIs(20));
}

TEST(Responder, TruncatesOverUdpAndAnswersWholeOverTcp) {  // RFC 2181, 9; RFC 7766, 5
  ZoneOptions zone;
  for (int i = 0; i < 8; ++i) {
    zone.records.push_back(
        {"@", kTxt, 300, TxtRdata(std::string(150, static_cast<char>('a' + i)))});
  }
  Desk desk({zone});
  QuerySpec query = For("nyud.net", kTxt);

  const ParsedMessage udp = desk.Ask(query);
  query.edns = true;
  query.payload = 4096;
  const ParsedMessage edns = desk.Ask(query);
  const ParsedMessage tcp = desk.Ask(query, Transport::kTcp);

  EXPECT_TRUE(udp.truncated);
  EXPECT_THAT(udp.answers, IsEmpty());
  EXPECT_EQ(udp.question, "nyud.net IN TXT");
  EXPECT_TRUE(edns.truncated) << "our own limit is 1232 whatever is offered";
  EXPECT_TRUE(edns.edns);
  EXPECT_FALSE(tcp.truncated);
  EXPECT_THAT(tcp.answers, SizeIs(8));
  EXPECT_EQ(desk.responder.stats().truncated, 2u);
}

TEST(Responder, NeverExceedsThePayloadAsked) {  // RFC 6891, 6.2.3
  ZoneOptions zone;
  zone.records.push_back({"@", kTxt, 300, TxtRdata(std::string(700, 'x'))});
  Desk desk({zone});
  QuerySpec query = For("nyud.net", kTxt);
  query.edns = true;
  bool fitted = false;
  for (uint16_t payload = 500; payload < 1300; ++payload) {
    query.payload = payload;
    const std::string answer = desk.AskRaw(query.Bytes());
    ASSERT_LE(answer.size(), std::max<size_t>(payload, 512));
    fitted |= !ParsedMessage::Parse(answer).value().truncated;
  }
  EXPECT_TRUE(fitted);
}

std::set<std::string> AddressesSeen(Desk& desk, int questions, size_t each) {
  std::set<std::string> seen;
  for (int i = 0; i < questions; ++i) {
    const ParsedMessage answer = desk.Ask(kHost);
    const std::set<std::string> here(answer.answers.begin(), answer.answers.end());
    EXPECT_EQ(here.size(), each) << "different proxies in one answer";
    seen.insert(here.begin(), here.end());
  }
  return seen;
}

TEST(Responder, GivesThreeDifferentProxiesAndSpreadsOverAll) {
  Desk desk({ZoneOptions{}}, ManyNodes(20));
  EXPECT_EQ(AddressesSeen(desk, 200, 3).size(), 20u);
}

TEST(Responder, GivesFewerWhenFewerAreLive) {
  Desk desk({ZoneOptions{}}, ManyNodes(2));
  EXPECT_EQ(AddressesSeen(desk, 10, 2).size(), 2u);
}

TEST(Responder, PutsEachProxyFirstAboutEquallyOften) {
  Desk desk({ZoneOptions{}}, ManyNodes(3));
  std::map<std::string, int> first;
  for (int i = 0; i < 3000; ++i) ++first[desk.Ask(kHost).answers[0]];
  EXPECT_THAT(first, SizeIs(3));
  for (const auto& [address, count] : first) EXPECT_NEAR(count, 1000, 150) << address;
}

TEST(Responder, GivesNoDataForAFamilyWithoutALiveProxy) {
  Desk desk({PlainZone()}, {NodeAt("192.0.2.1", 1), Draining(NodeAt("2001:db8::1", 2))});
  QuerySpec query;
  query.type = kAaaa;
  EXPECT_EQ(Summary(desk.Ask(query)), kNoData);
}

TEST(Responder, GivesAllKnownWithAShortTtlWhenNoneIsHealthy) {
  Desk desk({ZoneOptions{}}, {Draining(NodeAt("192.0.2.1", 1)), Overloaded(NodeAt("192.0.2.2", 2)),
                              NotHeardFor(NodeAt("192.0.2.3", 3), seconds(31))});

  const ParsedMessage answer = desk.Ask(kHost);

  EXPECT_THAT(answer.answers, UnorderedElementsAre("www.example.com.nyud.net 5 A 192.0.2.1",
                                                   "www.example.com.nyud.net 5 A 192.0.2.2",
                                                   "www.example.com.nyud.net 5 A 192.0.2.3"));
  EXPECT_EQ(answer.rcode, 0);
  EXPECT_EQ(desk.responder.stats().guesses, 1u);
}

TEST(Responder, TrustsAViewForHalfAMinute) {
  Desk desk;
  EXPECT_EQ(desk.Ask(kHost, Transport::kUdp, kNow + seconds(30)).answers[0],
            "www.example.com.nyud.net 30 A 192.0.2.1");
  EXPECT_EQ(desk.Ask(kHost, Transport::kUdp, kNow + seconds(31)).answers[0],
            "www.example.com.nyud.net 5 A 192.0.2.1");
}

TEST(Responder, AnswersFromTheInnermostOfItsZones) {
  ZoneOptions outer;
  outer.name = "net";
  ZoneOptions inner;
  inner.name = "nyud.net";
  inner.records = {{"@", kTxt, 1, TxtRdata("inner")}};
  Desk desk({outer, inner});

  EXPECT_THAT(desk.Ask(For("nyud.net", kTxt)).answers, SizeIs(1));
  EXPECT_THAT(desk.Ask(For("other.net", kTxt)).authority[0], testing::StartsWith("net 60 SOA"));
}

TEST(Responder, CountsByTransportTypeRcodeAndReason) {
  Desk desk;
  desk.Ask(kHost);
  desk.Ask(For("x.nyud.net", kHttps), Transport::kTcp);
  desk.Ask(For("_x.nyud.net", kTxt));
  desk.Ask(With(kHost, [](QuerySpec& q) { q.trailing = "x"; }));

  Stats expected;
  expected.queries = {3, 1};
  expected.answers[static_cast<size_t>(RcodeRow::kNoError)] = 2;
  expected.answers[static_cast<size_t>(RcodeRow::kNxDomain)] = 1;
  expected.answers[static_cast<size_t>(RcodeRow::kFormErr)] = 1;
  expected.types[static_cast<size_t>(TypeRow::kA)] = 1;
  expected.types[static_cast<size_t>(TypeRow::kHttps)] = 1;
  expected.types[static_cast<size_t>(TypeRow::kTxt)] = 1;
  expected.malformed[static_cast<size_t>(Malformed::kTrailing)] = 1;
  expected.no_data = 1;
  EXPECT_EQ(desk.responder.stats(), expected);
}

}  // namespace
}  // namespace reef::dns
