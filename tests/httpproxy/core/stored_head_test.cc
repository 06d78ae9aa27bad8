// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/stored_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "httpproxy/core/http_date.h"
#include "tests/httpproxy/core/message.h"

namespace reef::http {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;

const WallTime kNow = FromUnixSeconds(784'111'777);
const std::string kDate = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
const SitePolicy kSite = SitePolicy::NamedSite();

ObjectHead Make(const std::string& lines, const std::string& request_fields = "",
                const SitePolicy& policy = kSite) {
  const Response response(lines);
  return MakeObjectHead(response.head(), Admit({}, response.head(), policy, kNow, kNow),
                        request_fields, policy, kNow);
}

TEST(Rfc9111Section31Test, EndToEndFieldsAreKeptInTheirOrder) {
  const std::string lines = "Server: s\r\n" + kDate +
                            "ETag: \"a\"\r\nLast-Modified: x\r\nX-One: 1\r\nX-One: 2\r\n"
                            "Link: <a>\r\nVia: 1.1 other\r\n";
  const ObjectHead head = Make(lines + "Content-Length: 7\r\n");

  EXPECT_EQ(head.fields, lines);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.reason, "X");
  EXPECT_EQ(head.content_length, 7u);
  EXPECT_EQ(head.etag, "\"a\"");
  EXPECT_EQ(head.last_modified, "x");
}

TEST(Rfc9111Section31Test, FieldsOfOneConnectionAreNot) {
  EXPECT_EQ(Make("Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
                 "Transfer-Encoding: chunked\r\nTrailer: X\r\nUpgrade: h2c\r\nTE: trailers\r\n"
                 "Proxy-Connection: close\r\nProxy-Authenticate: Basic\r\n"
                 "Proxy-Authentication-Info: x\r\nAge: 5\r\nCache-Status: other; hit\r\n"
                 "Reef-Answer: busy\r\n" +
                 kDate)
                .fields,
            kDate);
}

TEST(Rfc9110Section761Test, ConnectionCannotTakeAwayWhatCachingNeeds) {
  const std::string kept = kDate + "Cache-Control: private\r\nVary: A\r\n";
  EXPECT_EQ(Make("Connection: cache-control, vary, date\r\n" + kept).fields, kept);
}

TEST(Rfc9110Section661Test, AMissingDateIsTheTimeOfReceipt) {
  EXPECT_EQ(Make("A: b\r\n").fields, "A: b\r\n" + kDate);
}

TEST(OpenZoneTest, CookiesAreDropped) {
  const std::string lines = "Set-Cookie: a=b\r\nSet-Cookie2: c\r\n" + kDate;
  EXPECT_EQ(Make(lines, "", SitePolicy::OpenZone()).fields, kDate);
  EXPECT_EQ(Make(lines).fields, lines);
}

TEST(Rfc9111Section41Test, VaryKeepsTheRequestsValuesSortedByName) {
  const ObjectHead head = Make("Vary: User-Agent, accept\r\nVary: X-None, Accept\r\n" + kDate,
                               "Accept: a\r\nUser-Agent: u\r\nAccept: b\r\n");

  EXPECT_THAT(head.vary, ElementsAre(Pair("accept", "a, b"), Pair("user-agent", "u"),
                                     Pair("x-none", kAbsentField)));
}

bool Matches(const std::string& vary, const std::string& first, const std::string& second) {
  const ObjectHead head = Make("Vary: " + vary + "\r\n", first);
  FieldTable fields;
  EXPECT_TRUE(ReadFieldLines(second, fields));
  return MatchesVary(head, fields);
}

TEST(Rfc9111Section41Test, AStoredResponseMatchesEqualValuesOnly) {
  EXPECT_TRUE(Matches("Accept", "Accept: a\r\n", "X: y\r\naccept: a\r\n"));
  EXPECT_FALSE(Matches("Accept", "Accept: a\r\n", "Accept: b\r\n"));
  EXPECT_FALSE(Matches("Accept", "Accept: a\r\n", ""));
  EXPECT_FALSE(Matches("Accept", "", "Accept: a\r\n"));
  EXPECT_TRUE(Matches("Accept", "", ""));
  EXPECT_FALSE(Matches("Accept", "Accept:\r\n", ""));
  EXPECT_FALSE(Matches("X-A", "", "X-A:\r\n"));
  EXPECT_TRUE(Matches("X-A", "X-A:\r\n", "X-A:\r\n"));
  EXPECT_FALSE(Matches("A, B", "A: 1\r\nB: 2\r\n", "A: 1\r\nB: 3\r\n"));
  EXPECT_FALSE(Matches("*", "", ""));
  EXPECT_TRUE(Matches("Host", "", "Host: h\r\n"));
}

// ---- 304 ----

bool Confirms(const std::string& stored, const std::string& not_modified) {
  const Response response(not_modified, 304);
  return ConfirmsStored(Make(stored), response.head());
}

