// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/wire.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/dnsredir/support/message.h"

namespace reef::dns {
namespace {

struct Parsed {
  Malformed reason;
  Query query;
};

Parsed Parse(const QuerySpec& spec) {
  const std::string bytes = spec.Bytes();
  Parsed parsed;
  parsed.reason =
      ParseQuery({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, parsed.query);
  return parsed;
}

TEST(ParseQuery, GivesTheNameInLowerCaseWithItsLabels) {
  QuerySpec spec;
  spec.name = "WWW.Example.net";
  const Parsed parsed = Parse(spec);

  ASSERT_EQ(parsed.reason, Malformed::kNone);
  EXPECT_EQ(parsed.query.Name(), WireName("www.example.net"));
  EXPECT_EQ(parsed.query.label_count, 3u);
  EXPECT_EQ(parsed.query.label_at[0], 0);
  EXPECT_EQ(parsed.query.label_at[1], 4);
  EXPECT_EQ(parsed.query.label_at[2], 12);
  EXPECT_EQ(parsed.query.question_end, spec.Bytes().size());
  EXPECT_FALSE(parsed.query.has_edns);
}

TEST(ParseQuery, ReadsANameOf127Labels) {  // RFC 1035, 2.3.4: the most that 255 bytes hold
  QuerySpec spec;
  spec.name = "a";
  for (int i = 1; i < 127; ++i) spec.name += ".a";
  const Parsed parsed = Parse(spec);

  ASSERT_EQ(parsed.reason, Malformed::kNone);
  EXPECT_EQ(parsed.query.label_count, 127u);
  EXPECT_EQ(parsed.query.name_bytes, 255u);
}

TEST(ParseQuery, ReadsEdnsOptions) {
  QuerySpec spec;
  spec.edns = true;
  spec.payload = 4096;
  spec.dnssec_ok = true;
  spec.options = Option(3, "") + Option(10, "12345678abcdefgh") +
                 Option(8, std::string("\x00\x02\x1c\x00\x20\x01\x0d\xb0", 8));
  const Parsed parsed = Parse(spec);

  ASSERT_EQ(parsed.reason, Malformed::kNone);
  const Edns& edns = parsed.query.edns;
  EXPECT_EQ(edns.payload_bytes, 4096);
  EXPECT_TRUE(edns.dnssec_ok);
  EXPECT_TRUE(edns.nsid);
  EXPECT_EQ(std::string(edns.cookie.begin(), edns.cookie.begin() + edns.cookie_bytes),
            "12345678abcdefgh");
  ASSERT_TRUE(edns.client_subnet.has_value());
  EXPECT_EQ(*edns.client_subnet, (ClientSubnet{IpAddress::Parse("2001:db0::").value(), 28}));
}

struct SubnetCase {
  std::string name;
  std::string option;
  Malformed reason;
};
void PrintTo(const SubnetCase& c, std::ostream* out) {
  *out << c.name;
}

class ClientSubnetTable : public testing::TestWithParam<SubnetCase> {};

TEST_P(ClientSubnetTable, FollowsRfc7871Section6) {
  QuerySpec spec;
  spec.edns = true;
  spec.options = Option(8, GetParam().option);
  EXPECT_EQ(Parse(spec).reason, GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    All, ClientSubnetTable,
    testing::Values(
        SubnetCase{"WholeAddress", std::string("\0\1\x20\0\xc0\0\2\1", 8), Malformed::kNone},
        SubnetCase{"NoBits", std::string("\0\1\0\0", 4), Malformed::kNone},
        SubnetCase{"UnknownFamilyIsIgnored", std::string("\0\7\x20\0x", 5), Malformed::kNone},
        SubnetCase{"Empty", "", Malformed::kClientSubnet},
        SubnetCase{"CutAfterTheFamily", std::string("\0\1", 2), Malformed::kClientSubnet},
        SubnetCase{"TooManyBits", std::string("\0\1\x21\0\xc0\0\2\1\1", 9),
                   Malformed::kClientSubnet},
        SubnetCase{"AddressTooShort", std::string("\0\1\x18\0\xc0\0", 6), Malformed::kClientSubnet},
        SubnetCase{"AddressTooLong", std::string("\0\1\x18\0\xc0\0\2\0", 8),
                   Malformed::kClientSubnet},
        SubnetCase{"BitsBeyondThePrefix", std::string("\0\2\x1c\0\x20\1\x0d\xb8", 8),
                   Malformed::kClientSubnet},
        SubnetCase{"Scope", std::string("\0\1\0\1", 4), Malformed::kClientSubnet}),
    [](const auto& tested) { return tested.param.name; });

TEST(ParseQuery, TakesCookiesOfTheAllowedLengthsOnly) {  // RFC 7873, 5.2.2
  for (size_t size = 0; size <= 50; ++size) {
    QuerySpec spec;
    spec.edns = true;
    spec.options = Option(10, std::string(size, 'c'));
    const bool good = size == 8 || (size >= 16 && size <= 40);
    EXPECT_EQ(Parse(spec).reason, good ? Malformed::kNone : Malformed::kCookie) << size;
  }
}

TEST(ParseQuery, RefusesARecordOwnerThatPointsForward) {
  QuerySpec spec;
  spec.additional_count = 1;
  spec.trailing = std::string("\xc0\xff", 2) + U16(16) + U16(1) + std::string(4, '\0') + U16(0);
  EXPECT_EQ(Parse(spec).reason, Malformed::kRecordCut);
}

TEST(Writer, ChangesNothingPastItsLimitAndStaysFailed) {
  std::array<uint8_t, 8> buffer{};
  Writer writer(buffer.data(), 0, 5);

  writer.U32(1);
  writer.U16(0xffff);
  writer.U8(7);

  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(writer.at(), 4u);
  EXPECT_EQ(buffer[4], 0);
  writer.Rewind(4);
  writer.U8(7);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(buffer[4], 7);
}

TEST(Malformed, HasANameForEachReason) {
  for (size_t i = 1; i < kMalformedCount; ++i) {
    EXPECT_NE(MalformedName(static_cast<Malformed>(i)), "none") << i;
  }
}

}  // namespace
}  // namespace reef::dns
