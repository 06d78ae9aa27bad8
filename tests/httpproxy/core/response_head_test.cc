// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/response_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "httpproxy/core/cache_status.h"

namespace reef::http {
namespace {

using Kind = BodyFraming::Kind;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string Written(const ResponseStart& start) {
  std::string out;
  AppendResponseHead(start, out);
  return out;
}

TEST(AppendResponseHeadTest, OfAHitHasEverythingInItsPlace) {
  const CacheStatus status{.hit = true, .ttl_seconds = 123};
  ResponseStart start;
  start.reason = "OK";
  start.fields = "Content-Type: text/plain\r\nDate: d\r\n";
  start.more_fields = "Content-Range: bytes 0-1/2\r\n";
  start.framing = {Kind::kLength, 1024};
  start.age_seconds = 7;
  start.via = "reef";
  start.cache_status = &status;

  std::string out = "before|";
  AppendResponseHead(start, out);

  EXPECT_EQ(out,
            "before|HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: d\r\n"
            "Content-Range: bytes 0-1/2\r\nContent-Length: 1024\r\nAge: 7\r\nVia: 1.1 reef\r\n"
            "Cache-Status: reef; hit; ttl=123\r\n\r\n");
}

TEST(AppendResponseHeadTest, SaysOnlyWhatItIsAskedTo) {
  EXPECT_EQ(Written({}), "HTTP/1.1 200 OK\r\n\r\n");
}

TEST(Rfc9112Section4Test, TheReasonIsTheOriginsOwnElseTheStatuss) {
  ResponseStart start;
  start.status = 404;
  EXPECT_THAT(Written(start), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  start.reason = "Nothing  here";
  EXPECT_THAT(Written(start), StartsWith("HTTP/1.1 404 Nothing  here\r\n"));
  start.status = 200;
  EXPECT_THAT(Written(start), StartsWith("HTTP/1.1 200 Nothing  here\r\n"));
  start.status = 299;
  start.reason = {};
  EXPECT_THAT(Written(start), StartsWith("HTTP/1.1 299 Unknown\r\n"));
}

TEST(Rfc9112Section6Test, FramingIsStated) {
  ResponseStart start;
  start.framing = {Kind::kLength, 0};
  EXPECT_THAT(Written(start), HasSubstr("\r\nContent-Length: 0\r\n"));
  start.framing = {Kind::kLength, UINT64_MAX};
  EXPECT_THAT(Written(start), HasSubstr("\r\nContent-Length: 18446744073709551615\r\n"));
  start.framing = {Kind::kChunked, 0};
  EXPECT_THAT(Written(start), HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  start.framing = {Kind::kUntilClose, 0};
  EXPECT_EQ(Written(start), "HTTP/1.1 200 OK\r\n\r\n");
}

TEST(Rfc9112Section96Test, ConnectionIsStatedWhereItIsNotTheVersionsOwn) {
  ResponseStart start;
  start.keep_alive = false;
  EXPECT_THAT(Written(start), HasSubstr("\r\nConnection: close\r\n"));
  start.minor = 0;
  EXPECT_THAT(Written(start), HasSubstr("\r\nConnection: close\r\n"));
  start.keep_alive = true;
  EXPECT_THAT(Written(start), HasSubstr("\r\nConnection: keep-alive\r\n"));
  start.status = 102;
  EXPECT_EQ(Written(start), "HTTP/1.1 102 Processing\r\n\r\n");
}

TEST(Rfc9111Section51Test, AgeIsNeverNegative) {
  ResponseStart start;
  start.age_seconds = -5;
  EXPECT_THAT(Written(start), HasSubstr("\r\nAge: 0\r\n"));
}

std::string StatusOf(const CacheStatus& status) {
  std::string out;
  AppendCacheStatus(status, out);
  return out;
}

TEST(Rfc9211Section2Test, MembersSayHitOrWhyNot) {
  EXPECT_EQ(StatusOf({.hit = true, .ttl_seconds = 123}), "reef; hit; ttl=123");
  EXPECT_EQ(StatusOf({.hit = true, .ttl_seconds = -9}), "reef; hit; ttl=-9");
  EXPECT_EQ(StatusOf({.forwarded = Forwarded::kUriMiss,
                      .forward_status = 200,
                      .stored = true,
                      .collapsed = true,
                      .detail = "peer-l0"}),
            "reef; fwd=uri-miss; fwd-status=200; stored; collapsed; detail=peer-l0");
  EXPECT_EQ(StatusOf({.cache = "x"}), "x");
}

TEST(Rfc9211Section22Test, EveryReasonHasItsName) {
  const std::pair<Forwarded, std::string> names[] = {
      {Forwarded::kBypass, "bypass"},    {Forwarded::kMethod, "method"},
      {Forwarded::kUriMiss, "uri-miss"}, {Forwarded::kVaryMiss, "vary-miss"},
      {Forwarded::kMiss, "miss"},        {Forwarded::kRequest, "request"},
      {Forwarded::kStale, "stale"},      {Forwarded::kPartial, "partial"}};
  for (const auto& [forwarded, name] : names) {
    EXPECT_EQ(StatusOf({.forwarded = forwarded}), "reef; fwd=" + name);
  }
}

TEST(Rfc9211Section2Test, OurMemberIsTheLastOfTheList) {
  const CacheStatus status{.hit = true};
  ResponseStart start;
  start.cache_status = &status;
  start.upstream_cache_status = "other; hit, reef; fwd=miss";
  EXPECT_THAT(Written(start),
              HasSubstr("\r\nCache-Status: other; hit, reef; fwd=miss, reef; hit\r\n"));
}

TEST(Rfc9209Section23Test, ProxyStatusNamesTheErrorAndQuotesTheDetails) {
  std::string out;
  AppendProxyStatus("reef", ProxyError::kConnectionRefused, "a \"b\\\r\n\x7f c", out);
  EXPECT_EQ(out, "reef; error=connection_refused; details=\"a \\\"b\\\\ c\"");
  out.clear();
  AppendProxyStatus("reef", ProxyError::kProxyLoopDetected, "", out);
  EXPECT_EQ(out, "reef; error=proxy_loop_detected");
}

// ---- Errors ----

std::string Error(const ErrorText& text, const ErrorContext& context = {}) {
  std::string out;
  AppendErrorResponse(text, context, out);
  return out;
}

TEST(AppendErrorResponseTest, SaysWhatIsWrongAndWhatToDo) {
  const CacheStatus status;
  const std::string out =
      Error({502, "It broke.", "Mend it."}, {.date = "D",
                                             .details = "connect to 192.0.2.1:80: refused",
                                             .more_fields = "Proxy-Status: reef\r\n",
                                             .cache_status = &status});

  EXPECT_THAT(out, StartsWith("HTTP/1.1 502 Bad Gateway\r\nDate: D\r\n"
                              "Content-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(out, HasSubstr("\r\nProxy-Status: reef\r\n"));
  EXPECT_THAT(out, HasSubstr("\r\nCache-Control: no-store\r\n"));
  EXPECT_THAT(out, HasSubstr("\r\nCache-Status: reef\r\n"));
  EXPECT_THAT(out, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(out, EndsWith("\r\n\r\n502 Bad Gateway\n\nIt broke.\n"
                            "connect to 192.0.2.1:80: refused\nMend it.\n"));
}

TEST(AppendErrorResponseTest, TheLengthIsThatOfTheBodyAlsoForHead) {
  const std::string get = Error(TextFor(404));
  const std::string head = Error(TextFor(404), {.head_only = true});
  const size_t end = get.find("\r\n\r\n") + 4;
  EXPECT_THAT(get, HasSubstr("\r\nContent-Length: " + std::to_string(get.size() - end) + "\r\n"));
  EXPECT_EQ(head, get.substr(0, end));
}

TEST(AppendErrorResponseTest, ACallerMayStateItsOwnCacheControl) {
  const std::string out = Error(TextFor(404), {.more_fields = "Cache-Control: max-age=5\r\n"});
  EXPECT_THAT(out, Not(HasSubstr("no-store")));
}

TEST(TextForTest, EachParseErrorHasATextOfItsStatus) {
  for (size_t i = 1; i < kParseErrorCount; ++i) {
    const auto error = static_cast<ParseError>(i);
    const ErrorText text = TextFor(error);
    EXPECT_EQ(text.status, StatusFor(error)) << ParseErrorName(error);
    EXPECT_FALSE(text.what.empty()) << ParseErrorName(error);
    EXPECT_FALSE(text.remedy.empty()) << ParseErrorName(error);
  }
}

TEST(TextForTest, EachRefusedHostHasAText) {
  for (size_t i = 1; i < kHostVerdictCount; ++i) {
    const auto verdict = static_cast<HostVerdict>(i);
    EXPECT_GE(TextFor(verdict).status, 400) << HostVerdictName(verdict);
    EXPECT_FALSE(TextFor(verdict).remedy.empty()) << HostVerdictName(verdict);
  }
  EXPECT_EQ(TextFor(HostVerdict::kNotOurs).status, 404);
  EXPECT_EQ(TextFor(HostVerdict::kAddressRefused).status, 403);
}

TEST(TextForTest, EachStatusOfOursHasATextAndAReason) {
  for (const int status : {400, 403, 404, 405, 408, 412, 413, 414, 416, 417, 429, 431, 500, 501,
                           502, 503, 504, 505, 508}) {
    EXPECT_EQ(TextFor(status).status, status);
    EXPECT_FALSE(TextFor(status).what.empty()) << status;
    EXPECT_NE(ReasonPhrase(status), "Unknown") << status;
  }
}

}  // namespace
}  // namespace reef::http
