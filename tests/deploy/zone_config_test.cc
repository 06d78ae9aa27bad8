// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/zone_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/runtime/yaml_message.h"
#include "deploy/node/config.h"

namespace reef::deploy {
namespace {

config::Config Read(std::string_view yaml) {
  config::Config config;
  const Status read = ReadYaml(yaml, "test", nullptr, &config);
  EXPECT_TRUE(read.ok()) << read;
  FillDefaults({}, &config);
  return config;
}

TEST(ZoneConfig, RecordsBecomeThoseOfTheZoneInTheOrderOfTheirNames) {
  const dns::ZoneOptions zone = ZoneOptionsOf(
      Read("zone: nyud.net\n"
           "dns:\n"
           "  records:\n"
           "    NYUD.net: {txt: [a, b], caa: 0 issue \"ca.example\"}\n"
           "    _acme-challenge.nyud.net: token\n"
           "    status.nyud.net: {addresses: [192.0.2.9, \"2001:db8::9\"], ttl: 1h}\n"));

  std::vector<std::string> seen;
  for (const dns::StaticRecord& record : zone.records) {
    seen.push_back(record.name + " " + std::to_string(record.ttl_s) + " " +
                   std::to_string(record.type));
  }
  EXPECT_THAT(seen, testing::ElementsAre("_acme-challenge.nyud.net 300 16", "nyud.net 300 16",
                                         "nyud.net 300 16", "nyud.net 300 257",
                                         "status.nyud.net 3600 1", "status.nyud.net 3600 28"));
  EXPECT_EQ(zone.records[0].rdata, "\5token");
  EXPECT_TRUE(dns::Zone::Make(zone).ok());
}

TEST(ZoneConfig, NameServersKeepTheirAddresses) {
  const dns::ZoneOptions zone =
      ZoneOptionsOf(Read("ns: {ns2.nyud.net: 192.0.2.2, ns1.nyud.net: [192.0.2.1, 192.0.2.3]}"));

  ASSERT_EQ(zone.name_servers.size(), 3u);
  EXPECT_EQ(zone.name_servers[0].name, "ns1.nyud.net");
  EXPECT_EQ(zone.name_servers[2].address, IpAddress::V4({192, 0, 2, 2}));
}

TEST(CaaRdataOf, ReadsTheFormOfAZoneFile) {  // RFC 8659, 4.1.1
  const std::string issue("\0\5issueca.example", 17);
  EXPECT_EQ(CaaRdataOf("0 issue ca.example"), issue);
  EXPECT_EQ(CaaRdataOf("0 issue \"ca.example\""), issue);
  EXPECT_EQ(CaaRdataOf("128 issue \";\""), std::string("\x80\5issue;"));
}

TEST(CaaRdataOf, RefusesWhatIsNoCaa) {
  for (const std::string_view text : {"", "0", "0 issue", "issue ca.example x", "256 issue x",
                                      "-1 issue x", "0 is-sue x", "0  x"}) {
    EXPECT_EQ(CaaRdataOf(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace reef::deploy
