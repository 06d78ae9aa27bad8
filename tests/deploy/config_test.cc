// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/runtime/yaml_message.h"

namespace reef::deploy {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;
const Machine kMachine = {.cpus = 4, .state_dir = "/var/lib/reef"};

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string name = testing::TempDir() + "config-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  StatusOr<config::Config> Read(std::string_view text) const {
    std::ofstream(folder_ + "/reef.yaml") << text;
    return ReadConfig(folder_ + "/reef.yaml");
  }
  // The error without the folder's name.
  std::string Error(std::string_view text) const {
    const std::string all = Read(text).status().ToString();
    const size_t at = all.find("reef.yaml:");
    return at == std::string::npos ? all : all.substr(at);
  }

  std::string folder_;
};

TEST_F(ConfigTest, EmptyFileGetsTheDefaultsOfTheDocumentation) {
  auto config = Read("");
  ASSERT_TRUE(config.ok()) << config.status();

  FillDefaults(kMachine, &*config);

  EXPECT_EQ(WriteYaml(*config),
            "zone: nyud.net\n"
            "listen: 0.0.0.0\n"
            "ports:\n"
            "  http: 80\n"
            "  dns: 53\n"
            "  dsht: 8400\n"
            "  admin: 8401\n"
            "state_dir: /var/lib/reef\n"
            "join: []\n"
            "loops: 4\n"
            "memory_bytes: 256MiB\n"
            "disk_bytes: 10GiB\n"
            "origins: {}\n"
            "allow_private: false\n"
            "allow_addresses: false\n"
            "ns: {}\n"
            "log:\n"
            "  level: info\n"
            "  file: \"\"\n"
            "access_log:\n"
            "  file: \"\"\n"
            "  format: combined\n"
            "resolvers: []\n"
            "drain: 5s\n"
            "admin:\n"
            "  listen: 127.0.0.1\n"
            "  hosts: []\n"
            "dns:\n"
            "  answers_per_second: 1000\n"
            "  slip: 2\n"
            "  records: {}\n"
            "index:\n"
            "  diameters:\n"
            "    - 60ms\n"
            "    - 20ms\n"
            "  bits_per_hop: 1\n"
            "  values_per_key: 4\n"
            "  leak_per_minute: 12\n"
            "  window: 3\n"
            "  timeout_min: 150ms\n"
            "  timeout_max: 1500ms\n");
  EXPECT_TRUE(CheckWhole(*config).ok());
}

TEST_F(ConfigTest, WhatIsSaidStands) {
  auto config = Read(
      "zone: Reef.Example\nlisten: 127.0.0.2\nports: {http: 8090, dns: 8053, dsht: 8400, admin: "
      "8401}\n"
      "state_dir: /tmp/x\njoin: [127.0.0.1:8400]\nloops: 2\nmemory_bytes: 64MiB\ndisk_bytes: 0\n"
      "origins:\n  WWW.Example.org: 127.0.0.1:8088\nallow_private: true\n"
      "ns: {ns1.reef.example: [192.0.2.1, \"2001:db8::1\"]}\nlog: {level: debug}\ndrain: 1s\n");
  ASSERT_TRUE(config.ok()) << config.status();

  FillDefaults(kMachine, &*config);

  EXPECT_EQ(config->zone(), "reef.example");
  EXPECT_EQ(config->listen(), "127.0.0.2");
  EXPECT_EQ(config->ports().http(), 8090u);
  EXPECT_EQ(config->state_dir(), "/tmp/x");
  EXPECT_EQ(config->loops(), 2u);
  EXPECT_EQ(config->memory_bytes(), 64 * kMiB);
  EXPECT_EQ(config->disk_bytes(), 0u);
  EXPECT_EQ(config->origins().at("www.example.org").address(), "127.0.0.1:8088");
  EXPECT_EQ(config->ns().at("ns1.reef.example").addresses_size(), 2);
  EXPECT_EQ(config->log().level(), config::LOG_LEVEL_DEBUG);
  EXPECT_EQ(config->drain().seconds(), 1);
}

