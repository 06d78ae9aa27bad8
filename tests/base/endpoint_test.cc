// SPDX-License-Identifier: Apache-2.0
#include "base/endpoint.h"

#include <gtest/gtest.h>

namespace reef {
namespace {

TEST(IpAddressTest, ReadsOnlyTheStrictForms) {
  EXPECT_EQ(IpAddress::Parse("192.0.2.1")->ToString(), "192.0.2.1");
  EXPECT_EQ(IpAddress::Parse("2001:DB8::1")->ToString(), "2001:db8::1");
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "0x7f.0.0.1", "2130706433",
                          "256.1.1.1", "1.2.3.4 ", "[::1]", "fe80::1%eth0", "1.2.3.4:80"}) {
    EXPECT_EQ(IpAddress::Parse(bad), std::nullopt) << bad;
  }
}

TEST(IpAddressTest, MappedAddressIsTheIpv4Address) {
  EXPECT_EQ(IpAddress::Parse("::ffff:127.0.0.1"), IpAddress::Parse("127.0.0.1"));
}

std::pair<std::string, bool> Case(const char* address, bool is_public) {
  return {address, is_public};
}

class PublicTest : public testing::TestWithParam<std::pair<std::string, bool>> {};

TEST_P(PublicTest, IsDecidedByTheSpecialPurposeRegistries) {
  EXPECT_EQ(IpAddress::Parse(GetParam().first)->IsPublic(), GetParam().second) << GetParam().first;
}

INSTANTIATE_TEST_SUITE_P(Rfc6890, PublicTest,
                         testing::Values(Case("8.8.8.8", true), Case("2606:4700::1111", true),
                                         Case("127.9.9.9", false), Case("10.1.2.3", false),
                                         Case("172.31.255.255", false), Case("172.32.0.0", true),
                                         Case("192.168.1.1", false), Case("169.254.169.254", false),
                                         Case("100.127.0.1", false), Case("100.128.0.1", true),
                                         Case("0.0.0.0", false), Case("255.255.255.255", false),
                                         Case("224.0.0.1", false), Case("::", false),
                                         Case("::1", false), Case("::7f00:1", false),
                                         Case("fe80::1", false), Case("fd00::1", false),
                                         Case("ff02::1", false), Case("64:ff9b::7f00:1", false),
                                         Case("2002:7f00:1::", false), Case("2001:db8::1", false)));

TEST(IpAddressTest, MaskKeepsTheFirstBits) {
  EXPECT_EQ(IpAddress::Parse("192.0.2.255")->Masked(25).ToString(), "192.0.2.128");
  EXPECT_EQ(IpAddress::Parse("2001:db8:ffff::1")->Masked(33).ToString(), "2001:db8:8000::");
  EXPECT_EQ(IpAddress::Parse("1.2.3.4")->Masked(0).ToString(), "0.0.0.0");
}

TEST(EndpointTest, TextComesBackAsGiven) {
  EXPECT_EQ(Endpoint::Parse("127.0.0.1:8090")->ToString(), "127.0.0.1:8090");
  EXPECT_EQ(Endpoint::Parse("[2001:db8::1]:53")->ToString(), "[2001:db8::1]:53");
  for (const char* bad : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "2001:db8::1:53",
                          "[127.0.0.1]:1", ":80", "host:80"}) {
    EXPECT_EQ(Endpoint::Parse(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace reef
