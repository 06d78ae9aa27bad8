// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/cache_control.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/httpproxy/core/message.h"

namespace reef::http {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLong = std::chrono::seconds(1ll << 31);

RequestDirectives OfRequest(const std::string& lines) {
  return ParseRequestDirectives(Request(lines).fields());
}
ResponseDirectives OfResponse(const std::string& lines) {
  return ParseResponseDirectives(Response(lines).fields());
}
ResponseDirectives OfValue(const std::string& value) {
  return OfResponse("Cache-Control: " + value + "\r\n");
}

TEST(Rfc9111Section521Test, RequestDirectivesAreRead) {
  EXPECT_EQ(OfRequest("Cache-Control: no-cache, no-store, no-transform, only-if-cached\r\n"),
            (RequestDirectives{
                .no_cache = true, .no_store = true, .no_transform = true, .only_if_cached = true}));
  EXPECT_EQ(
      OfRequest("Cache-Control: max-age=1, min-fresh=2, max-stale=3, stale-if-error=4\r\n"),
      (RequestDirectives{.max_age = 1s, .min_fresh = 2s, .max_stale = 3s, .stale_if_error = 4s}));
  EXPECT_EQ(OfRequest("Cache-Control: max-stale\r\n"), RequestDirectives{.any_stale = true});
  EXPECT_EQ(OfRequest(""), RequestDirectives{});
}

TEST(Rfc9111Section521Test, AnInvalidRequestArgumentAsksForNothing) {
  EXPECT_EQ(OfRequest("Cache-Control: max-age=x, min-fresh=, max-stale=-1\r\n"),
            RequestDirectives{});
}

TEST(Rfc9111Section54Test, PragmaCountsOnlyWithoutCacheControl) {
  EXPECT_TRUE(OfRequest("Pragma: x, No-Cache\r\n").no_cache);
  EXPECT_FALSE(OfRequest("Pragma: no-cache\r\nCache-Control: max-age=5\r\n").no_cache);
  EXPECT_FALSE(OfResponse("Pragma: no-cache\r\n").no_cache);
}

TEST(Rfc9111Section522Test, ResponseDirectivesAreRead) {
  EXPECT_EQ(OfValue("no-cache, no-store, no-transform, public, private, must-revalidate, "
                    "proxy-revalidate, must-understand, immutable"),
            (ResponseDirectives{.no_cache = true,
                                .no_store = true,
                                .no_transform = true,
                                .is_public = true,
                                .is_private = true,
                                .must_revalidate = true,
                                .proxy_revalidate = true,
                                .must_understand = true,
                                .immutable = true}));
  EXPECT_EQ(
      OfValue("max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4"),
      (ResponseDirectives{
          .max_age = 1s, .s_maxage = 2s, .stale_while_revalidate = 3s, .stale_if_error = 4s}));
}

TEST(Rfc9111Section52Test, NamesAreCaseInsensitiveAndArgumentsMayBeQuoted) {
  EXPECT_EQ(OfValue("MAX-Age=\"60\""), ResponseDirectives{.max_age = 60s});
}

TEST(Rfc9111Section52Test, SeveralLinesAreOneList) {
  EXPECT_EQ(OfResponse("Cache-Control: max-age=5\r\nX: y\r\ncache-control: ,no-cache,,\r\n"),
            (ResponseDirectives{.no_cache = true, .max_age = 5s}));
}

TEST(Rfc9111Section523Test, UnknownDirectivesAndTheirArgumentsAreIgnored) {
  EXPECT_EQ(OfValue("community=\"UCI, no-store, max-age=1\", x, max-age=9, max-ages=3, =, =5"),
            ResponseDirectives{.max_age = 9s});
}

TEST(Rfc9111Section522Test, QualifiedFormsNameFields) {
  // The names are views into it.
  const Response response("Cache-Control: no-cache=\"Set-Cookie\", private=\"X-A, x-b\"\r\n");
  const ResponseDirectives directives = ParseResponseDirectives(response.fields());
  EXPECT_FALSE(directives.no_cache);
  EXPECT_FALSE(directives.is_private);
  EXPECT_TRUE(directives.Withholds("set-cookie"));
  EXPECT_TRUE(directives.Withholds("x-a"));
  EXPECT_TRUE(directives.Withholds("X-B"));
  EXPECT_FALSE(directives.Withholds("X-C"));
  EXPECT_FALSE(OfValue("private=\"X-A, no-store\"").no_store);
}

TEST(Rfc9111Section522Test, QualifiedFormsOfNoUseCountAsUnqualified) {
  for (const std::string names : {"", "\"\"", "\"a b\"", "\"a\", no-cache=\"b\"", "\"Vary\"",
                                  "\"X-A, Cache-Control\"", "\"Date\"", "\"X-A"}) {
    EXPECT_TRUE(OfValue("no-cache=" + names).no_cache) << names;
  }
  EXPECT_TRUE(OfValue("private=\"ETag\"").is_private);
}

TEST(Rfc9111Section522Test, AnArgumentThatIsNotQuotedQualifiesNothing) {
  for (const std::string argument : {"1", "true", "X-A", "x-a\""}) {
    EXPECT_TRUE(OfValue("private=" + argument).is_private) << argument;
    EXPECT_TRUE(OfValue("no-cache=" + argument).no_cache) << argument;
    EXPECT_FALSE(OfValue("private=" + argument).Withholds("x-a")) << argument;
  }
}

TEST(Rfc9111Section421Test, OfARepeatedDirectiveTheFirstCounts) {
  EXPECT_EQ(OfValue("max-age=1, max-age=2").max_age, 1s);
  EXPECT_EQ(OfResponse("Cache-Control: s-maxage=1\r\nCache-Control: s-maxage=2\r\n").s_maxage, 1s);
}

TEST(Rfc9111Section421Test, InvalidFreshnessIsStale) {
  for (const std::string value :
       {"max-age=", "max-age=x", "max-age=-1", "max-age=1.5", "max-age", "max-age=1 0",
        "max-age= 1", "max-age='1'", "max-age=1, max-age=x", "max-age=+1", "max-age=0x1",
        "max-age=\"1"}) {
    const auto max_age = OfValue(value).max_age;
    ASSERT_TRUE(max_age.has_value()) << value;
    EXPECT_EQ(*max_age, value.starts_with("max-age=1,") ? 1s : 0s) << value;
  }
}

TEST(Rfc9111Section122Test, TooManySecondsAreTheLargestNumber) {
  EXPECT_EQ(ParseDeltaSeconds("2147483647"), Duration(2147483647s));
  EXPECT_EQ(ParseDeltaSeconds("2147483648"), kLong);
  EXPECT_EQ(ParseDeltaSeconds("2147483649"), kLong);
  EXPECT_EQ(ParseDeltaSeconds("99999999999999999999999999"), kLong);
  EXPECT_EQ(ParseDeltaSeconds("007"), Duration(7s));
  EXPECT_EQ(ParseDeltaSeconds(""), std::nullopt);
  EXPECT_EQ(ParseDeltaSeconds("1s"), std::nullopt);
}

TEST(Rfc9213Section22Test, CdnCacheControlStandsForCacheControl) {
  EXPECT_EQ(OfResponse("Cache-Control: no-store, max-age=1\r\nCDN-Cache-Control: max-age=600\r\n"),
            (ResponseDirectives{.targeted = true, .max_age = 600s}));
  EXPECT_EQ(OfResponse("CDN-Cache-Control: max-age=5;x=1, no-cache=?0, must-revalidate=?1\r\n"),
            (ResponseDirectives{.must_revalidate = true, .targeted = true, .max_age = 5s}));
}

TEST(Rfc9213Section22Test, AMalformedOrEmptyFieldIsIgnoredAsAWhole) {
  for (const std::string value : {"", "max-age=600,", ",max-age=600", "max-age=600,,no-store",
                                  "Max-Age=600", "max-age=", "max-age=\"x", "max-age=600 no-store",
                                  "max-age=6_0", "max-age=?2", "9=1", "max-age=1234567890123456"}) {
    EXPECT_EQ(OfResponse("Cache-Control: max-age=1\r\nCDN-Cache-Control: " + value + "\r\n"),
              ResponseDirectives{.max_age = 1s})
        << value;
  }
}

}  // namespace
}  // namespace reef::http
