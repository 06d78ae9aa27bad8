// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <gtest/gtest.h>

namespace reef {
namespace {

TEST(BytesTest, DecimalRefusesSignsSpacesAndOverflow) {
  EXPECT_EQ(ParseDecimal("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(ParseDecimal("18446744073709551616"), std::nullopt);
  EXPECT_EQ(ParseDecimal("+1"), std::nullopt);
  EXPECT_EQ(ParseDecimal("-1"), std::nullopt);
  EXPECT_EQ(ParseDecimal(" 1"), std::nullopt);
  EXPECT_EQ(ParseDecimal("1 "), std::nullopt);
  EXPECT_EQ(ParseDecimal(""), std::nullopt);
}

TEST(BytesTest, HexComesBackFromHex) {
  const std::string bytes("\x00\xff\x10", 3);

  EXPECT_EQ(ToHex(bytes), "00ff10");
  EXPECT_EQ(FromHex("00FF10"), bytes);
  EXPECT_EQ(FromHex("0"), std::nullopt);
  EXPECT_EQ(FromHex("0g"), std::nullopt);
}

TEST(BytesTest, CaseFoldingIsAsciiOnly) {
  EXPECT_TRUE(EqualsIgnoreCase("Content-Length", "cONTENT-lENGTH"));
  EXPECT_FALSE(EqualsIgnoreCase("\xc4", "\xe4"));
  EXPECT_TRUE(EndsWithIgnoreCase("WWW.Example.COM", ".example.com"));
  EXPECT_FALSE(EndsWithIgnoreCase("com", ".com"));
}

TEST(BytesTest, TrimTakesSpacesAndTabsOnly) {
  EXPECT_EQ(Trim(" \t a b\r "), "a b\r");
}

}  // namespace
}  // namespace reef
