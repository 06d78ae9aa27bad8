// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/range.h"

#include <gtest/gtest.h>

#include <string>

namespace reef::http {
namespace {

using Spec = ByteRangeSpec;

TEST(Rfc9110Section1412Test, OneRangeInBytesIsRead) {
  EXPECT_EQ(ParseRange("bytes=0-499"), (Spec{0, 499}));
  EXPECT_EQ(ParseRange("bytes=500-"), (Spec{500, std::nullopt}));
  EXPECT_EQ(ParseRange("bytes=-500"), (Spec{std::nullopt, 500}));
  EXPECT_EQ(ParseRange("bytes=7-7"), (Spec{7, 7}));
  EXPECT_EQ(ParseRange("bytes= 1-2 "), (Spec{1, 2}));
}

TEST(Rfc9110Section141Test, UnitsAreCaseInsensitive) {
  EXPECT_EQ(ParseRange("Bytes=0-1"), (Spec{0, 1}));
}

TEST(Rfc9110Section142Test, WhatIsNotOneValidRangeIsIgnored) {
  for (const std::string value :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=1-2,4-5", "bytes=1-2,",
        "bytes 1-2", "items=0-5", "bytes=+1-2", "bytes=1 - 2", "bytes=0x1-2", "bytes=--1",
        "bytes=1-2-3", "bytes=18446744073709551616-", "bytes=0-18446744073709551616"}) {
    EXPECT_EQ(ParseRange(value), std::nullopt) << value;
  }
}

TEST(Rfc9110Section1412Test, ARangeIsCutToTheLength) {
  EXPECT_EQ(Resolve({0, 499}, 1000), (ByteRange{0, 499}));
  EXPECT_EQ(Resolve({0, 4'999}, 1000), (ByteRange{0, 999}));
  EXPECT_EQ(Resolve({999, std::nullopt}, 1000), (ByteRange{999, 999}));
  EXPECT_EQ(Resolve({std::nullopt, 1}, 1000), (ByteRange{999, 999}));
  EXPECT_EQ(Resolve({std::nullopt, 5'000}, 1000), (ByteRange{0, 999}));
  EXPECT_EQ(Resolve({0, UINT64_MAX}, 1), (ByteRange{0, 0}));
}

TEST(Rfc9110Section1412Test, SomeRangesCannotBeSatisfied) {
  EXPECT_EQ(Resolve({1000, std::nullopt}, 1000), std::nullopt);
  EXPECT_EQ(Resolve({1000, 2000}, 1000), std::nullopt);
  EXPECT_EQ(Resolve({std::nullopt, 0}, 1000), std::nullopt);
  EXPECT_EQ(Resolve({0, 0}, 0), std::nullopt);
  EXPECT_EQ(Resolve({std::nullopt, 5}, 0), std::nullopt);
}

std::string Written(const ByteRange& range, std::optional<uint64_t> length) {
  std::string out;
  AppendContentRange(range, length, out);
  return out;
}

TEST(Rfc9110Section144Test, ContentRangeIsWrittenAndRead) {
  EXPECT_EQ(Written({0, 499}, 1234), "bytes 0-499/1234");
  EXPECT_EQ(Written({5, 5}, std::nullopt), "bytes 5-5/*");
  EXPECT_EQ(ParseContentRange("bytes 0-499/1234"), (ContentRange{ByteRange{0, 499}, 1234}));
  EXPECT_EQ(ParseContentRange("bytes 5-5/*"), (ContentRange{ByteRange{5, 5}, std::nullopt}));
  std::string unsatisfied;
  AppendUnsatisfiedRange(1234, unsatisfied);
  EXPECT_EQ(unsatisfied, "bytes */1234");
  EXPECT_EQ(ParseContentRange("bytes */1234"), (ContentRange{std::nullopt, 1234}));
}

TEST(Rfc9110Section144Test, AnInvalidContentRangeIsRefused) {
  for (const std::string value :
       {"", "bytes", "bytes 0-499", "bytes 499-0/1234", "bytes 0-1234/1234", "bytes */*",
        "bytes -5/10", "bytes 0-/10", "bytes 0-1/", "bytes=0-1/2", "items 0-1/2", "bytes 0-1/2x"}) {
    EXPECT_EQ(ParseContentRange(value), std::nullopt) << value;
  }
}

}  // namespace
}  // namespace reef::http
