// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/address_guard.h"

#include <gtest/gtest.h>

namespace reef::http {
namespace {

Endpoint At(const std::string& text) {
  return *Endpoint::Parse(text);
}

GuardOptions Own(const std::string& listener, bool allow_private = false) {
  return {.allow_private = allow_private, .own = {At(listener)}};
}

struct Case {
  std::string address;
  bool allow_private = false;
  GuardVerdict verdict = GuardVerdict::kAllowed;
};

class OriginAddress : public ::testing::TestWithParam<Case> {};

TEST_P(OriginAddress, IsJudged) {
  const Case& c = GetParam();

  EXPECT_EQ(CheckOriginAddress(At(c.address), Own("93.184.216.34:8090", c.allow_private)),
            c.verdict)
      << c.address;
}

INSTANTIATE_TEST_SUITE_P(
    Table, OriginAddress,
    ::testing::Values(Case{"1.1.1.1:80"}, Case{"1.1.1.1:443"}, Case{"1.1.1.1:8080"},
                      Case{"[2606:4700::1]:80"}, Case{"1.1.1.1:25", false, GuardVerdict::kPort},
                      Case{"1.1.1.1:22", true, GuardVerdict::kPort},
                      Case{"1.1.1.1:0", true, GuardVerdict::kPort},
                      Case{"127.0.0.1:8080", false, GuardVerdict::kNotPublic},
                      Case{"10.0.0.1:80", false, GuardVerdict::kNotPublic},
                      Case{"192.168.1.1:80", false, GuardVerdict::kNotPublic},
                      Case{"169.254.169.254:80", false, GuardVerdict::kNotPublic},
                      Case{"100.64.0.1:80", false, GuardVerdict::kNotPublic},
                      Case{"[::1]:80", false, GuardVerdict::kNotPublic},
                      Case{"[fe80::1]:80", false, GuardVerdict::kNotPublic},
                      Case{"[fd00::1]:80", false, GuardVerdict::kNotPublic},
                      Case{"[::ffff:127.0.0.1]:80", false, GuardVerdict::kNotPublic},
                      Case{"0.0.0.0:80", true, GuardVerdict::kNotPublic},
                      Case{"[::]:80", true, GuardVerdict::kNotPublic}, Case{"127.0.0.1:8080", true},
                      Case{"10.0.0.1:80", true},
                      Case{"93.184.216.34:8090", true, GuardVerdict::kOwnListener}));

TEST(AddressGuard, AListenerOnEveryAddressIsOurOwnOnLoopbackToo) {
  const GuardOptions options = Own("0.0.0.0:8090", true);

  EXPECT_EQ(CheckOriginAddress(At("127.0.0.1:8090"), options), GuardVerdict::kOwnListener);
  EXPECT_EQ(CheckOriginAddress(At("127.0.0.1:8091"), options), GuardVerdict::kAllowed);
}

TEST(AddressGuard, AConfiguredOriginMayBeAnythingButOurselves) {
  const GuardOptions options = Own("127.0.0.1:8090");

  EXPECT_EQ(CheckConfiguredAddress(At("10.0.0.1:25"), options), GuardVerdict::kAllowed);
  EXPECT_EQ(CheckConfiguredAddress(At("127.0.0.1:8090"), options), GuardVerdict::kOwnListener);
}

TEST(AddressGuard, APeerIsOfTheSameKindAsThisNodeOrPublic) {
  const GuardOptions options;

  EXPECT_EQ(CheckPeerAddress(At("1.1.1.1:80"), At("1.0.0.1:80"), options), GuardVerdict::kAllowed);
  EXPECT_EQ(CheckPeerAddress(At("10.0.0.1:80"), At("1.0.0.1:80"), options),
            GuardVerdict::kNotPublic);
  EXPECT_EQ(CheckPeerAddress(At("127.0.0.2:8090"), At("1.0.0.1:80"), options),
            GuardVerdict::kNotPublic);
  EXPECT_EQ(CheckPeerAddress(At("127.0.0.2:8090"), At("127.0.0.1:8090"), options),
            GuardVerdict::kAllowed);
  EXPECT_EQ(CheckPeerAddress(At("127.0.0.1:6379"), At("10.0.0.1:8090"), options),
            GuardVerdict::kNotPublic);
  EXPECT_EQ(CheckPeerAddress(At("10.0.0.2:8090"), At("10.0.0.1:8090"), options),
            GuardVerdict::kAllowed);
}

TEST(AddressGuard, APeerIsNeverAskedOnAPortThatIsNotHttp) {
  for (const std::string port : {"53", "8400", "8401", "25", "0"}) {
    EXPECT_EQ(CheckPeerAddress(At("1.1.1.1:" + port), At("1.0.0.1:80"), GuardOptions{}),
              GuardVerdict::kPort)
        << port;
  }
}

}  // namespace
}  // namespace reef::http
