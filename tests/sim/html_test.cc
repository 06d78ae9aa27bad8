// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/html.h"

#include <gtest/gtest.h>

namespace reef::sim {
namespace {

TEST(HtmlTest, WhatIsMarkupIsEscaped) {
  EXPECT_EQ(Escaped(R"(<a href="x">'&'</a>)"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

TEST(HtmlTest, LongNumbersAreGrouped) {
  EXPECT_EQ(ReadableNumber(1234567), "1,234,567");
  EXPECT_EQ(ReadableNumber(-123456), "-123,456");
  EXPECT_EQ(ReadableNumber(999), "999");
}

TEST(HtmlTest, BrokenNumbersAreCutToWhatMatters) {
  EXPECT_EQ(ReadableNumber(0.0123456), "0.01235");
  EXPECT_EQ(ReadableNumber(1234.56), "1,234.6");
  EXPECT_EQ(ReadableNumber(54321.9), "54,322");
}

}  // namespace
}  // namespace reef::sim
