// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/name.h"

#include <gtest/gtest.h>

namespace reef::dns {
namespace {

TEST(NameFromText, GivesLowerCaseWireForm) {
  EXPECT_EQ(NameFromText("NYUD.net"), std::string("\4nyud\3net\0", 10));
  EXPECT_EQ(NameFromText("nyud.net."), std::string("\4nyud\3net\0", 10));
  EXPECT_EQ(NameFromText("."), std::string(1, '\0'));
}

TEST(NameFromText, RefusesEmptyAndLongLabelsAndLongNames) {
  EXPECT_EQ(NameFromText(""), std::nullopt);
  EXPECT_EQ(NameFromText("a..b"), std::nullopt);
  EXPECT_EQ(NameFromText(".a"), std::nullopt);
  EXPECT_EQ(NameFromText("a.."), std::nullopt);
  EXPECT_NE(NameFromText(std::string(63, 'a')), std::nullopt);
  EXPECT_EQ(NameFromText(std::string(64, 'a')), std::nullopt);
  std::string longest = std::string(63, 'a') + "." + std::string(63, 'a') + "." +
                        std::string(63, 'a') + "." + std::string(61, 'a');
  EXPECT_EQ(NameFromText(longest).value().size(), 255u);
  EXPECT_EQ(NameFromText(longest + "a"), std::nullopt);
}

TEST(NameToText, EscapesWhatCannotBePrinted) {
  EXPECT_EQ(NameToText(std::string("\3a.b\3\0c\xff\0", 9)), "a\\046b.\\000c\\255");
}

TEST(IsAtOrBelow, ComparesWholeLabels) {
  const auto wire = [](std::string_view text) { return NameFromText(text).value(); };
  EXPECT_TRUE(IsAtOrBelow(wire("nyud.net"), wire("nyud.net")));
  EXPECT_TRUE(IsAtOrBelow(wire("a.b.nyud.net"), wire("nyud.net")));
  EXPECT_TRUE(IsAtOrBelow(wire("nyud.net"), wire(".")));
  EXPECT_FALSE(IsAtOrBelow(wire("xnyud.net"), wire("nyud.net")));
  EXPECT_FALSE(IsAtOrBelow(wire("net"), wire("nyud.net")));
}

}  // namespace
}  // namespace reef::dns
