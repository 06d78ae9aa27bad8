// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/upstream_request.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/httpproxy/core/message.h"

namespace reef::http {
namespace {

const SitePolicy kSite = SitePolicy::NamedSite();
const SitePolicy kZone = SitePolicy::OpenZone();
const std::string kOurs = "Via: 1.1 reef\r\nCDN-Loop: reef\r\n";

std::string Upstream(const Request& request, const SitePolicy& policy = kSite,
                     const UpstreamContext& context = {}) {
  std::string out;
  AppendUpstreamFields(request.head(), policy, context, out);
  return out;
}

TEST(Rfc9110Section76Test, UnknownFieldsPassAndOurOwnFollow) {
  EXPECT_EQ(Upstream(Request("Accept: */*\r\nX-Thing: 1\r\nX-Thing: 2\r\nUser-Agent: u\r\n")),
            "Accept: */*\r\nX-Thing: 1\r\nX-Thing: 2\r\nUser-Agent: u\r\n" + kOurs);
}

TEST(Rfc9110Section761Test, HopByHopFieldsAreRemoved) {
  EXPECT_EQ(Upstream(Request("Connection: keep-alive, X-Hop\r\nx-hop: 1\r\nKeep-Alive: 5\r\n"
                             "TE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n"
                             "Proxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\n"
                             "Transfer-Encoding: chunked\r\n",
                             "POST")),
            kOurs);
}

TEST(Rfc9110Section761Test, WhatAMessageNeedsCannotBeNamedAway) {
  const Request request(
      "Connection: CDN-Loop, Via, X-Forwarded-For, Host, Cache-Control\r\n"
      "CDN-Loop: reef\r\nVia: 1.1 reef\r\nCache-Control: no-cache\r\n");
  EXPECT_EQ(Upstream(request),
            "Cache-Control: no-cache\r\nVia: 1.1 reef, 1.1 reef\r\nCDN-Loop: reef, reef\r\n");
}

TEST(UpstreamFieldsTest, FramingRoutingAndPeerFieldsAreNotTheClients) {
  EXPECT_EQ(Upstream(Request("Content-Length: 5\r\nExpect: 100-continue\r\n"
                             "Reef-Peer: v=1\r\nReef-Answer: busy\r\n",
                             "POST")),
            kOurs);
}

const std::string kConditions =
    "If-Match: \"a\"\r\nIf-None-Match: \"a\"\r\nIf-Modified-Since: x\r\n"
    "If-Unmodified-Since: x\r\nIf-Range: \"a\"\r\nRange: bytes=0-1\r\n";

TEST(UpstreamFieldsTest, ConditionsAndRangesAreAnsweredHereUnlessTheFetchIsForOneClient) {
  EXPECT_EQ(Upstream(Request(kConditions)), kOurs);
  EXPECT_EQ(Upstream(Request(kConditions), kSite, {.keep_conditions = true}), kConditions + kOurs);
}

TEST(OpenZoneTest, NeitherCookiesNorAClientsWishesToCachesGoOn) {
  const std::string lines = "Cookie: a=b\r\nCookie2: c\r\nCache-Control: no-cache\r\nPragma: x\r\n";
  EXPECT_EQ(Upstream(Request(lines), kZone), kOurs);
  EXPECT_EQ(Upstream(Request(lines), kSite), lines + kOurs);
}

TEST(Rfc9110Section763Test, ViaNamesTheVersionReceived) {
  EXPECT_EQ(Upstream(Request("Via: 1.1 a\r\nVia: 1.0 b\r\n", "GET", "/", "HTTP/1.0")),
            "Via: 1.1 a, 1.0 b, 1.0 reef\r\nCDN-Loop: reef\r\n");
}

TEST(UpstreamFieldsTest, TheClientsAddressIsAppended) {
  EXPECT_EQ(Upstream(Request("X-Forwarded-For: 10.0.0.1\r\n"), kSite,
                     {.via = "v", .cdn_id = "c", .client_address = "192.0.2.1"}),
            "Via: 1.1 v\r\nCDN-Loop: c\r\nX-Forwarded-For: 10.0.0.1, 192.0.2.1\r\n");
}

TEST(UpstreamFieldsTest, AFullHeadStillFitsATable) {
  std::string lines;
  for (int i = 0; i < 99; ++i) lines += "X: y\r\n";
  FieldTable table;
  EXPECT_TRUE(ReadFieldLines(Upstream(Request(lines), kSite, {.client_address = "::1"}), table));
  EXPECT_EQ(table.size(), 102u);
}

int Seen(const std::string& lines) {
  return TimesSeen(Request(lines).fields(), "reef", "reef.cdn");
}

TEST(Rfc8586Test, OurOwnIdInCdnLoopIsCounted) {
  EXPECT_EQ(Seen(""), 0);
  EXPECT_EQ(Seen("CDN-Loop: other, reef.cdnx, xreef.cdn\r\n"), 0);
  EXPECT_EQ(Seen("CDN-Loop: reef.cdn\r\n"), 1);
  EXPECT_EQ(Seen("CDN-Loop: other; a=b, REEF.cdn ; a=\"x, y\"\r\nCDN-Loop: reef.cdn\r\n"), 2);
}

TEST(Rfc8586Test, AnOpenQuoteOfTheClientsHidesNoLoop) {
  const Request request("CDN-Loop: x\"\r\nVia: 1.1 y (\"\r\n");
  const Request second(Upstream(request));
  EXPECT_EQ(TimesSeen(second.fields(), "reef", "reef"), 1);
  EXPECT_EQ(TimesSeen(Request(Upstream(second)).fields(), "reef", "reef"), 2);
}

TEST(Rfc9110Section763Test, OurOwnPseudonymInViaIsCounted) {
  EXPECT_EQ(Seen("Via: 1.1 other, reef, 1.1 reefs\r\n"), 0);
  EXPECT_EQ(Seen("Via: 1.1 reef\r\n"), 1);
  EXPECT_EQ(Seen("Via: HTTP/1.1  Reef (comment), 1.0 reef\r\nCDN-Loop: reef.cdn\r\n"), 2);
}

}  // namespace
}  // namespace reef::http
