// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/rate_limiter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace reef::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart = Instant(std::chrono::hours(1));

IpAddress At(std::string_view address) {
  return IpAddress::Parse(address).value();
}
const IpAddress kClient = At("192.0.2.1");

RateLimiter Limiter(uint32_t answers_per_second, uint32_t slip = 2, size_t networks_max = 1024) {
  return RateLimiter({answers_per_second, slip, networks_max}, 1);
}

// "aatd": answer, answer, truncate, drop
std::string Verdicts(RateLimiter& limiter, int count, Instant now = kStart,
                     const IpAddress& client = kClient) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    switch (limiter.Judge(now, client)) {
      case RateLimiter::Verdict::kAnswer:
        text += 'a';
        break;
      case RateLimiter::Verdict::kTruncate:
        text += 't';
        break;
      case RateLimiter::Verdict::kDrop:
        text += 'd';
        break;
    }
  }
  return text;
}

TEST(RateLimiter, AnswersAllWithoutALimit) {
  RateLimiter limiter({}, 1);
  EXPECT_EQ(Verdicts(limiter, 1000), std::string(1000, 'a'));
}

TEST(RateLimiter, AnswersABurstOfOneSecondThenTruncatesEverySecond) {
  RateLimiter limiter = Limiter(5);
  EXPECT_EQ(Verdicts(limiter, 10), "aaaaadtdtd");
}

TEST(RateLimiter, TruncatesAlsoWhereItIsPassedByLittle) {
  RateLimiter limiter = Limiter(10);
  std::string verdicts;
  for (int i = 0; i < 150; ++i) verdicts += Verdicts(limiter, 1, kStart + i * seconds(1) / 15);
  const auto truncated = std::ranges::count(verdicts, 't');
  EXPECT_GE(truncated, 15);
  EXPECT_NEAR(static_cast<double>(truncated),
              static_cast<double>(std::ranges::count(verdicts, 'd')), 1);
}

TEST(RateLimiter, SlipSaysHowManyOfThoseBeyondAreTruncated) {
  RateLimiter all = Limiter(1, 1);
  RateLimiter none = Limiter(1, 0);
  RateLimiter third = Limiter(1, 3);
  EXPECT_EQ(Verdicts(all, 4), "attt");
  EXPECT_EQ(Verdicts(none, 4), "addd");
  EXPECT_EQ(Verdicts(third, 7), "addtddt");
}

TEST(RateLimiter, AnswersAtTheRateForEver) {
  RateLimiter limiter = Limiter(10);
  Verdicts(limiter, 10);
  for (int i = 1; i <= 1000; ++i) {
    ASSERT_EQ(Verdicts(limiter, 2, kStart + i * milliseconds(100)).front(), 'a') << i;
    ASSERT_NE(Verdicts(limiter, 1, kStart + i * milliseconds(100)), "a") << i;
  }
}

TEST(RateLimiter, GivesNoMoreThanABurstAfterALongSilence) {
  RateLimiter limiter = Limiter(3);
  Verdicts(limiter, 3);
  EXPECT_EQ(Verdicts(limiter, 5, kStart + std::chrono::hours(1)), "aaadt");
}

TEST(RateLimiter, LimitsANetworkNotAnAddress) {
  RateLimiter limiter = Limiter(1);
  Verdicts(limiter, 1, kStart, At("192.0.2.1"));
  Verdicts(limiter, 1, kStart, At("2001:db8:1:ff00::1"));

  EXPECT_EQ(Verdicts(limiter, 1, kStart, At("192.0.2.255")), "d");
  EXPECT_EQ(Verdicts(limiter, 1, kStart, At("192.0.3.1")), "a");
  EXPECT_EQ(Verdicts(limiter, 1, kStart, At("2001:db8:1:ffff::1")), "d");
  EXPECT_EQ(Verdicts(limiter, 1, kStart, At("2001:db8:1:fe00::1")), "a");
}

TEST(RateLimiter, ForgetsNetworksRatherThanGrowAndSaysSo) {
  RateLimiter limiter = Limiter(1, 2, 4);
  for (int i = 0; i < 4; ++i) {
    Verdicts(limiter, 1, kStart, IpAddress::V4({10, 0, static_cast<uint8_t>(i), 1}));
  }
  EXPECT_EQ(limiter.evictions(), 0u);

  EXPECT_EQ(Verdicts(limiter, 1, kStart, At("10.0.4.1")), "a");
  EXPECT_EQ(limiter.evictions(), 1u);
  EXPECT_EQ(Verdicts(limiter, 1, kStart + seconds(1), At("10.0.5.1")), "a");
  EXPECT_EQ(limiter.evictions(), 1u) << "after a second nothing is lost with a network";
}

TEST(RateLimiter, KeepsTheBusiestNetworkUnderAFloodOfOthers) {
  RateLimiter limiter = Limiter(100, 2, 4);
  Verdicts(limiter, 100);
  for (int i = 0; i < 200; ++i) {
    Verdicts(limiter, 1, kStart, IpAddress::V4({10, 0, static_cast<uint8_t>(i), 1}));
  }
  EXPECT_EQ(Verdicts(limiter, 1), "d");
}

}  // namespace
}  // namespace reef::dns
