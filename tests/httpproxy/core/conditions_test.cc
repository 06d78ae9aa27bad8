// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/conditions.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "httpproxy/core/etag.h"
#include "tests/httpproxy/core/message.h"

namespace reef::http {

void PrintTo(Precondition p, std::ostream* out) {
  *out << (p == Precondition::kProceed       ? "proceed"
           : p == Precondition::kNotModified ? "304"
                                             : "412");
}

namespace {

using enum Precondition;

const std::string kEarlier = "Sun, 06 Nov 1994 08:49:36 GMT";
const std::string kModified = "Sun, 06 Nov 1994 08:49:37 GMT";
const std::string kLater = "Sun, 06 Nov 1994 08:49:38 GMT";

TEST(Rfc9110Section883Test, EntityTagsHaveOneForm) {
  for (const std::string tag : {"\"\"", "\"a\"", "\"a'b\\,c\"", "\"\xc3\xa9\""}) {
    EXPECT_TRUE(IsStrongEtag(tag)) << tag;
    EXPECT_TRUE(IsEtag("W/" + tag)) << tag;
    EXPECT_FALSE(IsStrongEtag("W/" + tag)) << tag;
  }
  for (const std::string tag : {"", "\"", "a", "\"a", "a\"", "\"a\"b\"", "\"a b\"", "w/\"a\"", "W/",
                                "W/a", "W/W/\"a\"", "'a'", "\"\x7f\""}) {
    EXPECT_FALSE(IsEtag(tag)) << tag;
  }
}

// The table of 8.8.3.2.
TEST(Rfc9110Section8832Test, StrongAndWeakComparison) {
  struct Row {
    std::string a, b;
    bool strong, weak;
  };
  for (const auto& [a, b, strong, weak] :
       {Row{"W/\"1\"", "W/\"1\"", false, true}, Row{"W/\"1\"", "W/\"2\"", false, false},
        Row{"W/\"1\"", "\"1\"", false, true}, Row{"\"1\"", "\"1\"", true, true},
        Row{"\"1\"", "\"2\"", false, false}, Row{"1", "1", false, false},
        Row{"", "", false, false}}) {
    EXPECT_EQ(StrongEtagMatch(a, b), strong) << a << ' ' << b;
    EXPECT_EQ(StrongEtagMatch(b, a), strong) << a << ' ' << b;
    EXPECT_EQ(WeakEtagMatch(a, b), weak) << a << ' ' << b;
    EXPECT_EQ(WeakEtagMatch(b, a), weak) << a << ' ' << b;
  }
}

ObjectHead Stored(const std::string& etag = "\"v1\"", const std::string& modified = kModified) {
  ObjectHead head;
  head.etag = etag;
  head.last_modified = modified;
  head.fields = "Date: Sun, 06 Nov 1994 08:50:00 GMT\r\n";
  return head;
}

struct Case {
  std::string name;
  std::string lines;
  ObjectHead stored;
  Precondition expected;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class ConditionsTest : public testing::TestWithParam<Case> {};

TEST_P(ConditionsTest, AreEvaluated) {
  const Request request(GetParam().lines);
  EXPECT_EQ(EvaluateConditions(request.head(), GetParam().stored), GetParam().expected);
}

std::string NameOf(const testing::TestParamInfo<Case>& c) {
  return c.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Rfc9110Section13, ConditionsTest,
    testing::Values(
        Case{"None", "", Stored(), kProceed},
        // 13.1.2
        Case{"NoneMatchSame", "If-None-Match: \"v1\"\r\n", Stored(), kNotModified},
        Case{"NoneMatchOther", "If-None-Match: \"v2\"\r\n", Stored(), kProceed},
        Case{"NoneMatchInList", "If-None-Match: \"v0\", W/\"v1\"\r\n", Stored(), kNotModified},
        Case{"NoneMatchOnSecondLine", "If-None-Match: \"v0\"\r\nIf-None-Match: \"v1\"\r\n",
             Stored(), kNotModified},
        Case{"NoneMatchCommaInTag", "If-None-Match: \"a,\"\r\n", Stored("\"a,\""), kNotModified},
        Case{"NoneMatchWeakStored", "If-None-Match: \"v1\"\r\n", Stored("W/\"v1\""), kNotModified},
        Case{"NoneMatchAny", "If-None-Match: *\r\n", Stored(""), kNotModified},
        Case{"NoneMatchUnquoted", "If-None-Match: v1\r\n", Stored("v1"), kProceed},
        Case{"NoneMatchWithoutStoredTag", "If-None-Match: \"v1\"\r\n", Stored(""), kProceed},
        // 13.1.3
        Case{"ModifiedSinceEqual", "If-Modified-Since: " + kModified + "\r\n", Stored(),
             kNotModified},
        Case{"ModifiedSinceLater", "If-Modified-Since: " + kLater + "\r\n", Stored(), kNotModified},
        Case{"ModifiedSinceEarlier", "If-Modified-Since: " + kEarlier + "\r\n", Stored(), kProceed},
        Case{"ModifiedSinceOldFormat", "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n",
             Stored(), kNotModified},
        Case{"ModifiedSinceNoDate", "If-Modified-Since: yesterday\r\n", Stored(), kProceed},
        Case{"ModifiedSinceTwice",
             "If-Modified-Since: " + kLater + "\r\nIf-Modified-Since: " + kLater + "\r\n", Stored(),
             kProceed},
        Case{"NoneMatchBeatsModifiedSince",
             "If-None-Match: \"v2\"\r\nIf-Modified-Since: " + kLater + "\r\n", Stored(), kProceed},
        // RFC 9111, 4.3.2
        Case{"DateStandsForLastModified", "If-Modified-Since: Sun, 06 Nov 1994 08:50:00 GMT\r\n",
             Stored("", ""), kNotModified},
        Case{"DateLater", "If-Modified-Since: " + kLater + "\r\n", Stored("", ""), kProceed},
        // 13.1.1
        Case{"MatchSame", "If-Match: \"v1\"\r\n", Stored(), kProceed},
        Case{"MatchOther", "If-Match: \"v2\"\r\n", Stored(), kFailed},
        Case{"MatchIsStrong", "If-Match: W/\"v1\"\r\n", Stored("W/\"v1\""), kFailed},
        Case{"MatchAny", "If-Match: *\r\n", Stored(""), kProceed},
        // 13.1.4
        Case{"UnmodifiedSinceEqual", "If-Unmodified-Since: " + kModified + "\r\n", Stored(),
             kProceed},
        Case{"UnmodifiedSinceEarlier", "If-Unmodified-Since: " + kEarlier + "\r\n", Stored(),
             kFailed},
        Case{"UnmodifiedSinceNoDate", "If-Unmodified-Since: x\r\n", Stored(), kProceed},
        Case{"UnmodifiedSinceUnknown", "If-Unmodified-Since: " + kEarlier + "\r\n",
             Stored("\"v1\"", ""), kProceed},
        // 13.2.2
        Case{"MatchBeatsUnmodifiedSince",
             "If-Match: \"v1\"\r\nIf-Unmodified-Since: " + kEarlier + "\r\n", Stored(), kProceed},
        Case{"MatchComesBeforeNoneMatch", "If-None-Match: \"v1\"\r\nIf-Match: \"v2\"\r\n", Stored(),
             kFailed},
        Case{"MatchThenNoneMatch", "If-None-Match: \"v1\"\r\nIf-Match: \"v1\"\r\n", Stored(),
             kNotModified}),
    NameOf);

TEST(Rfc9110Section1321Test, OnlyA200ToGetOrHeadHasConditions) {
  const std::string lines = "If-None-Match: \"v1\"\r\n";
  ObjectHead not_found = Stored();
  not_found.status = 404;
  EXPECT_EQ(EvaluateConditions(Request(lines).head(), not_found), kProceed);
  EXPECT_EQ(EvaluateConditions(Request(lines, "POST").head(), Stored()), kProceed);
  EXPECT_EQ(EvaluateConditions(Request(lines, "HEAD").head(), Stored()), kNotModified);
}

std::vector<ByteRangeSpec> RangeOf(const std::string& lines, const ObjectHead& stored = Stored(),
                                   const std::string& method = "GET") {
  return RequestedRanges(Request(lines, method).head(), stored);
}

const std::vector<ByteRangeSpec> kFive = {{5, std::nullopt}};
const std::vector<ByteRangeSpec> kWhole;

TEST(Rfc9110Section142Test, ARangeIsTakenOfA200ToGet) {
  ObjectHead gone = Stored();
  gone.status = 410;
  EXPECT_EQ(RangeOf("Range: bytes=5-\r\n"), kFive);
  EXPECT_EQ(RangeOf(""), kWhole);
  EXPECT_EQ(RangeOf("Range: bytes=5-\r\n", Stored(), "HEAD"), kWhole);
  EXPECT_EQ(RangeOf("Range: bytes=5-\r\n", gone), kWhole);
  EXPECT_EQ(RangeOf("Range: bytes=5-\r\nRange: bytes=6-\r\n"), kWhole);
}

TEST(Rfc9110Section1315Test, IfRangeTakesAStrongTagOnly) {
  const std::string range = "Range: bytes=5-\r\n";
  EXPECT_EQ(RangeOf(range + "If-Range: \"v1\"\r\n"), kFive);
  EXPECT_EQ(RangeOf(range + "If-Range: \"v2\"\r\n"), kWhole);
  EXPECT_EQ(RangeOf(range + "If-Range: W/\"v1\"\r\n", Stored("W/\"v1\"")), kWhole);
  EXPECT_EQ(RangeOf(range + "If-Range: v1\r\n", Stored("v1")), kWhole);
}

TEST(Rfc9110Section1315Test, IfRangeTakesTheVeryDateIfItIsStrong) {
  const std::string range = "Range: bytes=5-\r\n";
  EXPECT_EQ(RangeOf(range + "If-Range: " + kModified + "\r\n"), kFive);
  EXPECT_EQ(RangeOf(range + "If-Range: " + kLater + "\r\n"), kWhole);
  EXPECT_EQ(RangeOf(range + "If-Range: " + kModified + "\r\n", Stored("", "")), kWhole);

  // 8.8.2.2: modified in the second in which it was sent.
  ObjectHead fresh = Stored();
  fresh.fields = "Date: " + kModified + "\r\n";
  EXPECT_EQ(RangeOf(range + "If-Range: " + kModified + "\r\n", fresh), kWhole);
}

TEST(IsConditionalTest, ARangeOrAnyPreconditionMakesARequestOne) {
  for (const std::string name : {"Range", "If-Range", "If-Match", "If-None-Match",
                                 "If-Modified-Since", "If-Unmodified-Since"}) {
    EXPECT_TRUE(IsConditional(Request(name + ": x\r\n").fields())) << name;
  }
  EXPECT_FALSE(IsConditional(Request("Accept-Ranges: bytes\r\nIf: x\r\n").fields()));
}

}  // namespace
}  // namespace reef::http
