// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/http_date.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"

namespace reef::http {
namespace {

std::optional<int64_t> Read(std::string_view text) {
  const auto time = ParseHttpDate(text);
  if (!time) return std::nullopt;
  return UnixSeconds(*time);
}

TEST(Rfc9110Section567Test, AllThreeFormatsAreRead) {
  EXPECT_EQ(Read("Sun, 06 Nov 1994 08:49:37 GMT"), 784'111'777);
  EXPECT_EQ(Read("Sunday, 06-Nov-94 08:49:37 GMT"), 784'111'777);
  EXPECT_EQ(Read("Sun Nov  6 08:49:37 1994"), 784'111'777);
  EXPECT_EQ(Read("Wed Nov 16 08:49:37 1994"), 784'975'777);
  EXPECT_EQ(Read("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  EXPECT_EQ(Read("Thu, 29 Feb 2024 23:59:59 GMT"), 1'709'251'199);
}

TEST(Rfc9110Section567Test, TwoDigitYearsAre1970To2069) {
  EXPECT_EQ(Read("Thursday, 01-Jan-70 00:00:00 GMT"), 0);
  EXPECT_EQ(Read("Tuesday, 01-Jan-69 00:00:00 GMT"), Read("Tue, 01 Jan 2069 00:00:00 GMT"));
}

TEST(Rfc9110Section567Test, ALeapSecondIsTheSecondBefore) {
  EXPECT_EQ(Read("Sat, 31 Dec 2016 23:59:60 GMT"), Read("Sat, 31 Dec 2016 23:59:59 GMT"));
}

TEST(Rfc9110Section567Test, AWrongWeekdayIsForgiven) {
  EXPECT_EQ(Read("Mon, 06 Nov 1994 08:49:37 GMT"), 784'111'777);
}

TEST(Rfc9110Section567Test, FarDatesAreClampedSoThatNoSumOverflows) {
  const auto early = ParseHttpDate("Sat, 01 Jan 0001 00:00:00 GMT");
  const auto late = ParseHttpDate("Fri, 31 Dec 9999 23:59:59 GMT");
  ASSERT_TRUE(early && late);
  EXPECT_GT(*late - *early, Duration::zero());
  EXPECT_GT((*late - *early) + std::chrono::seconds(1ll << 31), Duration::zero());
}

TEST(Rfc9110Section567Test, AnythingElseIsNoDate) {
  for (const std::string text : {"",
                                 "0",
                                 "-1",
                                 "784111777",
                                 "Sun, 06 Nov 1994 08:49:37",
                                 "Sun, 06 Nov 1994 08:49:37 UTC",
                                 "Sun, 06 Nov 1994 08:49:37 +0000",
                                 "Sun, 6 Nov 1994 08:49:37 GMT",
                                 "Sun, 06 nov 1994 08:49:37 GMT",
                                 "sun, 06 Nov 1994 08:49:37 GMT",
                                 "Sun,06 Nov 1994 08:49:37 GMT",
                                 "Sun, 06  Nov 1994 08:49:37 GMT",
                                 "Sun, 06 Nov 94 08:49:37 GMT",
                                 "Sun, 06 Nov 1994 8:49:37 GMT",
                                 "Sun, 06 Nov 1994 08:49 GMT",
                                 "Sun, 06 Nov 1994 08:49:37 GMT ",
                                 " Sun, 06 Nov 1994 08:49:37 GMT",
                                 "Sun, 00 Nov 1994 08:49:37 GMT",
                                 "Sun, 31 Nov 1994 08:49:37 GMT",
                                 "Sun, 29 Feb 2023 08:49:37 GMT",
                                 "Sun, 06 Nov 1994 24:00:00 GMT",
                                 "Sun, 06 Nov 1994 08:60:00 GMT",
                                 "Sun, 06 Nov 1994 08:49:61 GMT",
                                 "Sun, 06 Nov 0000 08:49:37 GMT",
                                 "Sun, 06-Nov-94 08:49:37 GMT",
                                 "Sunday, 06-Nov-1994 08:49:37 GMT",
                                 "Sunday, 06 Nov 1994 08:49:37 GMT",
                                 "Sun Nov 6 08:49:37 1994",
                                 "Sun Nov 06 08:49:37 1994 GMT",
                                 "Sun Nov   6 08:49:37 1994"}) {
    EXPECT_EQ(Read(text), std::nullopt) << text;
  }
}

TEST(WriteHttpDateTest, WritesImfFixdate) {
  EXPECT_EQ(HttpDate(FromUnixSeconds(784'111'777)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(HttpDate(FromUnixSeconds(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(HttpDate(FromUnixSeconds(-1)), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(HttpDate(FromUnixSeconds(1'709'251'199) + std::chrono::milliseconds(999)),
            "Thu, 29 Feb 2024 23:59:59 GMT");
}

TEST(WriteHttpDateTest, WhatIsWrittenReadsAsTheSameSecond) {
  Rng rng(3);
  for (int i = 0; i < 10'000; ++i) {
    const auto seconds = static_cast<int64_t>(rng.Below(4'102'444'800));
    EXPECT_EQ(Read(HttpDate(FromUnixSeconds(seconds))), seconds);
  }
}

}  // namespace
}  // namespace reef::http
