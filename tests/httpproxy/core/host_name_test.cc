// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/host_name.h"

#include <gtest/gtest.h>

#include <array>
#include <ostream>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/rng.h"

namespace reef::http {

void PrintTo(const Origin& origin, std::ostream* out) {
  *out << (origin.tls ? "https " : "http ") << origin.host << ' ' << origin.port;
}
void PrintTo(HostVerdict verdict, std::ostream* out) {
  *out << HostVerdictName(verdict);
}

namespace {

constexpr std::string_view kZone = "nyud.net";
constexpr HostOptions kAddresses{.allow_addresses = true};

Origin Http(std::string host, uint16_t port = 80) {
  return {false, std::move(host), port};
}
Origin Https(std::string host) {
  return {true, std::move(host), 443};
}

struct Good {
  std::string host;
  Origin origin;
};

class CoralisedNameTest : public testing::TestWithParam<Good> {};

TEST_P(CoralisedNameTest, NamesItsOrigin) {
  Origin origin;
  ASSERT_EQ(ParseCoralised(GetParam().host, kZone, kAddresses, origin), HostVerdict::kOk)
      << GetParam().host;
  EXPECT_EQ(origin, GetParam().origin);
}

INSTANTIATE_TEST_SUITE_P(
    Names, CoralisedNameTest,
    testing::Values(Good{"example.com.nyud.net", Http("example.com")},
                    Good{"EXAMPLE.Com.NYUD.net", Http("example.com")},
                    Good{"example.com.nyud.net.", Http("example.com")},
                    Good{"example.com.nyud.net:8090", Http("example.com")},
                    Good{"example.com.nyud.net.:8090", Http("example.com")},
                    Good{"example.com.nyud.net:", Http("example.com")},
                    Good{"example.com.8080.nyud.net", Http("example.com", 8080)},
                    Good{"example.com.8080.nyud.net:8090", Http("example.com", 8080)},
                    Good{"example.com.80.nyud.net", Http("example.com")},
                    Good{"example.com.443.nyud.net", Https("example.com")},
                    Good{"example.com.65535.nyud.net", Http("example.com", 65535)},
                    Good{"example.com.1.nyud.net", Http("example.com", 1)},
                    Good{"gwc1c.olden.ch.3557.nyud.net:8090", Http("gwc1c.olden.ch", 3557)},
                    Good{"localhost.nyud.net", Http("localhost")},
                    Good{"x_y.example.nyud.net", Http("x_y.example")},
                    Good{"xn--bcher-kva.example.nyud.net", Http("xn--bcher-kva.example")},
                    Good{"1.2.example.nyud.net", Http("1.2.example")},
                    Good{"4chan.org.nyud.net", Http("4chan.org")},
                    Good{"nyud.net.example.nyud.net", Http("nyud.net.example")},
                    Good{"othernyud.net.nyud.net", Http("othernyud.net")},
                    Good{"ip6.example.nyud.net", Http("ip6.example")},
                    Good{"ip6.nyud.net", Http("ip6")}));

INSTANTIATE_TEST_SUITE_P(
    Addresses, CoralisedNameTest,
    testing::Values(Good{"127.0.0.1.nyud.net", Http("127.0.0.1")},
                    Good{"127.0.0.1.18000.nyud.net", Http("127.0.0.1", 18000)},
                    Good{"10.1.2.3.443.nyud.net", Https("10.1.2.3")},
                    Good{"1.2.3.4.5.nyud.net", Http("1.2.3.4", 5)},
                    Good{"2001-db8--1.ip6.nyud.net", Http("2001:db8::1")},
                    Good{"2001-DB8--1.IP6.nyud.net", Http("2001:db8::1")},
                    Good{"2001-db8--1.ip6.8080.nyud.net", Http("2001:db8::1", 8080)},
                    Good{"2001-db8--1.ip6.443.nyud.net", Https("2001:db8::1")},
                    Good{"2001-0db8-0-0-0-0-0-1.ip6.nyud.net", Http("2001:db8::1")},
                    Good{"0--1.ip6.nyud.net", Http("::1")}, Good{"--1.ip6.nyud.net", Http("::1")},
                    Good{"--ffff-7f00-1.ip6.nyud.net", Http("127.0.0.1")}));

struct Bad {
  std::string host;
  HostVerdict verdict;
};

class RefusedNameTest : public testing::TestWithParam<Bad> {};

TEST_P(RefusedNameTest, HasItsReason) {
  Origin origin = Http("before", 7);
  EXPECT_EQ(ParseCoralised(GetParam().host, kZone, kAddresses, origin), GetParam().verdict)
      << GetParam().host;
  EXPECT_EQ(origin, Http("before", 7));
}

using enum HostVerdict;

INSTANTIATE_TEST_SUITE_P(
    All, RefusedNameTest,
    testing::Values(
        Bad{"", kEmpty}, Bad{".", kEmpty}, Bad{":8090", kEmpty}, Bad{"example.com", kNotOurs},
        Bad{"evilnyud.net", kNotOurs}, Bad{"nyud.net.example.com", kNotOurs},
        Bad{"[::1]:8090", kNotOurs}, Bad{"127.0.0.1:8090", kNotOurs}, Bad{"nyud.net", kApex},
        Bad{"NYUD.NET.", kApex}, Bad{"nyud.net:8090", kApex}, Bad{".nyud.net", kBadName},
        Bad{"a..b.nyud.net", kBadName}, Bad{"a.nyud.net..", kNotOurs}, Bad{"a..nyud.net", kBadName},
        Bad{"a b.nyud.net", kBadName}, Bad{"a%2eb.nyud.net", kBadName},
        Bad{"a/b.nyud.net", kBadName}, Bad{"-a.example.nyud.net", kBadName},
        Bad{"a-.example.nyud.net", kBadName}, Bad{"caf\xc3\xa9.example.nyud.net", kBadName},
        Bad{"u@h.nyud.net", kBadName}, Bad{std::string(64, 'a') + ".example.nyud.net", kBadName},
        Bad{"example.com.0.nyud.net", kBadPort}, Bad{"example.com.65536.nyud.net", kBadPort},
        Bad{"example.com.080.nyud.net", kBadPort},
        Bad{"example.com.99999999999999999999.nyud.net", kBadPort}, Bad{"8080.nyud.net", kBadName},
        // Numbers that resolvers would take for addresses.
        Bad{"2130706433.80.nyud.net", kBadName}, Bad{"1.2.3.nyud.net", kBadName},
        Bad{"0x7f000001.nyud.net", kBadName}, Bad{"0x7f000001.8080.nyud.net", kBadName},
        Bad{"a.0x1.nyud.net", kBadName}, Bad{"0X.nyud.net", kBadName},
        Bad{"example.123.80.nyud.net", kBadName}, Bad{"256.0.0.1.nyud.net", kBadName},
        Bad{"127.0.0.01.nyud.net", kBadName}, Bad{"0177.0.0.1.nyud.net", kBadName},
        Bad{"1.2.3.4.5.6.nyud.net", kBadName}, Bad{"1.2.3.4.0.nyud.net", kBadPort},
        Bad{"a.1.2.3.4.nyud.net", kBadName},
        // IPv6.
        Bad{"2001-db8.ip6.nyud.net", kBadName}, Bad{"a.2001-db8--1.ip6.nyud.net", kBadName},
        Bad{"--ffff-1.2.3.4.ip6.nyud.net", kBadName}, Bad{"2001:db8::1.ip6.nyud.net", kBadName},
        Bad{"example.ip6.nyud.net", kBadName}, Bad{".ip6.nyud.net", kBadName},
        // Loops.
        Bad{"nyud.net.nyud.net", kNested}, Bad{"a.nyud.net.nyud.net", kNested},
        Bad{"a.NYUD.net.8080.nyud.net", kNested},
        Bad{"a.nyud.net.8080.nyud.net.9090.nyud.net", kNested}));

TEST(CoralisedNameTest, AddressesAreRefusedWhereNoneAreAllowed) {
  Origin origin;
  for (const std::string host :
       {"127.0.0.1.nyud.net", "127.0.0.1.18000.nyud.net", "2001-db8--1.ip6.nyud.net"}) {
    EXPECT_EQ(ParseCoralised(host, kZone, {}, origin), kAddressRefused) << host;
  }
  EXPECT_EQ(ParseCoralised("256.0.0.1.nyud.net", kZone, {}, origin), kBadName);
}

TEST(CoralisedNameTest, ANameMayBe253BytesLongAndNoLonger) {
  const std::string zone = "n.net";
  const std::string label(61, 'a');
  std::string name = label + "." + label + "." + label + "." + std::string(61, 'b');
  ASSERT_EQ(name.size() + 1 + zone.size(), 253u);
  Origin origin;
  EXPECT_EQ(ParseCoralised(name + "." + zone, zone, {}, origin), kOk);
  EXPECT_EQ(ParseCoralised("c" + name + "." + zone, zone, {}, origin), kBadName);
}

TEST(CoralisedHostTest, IsTheInverse) {
  EXPECT_EQ(CoralisedHost(Http("example.com"), kZone), "example.com.nyud.net");
  EXPECT_EQ(CoralisedHost(Http("Example.com", 8080), kZone), "example.com.8080.nyud.net");
  EXPECT_EQ(CoralisedHost(Https("example.com"), kZone), "example.com.443.nyud.net");
  EXPECT_EQ(CoralisedHost(Http("127.0.0.1", 18000), kZone), "127.0.0.1.18000.nyud.net");
  EXPECT_EQ(CoralisedHost(Http("2001:db8::1"), kZone), "2001-db8--1.ip6.nyud.net");
  EXPECT_EQ(CoralisedHost(Http("::1", 81), kZone), "0--1.ip6.81.nyud.net");
  EXPECT_EQ(CoralisedHost(Http("fe80::"), kZone), "fe80--0.ip6.nyud.net");
  EXPECT_EQ(CoralisedHost(Http("::"), kZone), "0--0.ip6.nyud.net");
  EXPECT_EQ(CoralisedHost(Http("ip6"), kZone), "ip6.nyud.net");
  EXPECT_EQ(CoralisedHost(Http("::192.0.2.1"), kZone), "0-0-0-0-0-0-c000-201.ip6.nyud.net");
}

TEST(CoralisedHostTest, SomeOriginsHaveNone) {
  for (const Origin& origin :
       {Origin{true, "example.com", 8443}, Origin{false, "example.com", 443},
        Http("example.com", 0), Http(""), Http("a..b"), Http("a.nyud.net"), Http("nyud.net"),
        Http("1.2.3"), Http("0x7f.0x1"), Http("a.ip6"), Http("a b"), Http(std::string(250, 'a'))}) {
    EXPECT_EQ(CoralisedHost(origin, kZone), std::nullopt) << origin.host;
  }
}

TEST(CoralisedHostTest, WhatItWritesReadsAsTheSameOrigin) {
  Rng rng(7);
  for (int i = 0; i < 20'000; ++i) {
    Origin origin;
    std::string host;
    const uint64_t labels = 1 + rng.Below(4);
    for (uint64_t l = 0; l < labels; ++l) {
      if (l > 0) host += '.';
      for (uint64_t c = 0; c < 1 + rng.Below(4); ++c) host += "abipx0126-_"[rng.Below(11)];
    }
    if (rng.Chance(0.2)) {
      std::array<uint8_t, 16> bytes{};
      for (auto& byte : bytes) byte = rng.Chance(0.6) ? 0 : static_cast<uint8_t>(rng.Next());
      host = IpAddress::V6(bytes).ToString();
    }
    const uint16_t ports[] = {80, 443, 8080, 1};
    origin = {rng.Chance(0.3), host, ports[rng.Below(4)]};
    const auto coralised = CoralisedHost(origin, kZone);
    if (!coralised) continue;
    Origin read;
    ASSERT_EQ(ParseCoralised(*coralised, kZone, kAddresses, read), kOk) << *coralised;
    EXPECT_EQ(read, origin) << *coralised;
  }
}

TEST(PortOfHostTest, IsWhatFollowsTheColon) {
  EXPECT_EQ(PortOfHost("a.nyud.net:8090"), "8090");
  EXPECT_EQ(PortOfHost("a.nyud.net:"), "");
  EXPECT_EQ(PortOfHost("a.nyud.net"), "");
  EXPECT_EQ(PortOfHost("[::1]:80"), "80");
  EXPECT_EQ(PortOfHost("[::1]"), "");
}

}  // namespace
}  // namespace reef::http