TEST_F(ConfigTest, AddressLiteralsAreNamesWherePrivateOriginsAreAllowedUnlessSaidOtherwise) {
  auto with = Read("allow_private: true");
  auto without = Read("{allow_private: true, allow_addresses: false}");

  FillDefaults(kMachine, &*with);
  FillDefaults(kMachine, &*without);

  EXPECT_TRUE(with->allow_addresses());
  EXPECT_FALSE(without->allow_addresses());
}

TEST_F(ConfigTest, ShownConfigurationReadsBack) {
  auto config =
      Read("origins: {a.example: 127.0.0.1:80}\nns: {n.example: [192.0.2.1, 192.0.2.2]}\n");
  FillDefaults(kMachine, &*config);

  const auto again = Read(WriteYaml(*config));

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(WriteYaml(*again), WriteYaml(*config));
}

TEST_F(ConfigTest, AdminListensWhereTheNodeDoesButNeverEverywhereByDefault) {
  const auto admin_of = [&](std::string_view text) {
    auto config = Read(text);
    FillDefaults(kMachine, &*config);
    return config->admin().listen();
  };

  EXPECT_EQ(admin_of("listen: 127.0.0.2"), "127.0.0.2");
  EXPECT_EQ(admin_of("listen: 0.0.0.0"), "127.0.0.1");
  EXPECT_EQ(admin_of("listen: \"::\""), "::1");
  EXPECT_EQ(admin_of("{listen: 0.0.0.0, admin: {listen: 0.0.0.0}}"), "0.0.0.0");
}

struct Case {
  std::string name;
  std::string yaml;
  std::string expected;
};
void PrintTo(const Case& value, std::ostream* out) {
  *out << value.yaml;
}

class MistakeTest : public ConfigTest, public testing::WithParamInterface<Case> {};