TEST(Rfc9111Section434Test, A304SpeaksOfWhatHasTheSameValidator) {
  EXPECT_TRUE(Confirms("ETag: \"a\"\r\n", "ETag: \"a\"\r\n"));
  EXPECT_FALSE(Confirms("ETag: \"a\"\r\n", "ETag: \"b\"\r\n"));
  EXPECT_TRUE(Confirms("ETag: \"a\"\r\n", "ETag: W/\"a\"\r\n"));
  EXPECT_FALSE(Confirms("ETag: W/\"a\"\r\n", "ETag: \"a\"\r\n"));
  EXPECT_TRUE(Confirms("ETag: unquoted\r\n", "ETag: unquoted\r\n"));
  EXPECT_TRUE(Confirms("Last-Modified: x\r\n", "Last-Modified: x\r\n"));
  EXPECT_FALSE(Confirms("Last-Modified: x\r\n", "Last-Modified: y\r\n"));
  EXPECT_FALSE(Confirms("Last-Modified: x\r\n", "ETag: \"a\"\r\nLast-Modified: x\r\n"));
  EXPECT_TRUE(Confirms("ETag: \"a\"\r\n", ""));
}

Freshened Confirmed(const std::string& stored, const std::string& not_modified,
                    const SitePolicy& policy = kSite) {
  ObjectHead head = Make(stored);
  head.freshness.lifetime = 5s;
  const Response response(not_modified, 304);
  return Freshen(head, response.head(), policy, kNow, kNow);
}
ObjectHead HeadAfter(const std::string& stored, const std::string& not_modified) {
  return Confirmed(stored, not_modified).head;
}

TEST(Rfc9111Section522Test, WithheldFieldsAreNotKept) {
  const std::string lines = "Cache-Control: private=\"x-a\", no-cache=\"set-cookie\"\r\n" + kDate;
  const std::string withheld = "X-A: 1\r\nSet-Cookie: a=b\r\n";
  const Response response(lines + withheld + "X-B: 2\r\n");

  EXPECT_EQ(Make(lines + withheld + "X-B: 2\r\n").fields, lines + "X-B: 2\r\n");
  EXPECT_EQ(WithheldFields(response.head(), ParseResponseDirectives(response.fields()), kSite),
            withheld);
  EXPECT_EQ(HeadAfter(lines + "X-A: 0\r\n", lines + withheld).fields, lines);
}

TEST(Rfc9111Section522Test, DroppedCookiesAreNotWithheldButGone) {
  const Response response("Cache-Control: private=\"set-cookie\"\r\nSet-Cookie: a=b\r\n");
  EXPECT_EQ(WithheldFields(response.head(), ParseResponseDirectives(response.fields()),
                           SitePolicy::OpenZone()),
            "");
}

TEST(Rfc9111Section522Test, WhatIsWithheldIsDecidedByA304AndWhatIsStoredTogether) {
  const std::string said = "Cache-Control: max-age=9, private=\"x-a\"\r\n";
  const Freshened old = Confirmed(said + "ETag: \"a\"\r\n" + kDate, "X-A: 1\r\n" + kDate);
  EXPECT_EQ(old.head.fields, said + "ETag: \"a\"\r\n" + kDate);
  EXPECT_EQ(old.own_fields, "X-A: 1\r\n");
  EXPECT_TRUE(old.share);

  const std::string says = "Cache-Control: max-age=9, private=\"x-b\"\r\n";
  const Freshened now =
      Confirmed("Cache-Control: max-age=9\r\nX-B: 0\r\nX-C: 0\r\n" + kDate, says + kDate);
  EXPECT_EQ(now.head.fields, "X-C: 0\r\n" + says + kDate);
  EXPECT_EQ(now.own_fields, "");
  EXPECT_EQ(Confirmed("X-B: 0\r\n" + kDate, says + "X-B: 1\r\n" + kDate).own_fields, "X-B: 1\r\n");
}

TEST(Rfc9111Section434Test, A304ThatForbidsKeepingTakesTheStoredResponseFromOthers) {
  const std::string stored = "Cache-Control: max-age=9\r\nETag: \"a\"\r\n" + kDate;
  const auto after = [&](const std::string& directives) {
    return Confirmed(stored, "Cache-Control: " + directives + "\r\n" + kDate);
  };
  EXPECT_EQ(after("max-age=9").reason, StoreReason::kStored);
  EXPECT_TRUE(after("max-age=9").share);
  EXPECT_EQ(after("private, max-age=9").reason, StoreReason::kPrivate);
  EXPECT_FALSE(after("private, max-age=9").share);
  EXPECT_EQ(after("no-store, max-age=9").reason, StoreReason::kNoStore);
  EXPECT_FALSE(after("no-store, max-age=9").share);
  EXPECT_EQ(after("no-cache").reason, StoreReason::kStored);
  EXPECT_FALSE(after("no-cache").share);
}

std::string ValueOf(const std::string& lines, std::string_view name) {
  FieldTable fields;
  EXPECT_TRUE(ReadFieldLines(lines, fields));
  return SelectingValue(fields, name);
}

