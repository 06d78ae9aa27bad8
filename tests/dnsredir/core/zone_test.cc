// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace reef::dns {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::string ErrorOf(void (*change)(ZoneOptions&)) {
  ZoneOptions options;
  change(options);
  return std::string(FromAbsl(Zone::Make(options).status().message()));
}

const IpAddress kAddress = IpAddress::V4({192, 0, 2, 53});

TEST(Zone, RefusesWrongOptionsWithASentence) {
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) { o.name = "a..b"; }), HasSubstr("not a domain name"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) { o.name = "."; }), HasSubstr("not a domain name"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) { o.answers_max = 0; }), HasSubstr("answers_max"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) { o.answers_max = 9; }), HasSubstr("answers_max"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) { o.contact = "a..b"; }), HasSubstr("contact"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) {
                o.name_servers = {{"nyud.net", kAddress}};
              }),
              HasSubstr("cannot name a server"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) {
                o.name_servers = {{"ns-0123abcd.nyud.net", kAddress}};
              }),
              HasSubstr("reserved"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) {
                o.records = {{"www.example.com", kTxt, 1, ""}};
              }),
              HasSubstr("not in the zone"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) {
                o.records = {{"@", kA, 1, AddressRdata(kAddress)}};
              }),
              HasSubstr("are the proxies'"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) {
                o.records = {{"x.nyud.net", 5, 1, "x"}};
              }),
              HasSubstr("cannot be a static record"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) {
                o.records = {{"x.nyud.net", kTxt, 1, TxtRdata(std::string(17000, 'x'))}};
              }),
              HasSubstr("over 16 KiB"));
  EXPECT_THAT(ErrorOf([](ZoneOptions& o) {
                for (int i = 0; i < 14; ++i) {
                  o.name_servers.push_back({"n" + std::to_string(i) + ".nyud.net", kAddress});
                }
              }),
              HasSubstr("more than 13"));
}

TEST(Zone, GivesRecordsOfOneSetTheirSmallestTtlOnce) {  // RFC 2181, 5.2
  ZoneOptions options;
  options.records = {{"@", kTxt, 300, "\1a"}, {"@", kTxt, 60, "\1b"}, {"@", kTxt, 900, "\1a"}};
  const StatusOr<Zone> zone = Zone::Make(options);

  ASSERT_TRUE(zone.ok());
  ASSERT_THAT(zone->apex().sets, SizeIs(1));
  EXPECT_EQ(zone->apex().sets[0].ttl_s, 60u);
  EXPECT_THAT(zone->apex().sets[0].rdata, SizeIs(2));
}

TEST(TxtRdata, SplitsLongTextIntoStrings) {  // RFC 1035, 3.3.14
  EXPECT_EQ(TxtRdata(""), std::string("\0", 1));
  EXPECT_EQ(TxtRdata(std::string(256, 'x')), "\xff" + std::string(255, 'x') + "\1x");
}

}  // namespace
}  // namespace reef::dns