TEST_P(MistakeTest, IsNamed) {
  EXPECT_EQ(Error(GetParam().yaml), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Config, MistakeTest,
    testing::Values(
        Case{"Zone", "zone: nyud..net",
             "reef.yaml:1: zone: \"nyud..net\": expected a domain name, such as www.example.org"},
        Case{
            "Listen", "listen: 127.0.0.1:80",
            "reef.yaml:1: listen: \"127.0.0.1:80\": expected an IP address without a port, such as "
            "192.0.2.7 or 2001:db8::7"},
        Case{"PortZero", "ports: {http: 0}",
             "reef.yaml:1: ports.http: \"0\": expected a port, 1 to 65535"},
        Case{"PortTooLarge", "ports: {dns: 65536}",
             "reef.yaml:1: ports.dns: \"65536\": expected a port, 1 to 65535"},
        Case{"Loops", "loops: 0", "reef.yaml:1: loops: \"0\": expected at least 1"},
        Case{"Join", "join: [ok.example, \"a b\"]",
             "reef.yaml:1: join[1]: \"a b\": expected HOST or HOST:PORT, such as "
             "reef.example.org:8400"},
        Case{"JoinPort", "join: host:0",
             "reef.yaml:1: join: \"host:0\": expected HOST or HOST:PORT, such as "
             "reef.example.org:8400"},
        Case{"OriginWithoutPort", "origins: {a.example: 127.0.0.1}",
             "reef.yaml:1: origins.a.example: \"127.0.0.1\": expected ADDRESS:PORT, such as "
             "192.0.2.7:8080 or \"[2001:db8::7]:8080\""},
        Case{"OriginName", "origins: {\"a b\": 127.0.0.1:80}",
             "reef.yaml:1: origins.a b: \"a b\": expected a domain name, such as www.example.org"},
        Case{"NameServer", "ns: {ns.example: here}",
             "reef.yaml:1: ns.ns.example: \"here\": expected an IP address without a port, such as "
             "192.0.2.7 or 2001:db8::7"},
        Case{"RelativePath", "state_dir: state",
             "reef.yaml:1: state_dir: \"state\": expected an absolute path, such as /var/lib/reef"},
        Case{"Level", "log: {level: trace}",
             "reef.yaml:1: log.level: \"trace\": expected one of debug, error, info, warning"},
        Case{"RecordAddress", "dns: {records: {a.nyud.net: {addresses: here}}}",
             "reef.yaml:1: dns.records.a.nyud.net.addresses: \"here\": expected an IP address "
             "without a port, such as 192.0.2.7 or 2001:db8::7"},
        Case{"Caa", "dns: {records: {nyud.net: {caa: [issue ca.example]}}}",
             "reef.yaml:1: dns.records.nyud.net.caa[0]: \"issue ca.example\": expected FLAGS TAG "
             "VALUE, such as 0 issue ca.example"},
        Case{"UnknownKey", "port: {http: 80}",
             "reef.yaml:1: port: unknown key; did you mean \"ports\"?"}),
    [](const testing::TestParamInfo<Case>& each) { return each.param.name; });

TEST_F(ConfigTest, TwoServicesOnOnePortAreRefused) {
  auto config = Read("ports: {http: 8400}");
  FillDefaults(kMachine, &*config);

  EXPECT_EQ(CheckWhole(*config),
            InvalidArgument("ports.dsht and ports.http are both 8400: expected a port for each"));
}

TEST_F(ConfigTest, NamesWithoutAddressesAreRefused) {
  for (const std::string_view text : {"ns: {a.example: []}", "origins: {a.example: {}}"}) {
    auto config = Read(text);
    ASSERT_TRUE(config.ok()) << config.status();
    FillDefaults(kMachine, &*config);

    EXPECT_THAT(CheckWhole(*config).ToString(), HasSubstr("a.example: expected an address"))
        << text;
  }
}

TEST_F(ConfigTest, RecordsThatTheZoneCannotHaveAreRefused) {
  const auto why = [&](std::string_view records) {
    auto config = Read("dns: {records: {" + std::string(records) + "}}");
    EXPECT_TRUE(config.ok()) << config.status();
    FillDefaults(kMachine, &*config);
    return CheckWhole(*config).ToString();
  };

  EXPECT_THAT(why("www.example.org: x"), HasSubstr("record www.example.org: not in the zone"));
  EXPECT_THAT(why("a.nyud.net: {}"), HasSubstr("dns.records.a.nyud.net: expected a record"));
  EXPECT_THAT(why("a.nyud.net: {txt: x, ttl: 2147483648s}"),
              HasSubstr("dns.records.a.nyud.net.ttl: expected at most"));
  EXPECT_THAT(why("nyud.net: {addresses: 192.0.2.1}"), HasSubstr("are the proxies'"));
}

TEST_F(ConfigTest, FlagsGoBeforeTheFileAndAddToLists) {
  auto config = Read("zone: a.example\nports: {http: 1}\norigins: {x.example: 127.0.0.1:1}");

  EXPECT_TRUE(SetFromFlag("zone", "b.example", "--zone", &*config).ok());
  EXPECT_TRUE(SetFromFlag("ports.http", "2", "--http-port", &*config).ok());
  EXPECT_TRUE(AddFromFlag("origins", "x.example=127.0.0.1:2", "--origin", &*config).ok());
  EXPECT_TRUE(AddFromFlag("ns", "n.example=192.0.2.1", "--ns", &*config).ok());
  EXPECT_TRUE(AddFromFlag("ns", "n.example=192.0.2.2", "--ns", &*config).ok());

  EXPECT_EQ(config->zone(), "b.example");
  EXPECT_EQ(config->ports().http(), 2u);
  EXPECT_EQ(config->origins().at("x.example").address(), "127.0.0.1:2");
  EXPECT_EQ(config->ns().at("n.example").addresses_size(), 2);
}

TEST_F(ConfigTest, WrongFlagIsNamed) {
  config::Config config;

  EXPECT_EQ(SetFromFlag("listen", "here", "--listen", &config),
            InvalidArgument("--listen: \"here\": expected an IP address without a port, such as "
                            "192.0.2.7 or 2001:db8::7"));
  EXPECT_EQ(AddFromFlag("origins", "x.example", "--origin", &config),
            InvalidArgument("--origin: \"x.example\": expected NAME=VALUE, such as "
                            "www.example.org=192.0.2.7:8080"));
  EXPECT_EQ(AddFromFlag("origins", "x.example=y", "--origin", &config),
            InvalidArgument("--origin: \"y\": expected ADDRESS:PORT, such as 192.0.2.7:8080 or "
                            "\"[2001:db8::7]:8080\""));
}

TEST(MachineTest, HasACpu) {
  EXPECT_GE(ThisMachine().cpus, 1u);
}

}  // namespace
}  // namespace reef::deploy
