// SPDX-License-Identifier: Apache-2.0
#include "deploy/admin/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/deploy/raw_http.h"

namespace reef::deploy {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const Endpoint kAnyPort = {IpAddress::V4({127, 0, 0, 1}), 0};

struct HostCase {
  std::string name;
  std::string host;
  bool trusted;
};
void PrintTo(const HostCase& value, std::ostream* out) {
  *out << value.host;
}

class TrustedHostTest : public testing::TestWithParam<HostCase> {};

TEST_P(TrustedHostTest, OnlyAddressesLocalhostAndListedNames) {
  EXPECT_EQ(IsTrustedHost(GetParam().host, {"admin.example"}), GetParam().trusted);
}

INSTANTIATE_TEST_SUITE_P(
    Hosts, TrustedHostTest,
    testing::Values(
        HostCase{"Address", "127.0.0.1", true}, HostCase{"AddressAndPort", "127.0.0.1:8401", true},
        HostCase{"PublicAddress", "203.0.113.9:8401", true}, HostCase{"Ipv6", "[::1]", true},
        HostCase{"Ipv6AndPort", "[::1]:8401", true}, HostCase{"Localhost", "localhost", true},
        HostCase{"LocalhostAndPort", "LocalHost:8401", true},
        HostCase{"Listed", "admin.example", true},
        HostCase{"ListedAndPort", "ADMIN.example:8401", true},
        HostCase{"Rebound", "evil.example:8401", false},
        HostCase{"BelowLocalhost", "evil.localhost", false},
        HostCase{"AddressInAName", "127.0.0.1.evil.example", false}, HostCase{"Empty", "", false},
        HostCase{"PortOnly", ":8401", false}, HostCase{"NoPort", "evil.example:", false},
        HostCase{"WordForPort", "localhost:x", false}, HostCase{"HalfBracket", "[::1", false}),
    [](const testing::TestParamInfo<HostCase>& each) { return each.param.name; });

class AdminServerTest : public testing::Test {
 protected:
  AdminServerTest()
      : server_({.listen = kAnyPort, .names = {}},
                {.why_not_alive = [this] { return why_not_alive_; },
                 .why_not_ready = [this] { return why_not_ready_; },
                 .metrics = [] { return std::string("reef_x 1\n"); },
                 .status_json = [] { return std::string("{\"zone\": \"nyud.net\"}\n"); },
                 .dashboard = "<!DOCTYPE html>"}) {
    EXPECT_TRUE(server_.Start().ok());
  }

  std::string Ask(std::string_view line, std::string_view host = "localhost") {
    return RawHttp(server_.endpoint(), std::string(line) + "\r\nHost: " + std::string(host) +
                                           "\r\nConnection: close\r\n\r\n");
  }

  std::vector<std::string> why_not_alive_, why_not_ready_;
  AdminServer server_;
};

TEST_F(AdminServerTest, ServesItsPagesWithTheirTypes) {
  EXPECT_THAT(Ask("GET /livez HTTP/1.1"),
              AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\nalive\n")));
  EXPECT_THAT(Ask("GET /readyz HTTP/1.1"), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("ready\n")));
  EXPECT_THAT(Ask("GET /metrics HTTP/1.1"),
              AllOf(HasSubstr("Content-Type: text/plain; version=0.0.4"), EndsWith("reef_x 1\n")));
  EXPECT_THAT(Ask("GET /status.json HTTP/1.1"),
              AllOf(HasSubstr("Content-Type: application/json\r\n"), HasSubstr("nyud.net")));
  EXPECT_THAT(Ask("GET / HTTP/1.1"),
              AllOf(HasSubstr("Content-Type: text/html"), EndsWith("<!DOCTYPE html>")));
}

TEST_F(AdminServerTest, NodeThatIsNotReadyOrAliveSaysWhy) {
  why_not_ready_ = {"not joined", "starting"};
  why_not_alive_ = {"the index hangs"};

  EXPECT_THAT(Ask("GET /readyz HTTP/1.1"),
              AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("\r\n\r\nnot joined\nstarting\n")));
  EXPECT_THAT(Ask("GET /livez HTTP/1.1"),
              AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("the index hangs\n")));
}

TEST_F(AdminServerTest, NamesOfOthersAreRefused) {
  const std::string answer = Ask("GET /status.json HTTP/1.1", "evil.example:8401");

  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(answer, Not(HasSubstr("nyud.net")));
  EXPECT_THAT(RawHttp(server_.endpoint(), "GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.0 403 "));
}

TEST_F(AdminServerTest, OtherOriginsGetNoLeave) {
  const std::string answer = RawHttp(server_.endpoint(),
                                     "GET /status.json HTTP/1.1\r\nHost: localhost\r\n"
                                     "Origin: http://evil.example\r\nConnection: close\r\n\r\n");

  EXPECT_THAT(answer, Not(HasSubstr("Access-Control")));
  EXPECT_THAT(answer, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(answer, HasSubstr("Cache-Control: no-store\r\n"));
}

TEST_F(AdminServerTest, NothingCanBeChanged) {
  for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const std::string answer =
        Ask(std::string(method) + " /status.json HTTP/1.1\r\nContent-Length: 0");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 ")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n")) << method;
  }
}

TEST_F(AdminServerTest, HeadHasNoBody) {
  EXPECT_THAT(Ask("HEAD /livez HTTP/1.1"),
              AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n")));
}

TEST_F(AdminServerTest, UnknownPathSaysWhatThereIs) {
  EXPECT_THAT(Ask("GET /Livez HTTP/1.1"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("/readyz")));
  EXPECT_THAT(Ask("GET /livez?verbose HTTP/1.1"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, LongHeadsAreRefused) {
  const std::string answer = Ask("GET /livez HTTP/1.1\r\nX: " + std::string(64 * 1024, 'x'));

  EXPECT_THAT(answer, Not(HasSubstr("alive")));
}

TEST_F(AdminServerTest, PortInUseIsNamed) {
  AdminServer second({.listen = server_.endpoint(), .names = {}}, {});

  EXPECT_THAT(second.Start().ToString(), HasSubstr("listen on " + server_.endpoint().ToString()));
}

TEST_F(AdminServerTest, StopsMoreThanOnce) {
  server_.Stop();
  server_.Stop();

  EXPECT_EQ(RawHttp(server_.endpoint(), "GET / HTTP/1.0\r\n\r\n"), "no connection");
}

}  // namespace
}  // namespace reef::deploy