TEST(Rfc9111Section41Test, OfListsThatAreKnownBlanksAndLinesDoNotSelect) {
  for (const std::string name :
       {"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language"}) {
    EXPECT_EQ(ValueOf(name + ": 1,2 ,, 3\r\nB: x\r\n" + name + ": 4\r\n", name), "1, 2, 3, 4");
    EXPECT_EQ(ValueOf(name + ": \"1,2\",3\r\n", name), "\"1,2\", 3");
  }
  EXPECT_EQ(ValueOf("Accept: De\r\n", "accept"), "De");
  EXPECT_EQ(ValueOf("Accept-Language: De,EN;q=0.5\r\n", "accept-language"), "de, en;q=0.5");
}

TEST(Rfc9111Section41Test, AnyOtherFieldSelectsAsItWasSent) {
  EXPECT_EQ(ValueOf("A: 1,2 ,, 3\r\nB: x\r\na: 4\r\n", "a"), "1,2 ,, 3, 4");
  EXPECT_EQ(ValueOf("User-Agent: a (b,c)\r\n", "user-agent"), "a (b,c)");
}

TEST(Rfc9111Section41Test, AnAbsentFieldIsNoEmptyOne) {
  for (const std::string name : {"Accept", "X-A"}) {
    EXPECT_EQ(ValueOf("B: x\r\n", name), kAbsentField);
    EXPECT_EQ(ValueOf(name + ":\r\n", name), "");
  }
}

TEST(Rfc9111Section32Test, FieldsOfThe304ReplaceThoseOfTheSameName) {
  const ObjectHead head = HeadAfter(
      "Content-Type: text/html\r\nX-A: old\r\nX-A: older\r\nX-B: kept\r\nETag: \"a\"\r\n" + kDate,
      "Date: Sun, 06 Nov 1994 09:00:00 GMT\r\nx-a: new\r\nX-C: added\r\nETag: \"a\"\r\n");

  EXPECT_EQ(head.fields,
            "Content-Type: text/html\r\nX-B: kept\r\n"
            "Date: Sun, 06 Nov 1994 09:00:00 GMT\r\nx-a: new\r\nX-C: added\r\nETag: \"a\"\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.etag, "\"a\"");
}

TEST(Rfc9111Section32Test, WhatTheBodyIsReadByStays) {
  const std::string stored = "Content-Encoding: gzip\r\n" + kDate;
  const ObjectHead head =
      HeadAfter(stored + "Content-Length: 9\r\n",
                "Content-Type: text/plain\r\nContent-Encoding: br\r\nContent-Range: bytes 0-1/2\r\n"
                "Content-Length: 0\r\nConnection: close\r\n" +
                    kDate);
  EXPECT_EQ(head.fields, "Content-Encoding: gzip\r\nContent-Type: text/plain\r\n" + kDate);
  EXPECT_EQ(head.content_length, 9u);
}

TEST(Rfc9111Section434Test, FreshnessIsThatOfTheMergedFields) {
  const std::string stored = "Cache-Control: max-age=60\r\nLast-Modified: x\r\n" + kDate;
  EXPECT_EQ(HeadAfter(stored, kDate).freshness.lifetime, 60s);
  EXPECT_EQ(HeadAfter(stored, kDate).freshness.born, kNow);
  EXPECT_EQ(HeadAfter(stored, kDate + "Cache-Control: max-age=90\r\n").freshness.lifetime, 90s);
  EXPECT_EQ(HeadAfter(stored, kDate + "Age: 7\r\n").freshness.born, kNow - 7s);
  EXPECT_EQ(HeadAfter(stored, kDate + "Age: 7\r\n").fields.find("Age"), std::string::npos);
}

TEST(Rfc9110Section661Test, A304WithoutDateIsOfNow) {
  const std::string old = "Date: Sat, 05 Nov 1994 08:49:37 GMT\r\n";
  const ObjectHead head = HeadAfter("Cache-Control: max-age=60\r\n" + old, "");
  EXPECT_EQ(head.fields, "Cache-Control: max-age=60\r\n" + kDate);
  EXPECT_EQ(head.freshness.born, kNow);
}

TEST(FreshenTest, AnOriginThatAddsFieldsWithoutEndGetsNoFreshness) {
  std::string stored = "Cache-Control: max-age=60\r\n", added;
  for (int i = 0; i < 70; ++i) {
    stored += "A" + std::to_string(i) + ": x\r\n";
    added += "B" + std::to_string(i) + ": x\r\n";
  }
  EXPECT_EQ(HeadAfter(stored, added).freshness.lifetime, 0s);
}

TEST(Rfc9111Section431Test, ValidationNamesWhatIsStored) {
  EXPECT_EQ(ValidationFields(Make("ETag: \"a\"\r\nLast-Modified: x\r\n")),
            "If-None-Match: \"a\"\r\nIf-Modified-Since: x\r\n");
  EXPECT_EQ(ValidationFields(Make("Last-Modified: x\r\n")), "If-Modified-Since: x\r\n");
  EXPECT_EQ(ValidationFields(Make("A: b\r\n")), "");
}

}  // namespace
}  // namespace reef::http
