// SPDX-License-Identifier: Apache-2.0
//
// What BIND's dig makes of our answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "dnsredir/server/server.h"
#include "tests/dnsredir/support/fake_nodes.h"
#include "tests/dnsredir/support/nodes.h"

namespace reef::dns {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string OutputOf(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string output;
  std::array<char, 4096> chunk;
  while (const size_t n = fread(chunk.data(), 1, chunk.size(), pipe.get())) {
    output.append(chunk.data(), n);
  }
  return output;
}

class DigTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(std::system("command -v dig >/dev/null 2>&1"), 0)
        << "dig is not installed; deploy/install-packages build installs it";
    Server::Options options;
    options.listen = {{IpAddress::Parse("127.0.0.1").value(), 0}};
    options.self = NodeAt("192.0.2.1", 1);
    ZoneOptions zone;
    zone.name_servers = {{"ns1.nyud.net", IpAddress::Parse("127.0.0.1").value()}};
    zone.records = {{"@", kTxt, 300, TxtRdata(std::string(2000, 'x'))},
                    {"@", kCaa, 300, CaaRdata(0, "issue", "ca.example")}};
    options.zones = {zone};
    index_.SetNodes({options.self});
    server_ = std::make_unique<Server>(std::move(options), index_, metrics_);
    ASSERT_TRUE(server_->Start().ok());
  }

  std::string Dig(const std::string& arguments) {
    return OutputOf("dig @127.0.0.1 -p " + std::to_string(server_->endpoints()[0].port) +
                    " +tries=1 +time=10 " + arguments + " 2>&1");
  }

  FakeNodes index_;
  Metrics metrics_;
  std::unique_ptr<Server> server_;
};

// dig prints a line with "WARNING" or "malformed" for whatever it finds odd in an answer.
auto IsClean() {
  return AllOf(Not(HasSubstr("arning")), Not(HasSubstr("alformed")));
}

TEST_F(DigTest, ReadsAnAddress) {
  const std::string output = Dig("www.example.com.nyud.net A +norecurse");
  EXPECT_THAT(output, AllOf(IsClean(), HasSubstr("status: NOERROR"), HasSubstr("flags: qr aa;")));
  EXPECT_THAT(output, HasSubstr("www.example.com.nyud.net. 30\tIN\tA\t192.0.2.1"));
}

TEST_F(DigTest, ReadsTheApex) {
  EXPECT_THAT(Dig("nyud.net SOA +norecurse"),
              AllOf(IsClean(), HasSubstr("ns1.nyud.net. hostmaster.nyud.net. 1 3600 600")));
  EXPECT_THAT(Dig("nyud.net NS +norecurse"),
              AllOf(IsClean(), HasSubstr("ns1.nyud.net.\t\t3600\tIN\tA\t127.0.0.1")));
  EXPECT_THAT(Dig("nyud.net CAA +norecurse"),
              AllOf(IsClean(), HasSubstr("0 issue \"ca.example\"")));
}

TEST_F(DigTest, ReadsNegativeAnswers) {
  EXPECT_THAT(
      Dig("www.example.com.nyud.net HTTPS +norecurse"),
      AllOf(IsClean(), HasSubstr("status: NOERROR"), HasSubstr("ANSWER: 0"), HasSubstr("IN\tSOA")));
  EXPECT_THAT(Dig("_x.nyud.net TXT +norecurse"),
              AllOf(IsClean(), HasSubstr("status: NXDOMAIN"), HasSubstr("IN\tSOA")));
  EXPECT_THAT(Dig("example.com +norecurse"), AllOf(IsClean(), HasSubstr("status: REFUSED")));
}

TEST_F(DigTest, RetriesOverTcpWhatWasTruncated) {
  EXPECT_THAT(Dig("nyud.net TXT +norecurse"),
              AllOf(IsClean(), HasSubstr("Truncated, retrying in TCP mode"), HasSubstr("xxxxxxxx"),
                    HasSubstr("(TCP)")));
}

TEST_F(DigTest, ReadsBadversAndNotimp) {
  EXPECT_THAT(Dig("nyud.net SOA +edns=1 +noednsneg +norecurse"),
              AllOf(IsClean(), HasSubstr("status: BADVERS")));
  EXPECT_THAT(Dig("nyud.net +opcode=15 +norecurse +header-only"), HasSubstr("status: NOTIMP"));
}

TEST_F(DigTest, ReadsCookiesSubnetsAndNsid) {
  const std::string output =
      Dig("www.example.com.nyud.net +cookie +nsid +subnet=192.0.2.0/24 +norecurse");
  EXPECT_THAT(output, AllOf(IsClean(), HasSubstr("status: NOERROR"), HasSubstr("192.0.2.1")));
  EXPECT_THAT(output, AllOf(HasSubstr("(good)"), HasSubstr("(\"01010101\")"),
                            HasSubstr("CLIENT-SUBNET: 192.0.2.0/24/0")));
}

TEST_F(DigTest, KeepsATcpConnectionForSeveralQueries) {
  const std::string output = Dig("+tcp +keepopen a.nyud.net b.nyud.net +norecurse");
  EXPECT_THAT(output,
              AllOf(IsClean(), HasSubstr("a.nyud.net.\t\t30"), HasSubstr("b.nyud.net.\t\t30")));
}

}  // namespace
}  // namespace reef::dns
