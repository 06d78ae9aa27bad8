// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/peer_protocol.h"

#include <gtest/gtest.h>

namespace reef::http {
namespace {

TEST(PeerAskTest, ReadsBackWhatItWrites) {
  PeerAsk ask;
  ask.rank = 2;
  ask.have = 123'456'789'012;
  ask.has_head = true;
  ask.node = "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff";
  ask.endpoint = *Endpoint::Parse("[2001:db8::1]:8090");

  const std::string text = WritePeerAsk(ask);

  EXPECT_EQ(
      text,
      "v=1; rank=2; have=123456789012; head=1; node=00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff; "
      "at=[2001:db8::1]:8090");
  EXPECT_EQ(ParsePeerAsk(text), ask);
}

TEST(PeerAskTest, IgnoresParametersOfLaterVersions) {
  EXPECT_TRUE(ParsePeerAsk("v=2; color=blue; rank=1").has_value());
}

TEST(PeerAskTest, RefusesWhatIsMalformed) {
  for (const char* text :
       {"", "rank=3", "v=0", "v=x", "v=1; rank=4", "v=1; rank=-1",
        "v=1; have=", "v=1; have=99999999999999999999", "v=1; head=2", "v=1; node=xyz",
        "v=1; at=nowhere", "v=1; at=1.2.3.4", "v=1; at=1.2.3.4:0", "v=1;;", "v"}) {
    EXPECT_EQ(ParsePeerAsk(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParsePeerAsk("v=1; x=" + std::string(1000, 'a')), std::nullopt);
}

TEST(PeerAnswerTest, ReadsBackWhatItWrites) {
  for (const auto what :
       {PeerAnswer::What::kNotHeld, PeerAnswer::What::kBusy, PeerAnswer::What::kOrder,
        PeerAnswer::What::kUncacheable, PeerAnswer::What::kFailed}) {
    const PeerAnswer answer{.what = what, .try_instead = {}};
    EXPECT_EQ(ParsePeerAnswer(WritePeerAnswer(answer)), answer);
  }
}

TEST(PeerAnswerTest, ABusyHolderNamesAtMostFourOthers) {
  PeerAnswer answer{.what = PeerAnswer::What::kBusy, .try_instead = {}};
  for (int i = 1; i <= 6; ++i) {
    answer.try_instead.push_back(*Endpoint::Parse("10.0.0." + std::to_string(i) + ":8090"));
  }

  const std::string text = WritePeerAnswer(answer);

  EXPECT_EQ(text, "busy; try=\"10.0.0.1:8090 10.0.0.2:8090 10.0.0.3:8090 10.0.0.4:8090\"");
  EXPECT_EQ(ParsePeerAnswer(text)->try_instead.size(), 4u);
}

TEST(PeerAnswerTest, RefusesWhatIsMalformed) {
  for (const char* text : {"", "yes", "busy; try=", "busy; try=\"", "busy; try=1.2.3.4:80",
                           "busy; try=\"1.2.3.4\"", "busy; try=\"1.2.3.4:0\""}) {
    EXPECT_EQ(ParsePeerAnswer(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace reef::http
