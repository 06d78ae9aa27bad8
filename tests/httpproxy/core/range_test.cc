// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace reef::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Spec = ByteRangeSpec;

TEST(Rfc9110Section1412Test, ARangeInBytesIsRead) {
  EXPECT_THAT(ParseRanges("bytes=0-499"), ElementsAre(Spec{0, 499}));
  EXPECT_THAT(ParseRanges("bytes=500-"), ElementsAre(Spec{500, std::nullopt}));
  EXPECT_THAT(ParseRanges("bytes=-500"), ElementsAre(Spec{std::nullopt, 500}));
  EXPECT_THAT(ParseRanges("bytes=7-7"), ElementsAre(Spec{7, 7}));
  EXPECT_THAT(ParseRanges("bytes= 1-2 "), ElementsAre(Spec{1, 2}));
}

TEST(Rfc9110Section1412Test, SeveralRangesAreRead) {
  const std::vector<Spec> both = {{1, 2}, {std::nullopt, 5}};
  EXPECT_EQ(ParseRanges("bytes=1-2,-5"), both);
  EXPECT_EQ(ParseRanges("bytes=1-2 ,\t-5"), both);
  EXPECT_EQ(ParseRanges("bytes=,1-2,,-5,"), both) << "RFC 9110, 5.6.1.2: empty members";
}

TEST(Rfc9110Section141Test, UnitsAreCaseInsensitive) {
  EXPECT_THAT(ParseRanges("Bytes=0-1"), ElementsAre(Spec{0, 1}));
}

TEST(Rfc9110Section142Test, WhatIsNotValidRangesIsIgnored) {
  for (const std::string value :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=1-2,x", "bytes=1-2,5-4",
        "bytes 1-2", "items=0-5", "bytes=+1-2", "bytes=1 - 2", "bytes=0x1-2", "bytes=--1",
        "bytes=1-2-3", "bytes=18446744073709551616-", "bytes=0-18446744073709551616"}) {
    EXPECT_THAT(ParseRanges(value), IsEmpty()) << value;
  }
}

TEST(Rfc9110Section142Test, TooManyRangesAreIgnored) {
  std::string value = "bytes=0-0";
  for (size_t i = 1; i < kRangesMax; ++i) value += ",1000-1000";
  EXPECT_THAT(ParseRanges(value), SizeIs(kRangesMax));
  EXPECT_THAT(ParseRanges(value + ",5-5"), IsEmpty());
}

std::vector<ByteRange> Resolved(std::string_view value, uint64_t length, bool ascending = false) {
  return ResolveAll(ParseRanges(value), length, ascending);
}

TEST(Rfc9110Section15372Test, RangesComeInTheOrderAsked) {
  EXPECT_THAT(Resolved("bytes=5000-5001,0-1", 10'000),
              ElementsAre(ByteRange{5000, 5001}, ByteRange{0, 1}));
  EXPECT_THAT(Resolved("bytes=5000-5001,0-1", 10'000, true),
              ElementsAre(ByteRange{0, 1}, ByteRange{5000, 5001}));
}

TEST(Rfc9110Section15372Test, RangesThatOverlapOrNearlyTouchAreMerged) {
  EXPECT_THAT(Resolved("bytes=5000-,0-100,50-200,0-0", 10'000),
              ElementsAre(ByteRange{0, 200}, ByteRange{5000, 9999}));
  EXPECT_THAT(Resolved("bytes=0-0,129-130", 1000), SizeIs(2));
  EXPECT_THAT(Resolved("bytes=0-0,128-130", 1000), ElementsAre(ByteRange{0, 130}));
  EXPECT_THAT(Resolved("bytes=0-,0-,0-,0-", 1000), ElementsAre(ByteRange{0, 999}));
}

TEST(Rfc9110Section15372Test, RangesThatCannotBeSatisfiedAreLeftOut) {
  EXPECT_THAT(Resolved("bytes=0-1,2000-", 1000), ElementsAre(ByteRange{0, 1}));
  EXPECT_THAT(Resolved("bytes=1000-,2000-", 1000), IsEmpty());
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
