// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/peer_address.h"

#include <gtest/gtest.h>

namespace reef::dsht {
namespace {

TEST(ParsePeerTest, ReadsWhatGrpcCallsTheOtherEnd) {
  EXPECT_EQ(ParsePeer("ipv4:192.0.2.1:50123"), Endpoint::Parse("192.0.2.1:50123"));
  EXPECT_EQ(ParsePeer("ipv6:%5B2001:db8::1%5D:50123"), Endpoint::Parse("[2001:db8::1]:50123"));
  EXPECT_EQ(ParsePeer("ipv6:[2001:db8::1]:50123"), Endpoint::Parse("[2001:db8::1]:50123"));
}

TEST(ParsePeerTest, RefusesAnythingElse) {
  for (const char* other : {"", "unix:/tmp/socket", "ipv4:", "ipv4:%", "ipv4:%5", "ipv6:%5B::1",
                            "ipv4:192.0.2.1", "ipv6:%5Bfe80::1%25eth0%5D:1"}) {
    EXPECT_EQ(ParsePeer(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace reef::dsht
