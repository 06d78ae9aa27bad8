// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/http1_parser.h"

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace reef::http {

// For the messages of failed expectations.
void PrintTo(ParseError error, std::ostream* out) {
  *out << ParseErrorName(error);
}

namespace {

using Form = RequestHead::Form;
using What = ParseResult::What;

ParseResult Parse(std::string_view input, RequestHead& head, const HeadLimits& limits = {}) {
  HeadProgress progress;
  return ParseRequestHead(input, limits, progress, head);
}

ParseResult Parse(std::string_view input, ResponseHead& head) {
  HeadProgress progress;
  return ParseResponseHead(input, kResponseHeadLimits, progress, head);
}

ParseError RequestError(std::string_view input, const HeadLimits& limits = {}) {
  RequestHead head;
  const ParseResult result = Parse(input, head, limits);
  EXPECT_NE(result.what, What::kNeedMore) << input;
  return result.error;
}

ParseError ResponseError(std::string_view input) {
  ResponseHead head;
  const ParseResult result = Parse(input, head);
  EXPECT_NE(result.what, What::kNeedMore) << input;
  return result.error;
}

// A request that is right but for `line`, put between two good fields.
std::string With(std::string_view line) {
  return "GET /a HTTP/1.1\r\nHost: h.example\r\n" + std::string(line) + "X: y\r\n\r\n";
}
std::string Response(std::string_view line) {
  return "HTTP/1.1 200 OK\r\nServer: s\r\n" + std::string(line) + "X: y\r\n\r\n";
}

TEST(RequestHeadTest, OfABrowserIsTakenApart) {
  const std::string input =
      "GET /path/file.js?v=1&x=%20 HTTP/1.1\r\n"
      "Host: example.com.nyud.net:8090\r\n"
      "Connection: keep-alive\r\n"
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
      "Accept: */*\r\n"
      "If-None-Match: \"abc\"\r\n"
      "X-Empty:\r\n"
      "X-Spaces: \t a b \t \r\n"
      "\r\nGET /next";
  RequestHead head;

  const ParseResult result = Parse(input, head);

  ASSERT_EQ(result.what, What::kHead);
  EXPECT_EQ(result.consumed, input.size() - 9);
  EXPECT_EQ(head.method, Method::kGet);
  EXPECT_EQ(head.method_text, "GET");
  EXPECT_EQ(head.form, Form::kOrigin);
  EXPECT_EQ(head.target, "/path/file.js?v=1&x=%20");
  EXPECT_EQ(head.path, head.target);
  EXPECT_EQ(head.host, "example.com.nyud.net:8090");
  EXPECT_EQ(head.minor, 1);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.chunked);
  EXPECT_EQ(head.content_length, std::nullopt);
  ASSERT_EQ(head.fields.size(), 7u);
  EXPECT_EQ(head.fields.Value(FieldId::kIfNoneMatch), "\"abc\"");
  EXPECT_EQ(head.fields.FindNamed("x-empty")->value, "");
  EXPECT_EQ(head.fields.FindNamed("x-spaces")->value, "a b");
}

TEST(RequestHeadTest, PointsIntoTheInput) {
  const std::string input = With("");
  RequestHead head;
  Parse(input, head);

  for (const std::string_view part : {head.path, head.host, head.fields.begin()->name}) {
    EXPECT_GE(part.data(), input.data());
    EXPECT_LT(part.data(), input.data() + input.size());
  }
}

TEST(RequestHeadTest, LeavesNothingOfTheOneBefore) {
  RequestHead head;
  Parse("POST http://a.example/ HTTP/1.0\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n", head);
  Parse(
      "OPTIONS * HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
      head);
  Parse("GET / HTTP/1.1\r\nHost: c\r\n\r\n", head);

  EXPECT_EQ(head.content_length, std::nullopt);
  EXPECT_FALSE(head.chunked);
  EXPECT_FALSE(head.expect_continue);
  EXPECT_EQ(head.form, Form::kOrigin);
  EXPECT_EQ(head.host, "c");
  EXPECT_EQ(head.fields.size(), 1u);
}

// Every cut of a head in two, and byte by byte, gives the same as the whole.
TEST(IncrementalTest, NoCutChangesTheResult) {
  const std::string input = "\r\n" + With("Content-Length: 3\r\n");
  for (size_t cut = 0; cut < input.size(); ++cut) {
    HeadProgress progress;
    RequestHead head;
    const auto first = ParseRequestHead(std::string(input, 0, cut), {}, progress, head);
    EXPECT_EQ(first.what, What::kNeedMore) << cut;
    const auto second = ParseRequestHead(input, {}, progress, head);
    EXPECT_EQ(second.what, What::kHead) << cut;
    EXPECT_EQ(second.consumed, input.size());
  }
}

TEST(IncrementalTest, ByteByByteTheHeadIsSeenExactlyAtItsEnd) {
  const std::string input = "\r\n" + With("");
  HeadProgress progress;
  RequestHead head;
  for (size_t size = 1; size < input.size(); ++size) {
    const std::string_view prefix(input.data(), size);
    ASSERT_EQ(ParseRequestHead(prefix, {}, progress, head).what, What::kNeedMore) << size;
  }
  EXPECT_EQ(ParseRequestHead(input, {}, progress, head).what, What::kHead);
}

TEST(IncrementalTest, ABareLfAtTheEndIsSeenInPieces) {
  for (const std::string end : {"\n\n", "\r\n\n", "\n\r\n"}) {
    const std::string input = "GET / HTTP/1.1\r\nHost: h" + end;
    HeadProgress progress;
    RequestHead head;
    ParseResult result;
    for (size_t size = 1; size <= input.size() && result.what == What::kNeedMore; ++size) {
      result = ParseRequestHead({input.data(), size}, {}, progress, head);
    }
    EXPECT_EQ(result.error, ParseError::kBareLf) << end.size();
  }
}

TEST(IncrementalTest, BytesThatBeginNoRequestAreRefusedAtOnce) {
  RequestHead head;
  EXPECT_EQ(Parse(std::string("\x16\x03\x01", 3), head).error, ParseError::kMethod);
  EXPECT_EQ(Parse("GET /a HTTQ", head).error, ParseError::kVersion);
  EXPECT_EQ(Parse(std::string(40, 'A'), head).error, ParseError::kMethod);
}

struct BadHead {
  std::string name;  // of the clause that it breaks
  std::string input;
  ParseError error;
};

void PrintTo(const BadHead& bad, std::ostream* out) {
  *out << bad.name;
}

class RefusedRequestTest : public testing::TestWithParam<BadHead> {};

TEST_P(RefusedRequestTest, ForItsReason) {
  EXPECT_EQ(RequestError(GetParam().input), GetParam().error);
}

std::string Name(const testing::TestParamInfo<BadHead>& info) {
  return info.param.name;
}

using enum ParseError;

INSTANTIATE_TEST_SUITE_P(
    RequestLine, RefusedRequestTest,
    testing::Values(
        BadHead{"Rfc9112_3_TwoEmptyLinesBefore", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", kRequestLine},
        BadHead{"Rfc9112_2_2_LfBefore", "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", kMethod},
        BadHead{"Rfc9112_2_2_BlankBefore", " GET / HTTP/1.1\r\nHost: h\r\n\r\n", kMethod},
        BadHead{"Rfc9112_3_TwoSpaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", kRequestLine},
        BadHead{"Rfc9112_3_TabForSpace", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", kMethod},
        BadHead{"Rfc9112_3_SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", kVersion},
        BadHead{"Rfc9112_3_TwoSpacesBeforeVersion", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", kVersion},
        BadHead{"Rfc9112_3_SpaceAfterVersion", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", kVersion},
        BadHead{"Http09", "GET /\r\n", kRequestLine},
        BadHead{"MethodAlone", "GET\r\n", kRequestLine},
        BadHead{"Rfc9110_9_1_MethodNoToken", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", kMethod},
        BadHead{"Rfc9112_2_3_LowerCaseVersion", "GET / http/1.1\r\nHost: h\r\n\r\n", kVersion},
        BadHead{"Rfc9112_2_3_VersionWithoutMinor", "GET / HTTP/1\r\nHost: h\r\n\r\n", kVersion},
        BadHead{"Rfc9112_2_3_VersionTwoDigits", "GET / HTTP/1.10\r\nHost: h\r\n\r\n", kVersion},
        BadHead{"Rfc9110_2_5_Version2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", kVersionUnsupported},
        BadHead{"Rfc9110_2_5_Version0", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", kVersionUnsupported},
        BadHead{"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kVersionUnsupported},
        BadHead{"Rfc9112_2_2_BareLf", "GET / HTTP/1.1\nHost: h\r\n\r\n", kBareLf},
        BadHead{"Rfc9112_2_2_BareCr", "GET / HTTP/1.1\rHost: h\r\n\r\n", kBareCr}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Target, RefusedRequestTest,
    testing::Values(
        BadHead{"Rfc9112_3_2_Fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", kTarget},
        BadHead{"Rfc9112_3_2_RawUtf8", "GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", kTarget},
        BadHead{"Rfc9112_3_2_Delete", "GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n", kTarget},
        BadHead{"Rfc9112_3_2_Tab", "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", kTarget},
        BadHead{"Rfc9112_3_2_Nul", std::string("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n", 30),
                kTarget},
        BadHead{"Rfc9112_3_2_1_NoSlash", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", kTarget},
        BadHead{"Rfc9112_3_2_2_OtherScheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", kTarget},
        BadHead{"Rfc9112_3_2_2_EmptyHost", "GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", kTarget},
        BadHead{"Rfc9110_4_2_4_UserInformation", "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
                kTarget},
        BadHead{"Rfc9112_3_2_4_AsteriskWithGet", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", kTarget},
        BadHead{"Rfc9112_3_2_3_ConnectWithPath", "CONNECT /a HTTP/1.1\r\nHost: h\r\n\r\n", kTarget},
        BadHead{"Rfc9112_3_2_3_AuthorityWithGet", "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", kTarget}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Fields, RefusedRequestTest,
    testing::Values(
        BadHead{"Rfc9112_5_1_BlankBeforeColon", With("A : b\r\n"), kBlankBeforeColon},
        BadHead{"Rfc9112_5_1_TabBeforeColon", With("A\t: b\r\n"), kBlankBeforeColon},
        BadHead{"Rfc9112_5_1_LengthBlankColon", With("Content-Length : 3\r\n"), kBlankBeforeColon},
        BadHead{"Rfc9112_5_2_Fold", With("A: b\r\n c\r\n"), kFold},
        BadHead{"Rfc9112_5_2_FoldByTab", With("A: b\r\n\tc\r\n"), kFold},
        BadHead{"Rfc9112_2_2_BlankBeforeFirstField", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", kFold},
        BadHead{"Rfc9110_5_1_EmptyName", With(": b\r\n"), kFieldName},
        BadHead{"Rfc9110_5_1_NameWithBrackets", With("A[0]: b\r\n"), kFieldName},
        BadHead{"Rfc9110_5_1_NameWithNul", With(std::string("A\0: b\r\n", 7)), kFieldName},
        BadHead{"Rfc9110_5_1_NameBeyondAscii", With("\xc3\xa9: b\r\n"), kFieldName},
        BadHead{"Rfc9112_5_NoColon", With("Abc\r\n"), kNoColon},
        BadHead{"Rfc9112_5_NoColonBlank", With("Abc def\r\n"), kBlankBeforeColon},
        BadHead{"Rfc9110_5_5_NulInValue", With(std::string("A: b\0c\r\n", 8)), kFieldValue},
        BadHead{"Rfc9110_5_5_EscapeInValue", With("A: \x1b[31m\r\n"), kFieldValue},
        BadHead{"Rfc9110_5_5_DeleteInLongValue", With("A: 0123456789abcdef\x7f\r\n"), kFieldValue},
        BadHead{"Rfc9112_2_2_BareCrInValue", With("A: b\rc\r\n"), kBareCr},
        BadHead{"Rfc9112_2_2_BareLfEndsField", With("A: b\nC: d\r\n"), kBareLf},
        BadHead{"Rfc9112_2_2_BareLfEndsHead", "GET / HTTP/1.1\r\nHost: h\r\n\n", kBareLf},
        BadHead{"Rfc9112_2_2_BareCrEndsHead", "GET / HTTP/1.1\r\nHost: h\r\n\r\r\n", kBareCr}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Host, RefusedRequestTest,
    testing::Values(
        BadHead{"Rfc9112_3_2_Missing", "GET / HTTP/1.1\r\nA: b\r\n\r\n", kHostMissing},
        BadHead{"Rfc9112_3_2_MissingBesideAbsolute", "GET http://h/ HTTP/1.1\r\n\r\n",
                kHostMissing},
        BadHead{"Rfc9112_3_2_Repeated", With("Host: h.example\r\n"), kHostRepeated},
        BadHead{"Rfc9112_3_2_RepeatedInHttp10", "GET / HTTP/1.0\r\nHost: a\r\nhOST: b\r\n\r\n",
                kHostRepeated},
        BadHead{"Rfc9110_4_2_1_Empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", kHost},
        BadHead{"Rfc9112_3_2_BadBesideAbsolute", "GET http://h/ HTTP/1.1\r\nHost: a b\r\n\r\n",
                kHost},
        BadHead{"Rfc9110_7_2_Slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", kHost},
        BadHead{"Rfc9110_7_2_At", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", kHost},
        BadHead{"Rfc9110_7_2_Comma", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", kHost},
        BadHead{"Rfc9110_7_2_Percent", "GET / HTTP/1.1\r\nHost: %61\r\n\r\n", kHost},
        BadHead{"Rfc9110_7_2_LettersInPort", "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n", kHost},
        BadHead{"Rfc9110_7_2_PortTooLarge", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", kHost},
        BadHead{"Rfc9110_7_2_TwoPorts", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", kHost},
        BadHead{"Rfc9110_7_2_OpenBracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", kHost},
        BadHead{"Rfc9110_7_2_PortAlone", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", kHost}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Framing, RefusedRequestTest,
    testing::Values(
        BadHead{"Rfc9112_6_3_TwoLengths", With("Content-Length: 3\r\nContent-Length: 4\r\n"),
                kContentLengthRepeated},
        BadHead{"Rfc9112_6_3_EqualLengths", With("Content-Length: 3\r\ncontent-length: 3\r\n"),
                kContentLengthRepeated},
        BadHead{"Rfc9112_6_3_ListOfLengths", With("Content-Length: 3, 3\r\n"), kContentLength},
        BadHead{"Rfc9110_8_6_Sign", With("Content-Length: +3\r\n"), kContentLength},
        BadHead{"Rfc9110_8_6_Negative", With("Content-Length: -3\r\n"), kContentLength},
        BadHead{"Rfc9110_8_6_Hex", With("Content-Length: 0x3\r\n"), kContentLength},
        BadHead{"Rfc9110_8_6_Empty", With("Content-Length:\r\n"), kContentLength},
        BadHead{"Rfc9110_8_6_Overflow", With("Content-Length: 18446744073709551616\r\n"),
                kContentLength},
        BadHead{"Rfc9110_8_6_SignedOverflow", With("Content-Length: 9223372036854775808\r\n"),
                kContentLength},
        BadHead{"Rfc9112_6_3_LengthAndChunked",
                With("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), kLengthAndEncoding},
        BadHead{"Rfc9112_6_3_ChunkedAndLength",
                With("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), kLengthAndEncoding},
        BadHead{"Rfc9112_6_1_IdentityAndLength",
                With("Transfer-Encoding: identity\r\nContent-Length: 3\r\n"), kLengthAndEncoding},
        BadHead{"Rfc9112_6_3_ChunkedNotLast", With("Transfer-Encoding: chunked, gzip\r\n"),
                kTransferEncoding},
        BadHead{"Rfc9112_6_1_Identity", With("Transfer-Encoding: identity\r\n"), kTransferEncoding},
        BadHead{"Rfc9112_6_1_Empty", With("Transfer-Encoding:\r\n"), kTransferEncoding},
        BadHead{"Rfc9112_6_1_Misspelt", With("Transfer-Encoding: xchunked\r\n"), kTransferEncoding},
        BadHead{"Rfc9112_6_1_VerticalTab", With("Transfer-Encoding: \vchunked\r\n"), kFieldValue},
        BadHead{"Rfc9112_6_1_Quoted", With("Transfer-Encoding: \"chunked\"\r\n"),
                kTransferEncoding},
        BadHead{"Rfc9112_7_1_ChunkedTwice",
                With("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
                kTransferEncoding},
        BadHead{"Rfc9112_7_1_ChunkedTwiceInOne", With("Transfer-Encoding: chunked, chunked\r\n"),
                kTransferEncodingUnsupported},
        BadHead{"Rfc9112_6_1_GzipChunked", With("Transfer-Encoding: gzip, chunked\r\n"),
                kTransferEncodingUnsupported},
        BadHead{"Rfc9112_6_1_ChunkedInHttp10",
                "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
                kTransferEncodingInHttp10}),
    Name);

TEST(StatusForTest, EachErrorHasTheStatusThatItsClauseAsksFor) {
  EXPECT_EQ(StatusFor(kTargetTooLong), 414);  // RFC 9112, 3
  EXPECT_EQ(StatusFor(kFieldTooLong), 431);   // RFC 6585, 5
  EXPECT_EQ(StatusFor(kHeadTooLong), 431);
  EXPECT_EQ(StatusFor(kTooManyFields), 431);
  EXPECT_EQ(StatusFor(kTransferEncodingUnsupported), 501);  // RFC 9112, 6.1
  EXPECT_EQ(StatusFor(kVersionUnsupported), 505);           // RFC 9110, 15.6.6
  EXPECT_EQ(StatusFor(kHostMissing), 400);                  // RFC 9112, 3.2
}

TEST(StatusForTest, EachErrorHasANameOfItsOwn) {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < kParseErrorCount; ++i) {
    names.push_back(ParseErrorName(static_cast<ParseError>(i)));
    EXPECT_FALSE(names.back().empty());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
}

// ---- What is accepted ----

TEST(Rfc9112Section22Test, OneEmptyLineBeforeARequestIsSkipped) {
  const std::string input = "\r\n" + With("");
  RequestHead head;

  const ParseResult result = Parse(input, head);

  EXPECT_EQ(result.what, What::kHead);
  EXPECT_EQ(result.consumed, input.size());
}

TEST(Rfc9112Section322Test, AnAbsoluteTargetOverridesHost) {
  RequestHead head;
  Parse("GET hTTp://a.example:81/p?q HTTP/1.1\r\nHost: b.example\r\n\r\n", head);

  EXPECT_EQ(head.form, Form::kAbsolute);
  EXPECT_EQ(head.host, "a.example:81");
  EXPECT_EQ(head.path, "/p?q");
  EXPECT_FALSE(head.absolute_tls);
  Parse("GET https://a.example HTTP/1.1\r\nHost: b.example\r\n\r\n", head);
  EXPECT_EQ(head.path, "/");
  EXPECT_TRUE(head.absolute_tls);
}

TEST(Rfc9112Section323Test, ConnectTakesAnAuthority) {
  RequestHead head;
  Parse("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n", head);

  EXPECT_EQ(head.form, Form::kAuthority);
  EXPECT_EQ(head.method, Method::kConnect);
  EXPECT_EQ(head.host, "a.example:443");
}

TEST(Rfc9112Section324Test, OptionsTakesAnAsteriskAlsoAsAnAbsoluteTargetWithoutPath) {
  RequestHead head;
  Parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", head);
  EXPECT_EQ(head.form, Form::kAsterisk);
  EXPECT_EQ(head.host, "h");
  EXPECT_EQ(head.path, "*");
  Parse("OPTIONS http://a HTTP/1.1\r\nHost: h\r\n\r\n", head);
  EXPECT_EQ(head.path, "*");
  EXPECT_EQ(head.host, "a");
}

TEST(Rfc9112Section32Test, HostsOfEveryKindAreTaken) {
  for (const std::string host : {"a", "A.b-c_d.example.", "a:", "a:0", "a:65535", "127.0.0.1",
                                 "[::1]", "[2001:db8::1]:8090", "[::ffff:1.2.3.4]"}) {
    RequestHead head;
    const std::string input = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    EXPECT_EQ(Parse(input, head).what, What::kHead) << host;
    EXPECT_EQ(head.host, host);
  }
}

TEST(Rfc9112Section32Test, Http10MayLackHost) {
  RequestHead head;
  EXPECT_EQ(Parse("GET / HTTP/1.0\r\n\r\n", head).what, What::kHead);
  EXPECT_EQ(head.host, "");
}

TEST(Rfc9110Section25Test, AHigherMinorVersionIsReadAsOne) {
  RequestHead head;
  EXPECT_EQ(Parse("GET / HTTP/1.7\r\nHost: h\r\n\r\n", head).what, What::kHead);
  EXPECT_EQ(head.minor, 1);
}

TEST(Rfc9110Section55Test, ValuesMayHoldTabsAndBytesBeyondAscii) {
  RequestHead head;
  const std::string input = With("A: caf\xc3\xa9\tau lait, long enough for two steps\r\n");
  ASSERT_EQ(Parse(input, head).what, What::kHead);
  EXPECT_EQ(head.fields.FindNamed("a")->value, "caf\xc3\xa9\tau lait, long enough for two steps");
}

TEST(Rfc9112Section93Test, PersistenceFollowsVersionAndConnection) {
  struct Case {
    std::string version, connection;
    bool keep_alive;
  };
  for (const auto& [version, connection, keep_alive] :
       {Case{"1.1", "", true}, Case{"1.1", "Connection: close\r\n", false},
        Case{"1.1", "Connection: keep-alive, Close\r\n", false},
        Case{"1.1", "Connection: closed\r\n", true}, Case{"1.0", "", false},
        Case{"1.0", "Connection: Keep-Alive\r\n", true},
        Case{"1.0", "Connection: keep-alive\r\nConnection: close\r\n", false}}) {
    RequestHead head;
    Parse("GET / HTTP/" + version + "\r\nHost: h\r\n" + connection + "\r\n", head);
    EXPECT_EQ(head.keep_alive, keep_alive) << version << connection;
  }
}

TEST(Rfc9112Section6Test, LengthAndChunkedAreRead) {
  RequestHead head;
  ASSERT_EQ(Parse(With("Content-Length: 0042\r\n"), head).what, What::kHead);
  EXPECT_EQ(head.content_length, 42u);
  ASSERT_EQ(Parse(With("Content-Length: 9223372036854775807\r\n"), head).what, What::kHead);
  ASSERT_EQ(Parse(With("Transfer-Encoding: CHUNKED\r\n"), head).what, What::kHead);
  EXPECT_TRUE(head.chunked);
}

TEST(Rfc9110Section1011Test, ExpectContinueIsSeenInHttp11Only) {
  RequestHead head;
  Parse(With("Expect: 100-Continue\r\n"), head);
  EXPECT_TRUE(head.expect_continue);
  Parse("GET / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", head);
  EXPECT_FALSE(head.expect_continue);
}

TEST(Rfc9110Section91Test, MethodsAreCaseSensitive) {
  EXPECT_EQ(IdentifyMethod("GET"), Method::kGet);
  EXPECT_EQ(IdentifyMethod("get"), Method::kOther);
  EXPECT_EQ(IdentifyMethod("HEAD"), Method::kHead);
  EXPECT_EQ(IdentifyMethod("POST"), Method::kPost);
  EXPECT_EQ(IdentifyMethod("PUT"), Method::kPut);
  EXPECT_EQ(IdentifyMethod("DELETE"), Method::kDelete);
  EXPECT_EQ(IdentifyMethod("PATCH"), Method::kPatch);
  EXPECT_EQ(IdentifyMethod("OPTIONS"), Method::kOptions);
  EXPECT_EQ(IdentifyMethod("TRACE"), Method::kTrace);
  EXPECT_EQ(IdentifyMethod("CONNECT"), Method::kConnect);
  EXPECT_EQ(IdentifyMethod("PROPFIND"), Method::kOther);
}

// ---- Limits ----

std::string Target(size_t line_bytes) {
  return "GET /" + std::string(line_bytes - 5, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

TEST(LimitsTest, ARequestLineMayBeAsLongAsTheLimitAndNoLonger) {
  const HeadLimits limits;
  EXPECT_EQ(RequestError(Target(limits.line_bytes_max), limits), kNone);
  EXPECT_EQ(RequestError(Target(limits.line_bytes_max + 1), limits), kTargetTooLong);
}

TEST(LimitsTest, ALineWithoutEndIsRefusedOnceItIsTooLong) {
  EXPECT_EQ(RequestError("GET /" + std::string(9'000, 'a')), kTargetTooLong);
  EXPECT_EQ(RequestError("GET / HTTP/1.1\r\nA: " + std::string(9'000, 'a')), kFieldTooLong);
  EXPECT_EQ(RequestError("GET / HTTP/1.1\r\n" + std::string(9'000, 'a')), kFieldTooLong);
}

TEST(LimitsTest, AFieldMayBeAsLongAsTheLimitAndNoLonger) {
  const HeadLimits limits;
  const auto field = [](size_t bytes) {
    return With("A: " + std::string(bytes - 3, 'b') + "\r\n");
  };
  EXPECT_EQ(RequestError(field(limits.line_bytes_max)), kNone);
  EXPECT_EQ(RequestError(field(limits.line_bytes_max + 1)), kFieldTooLong);
}

TEST(LimitsTest, ConnectionMayNameAKibibyteOfFieldsAndNoMore) {
  const std::string half = "Connection: " + std::string(512, 'a') + "\r\n";
  EXPECT_EQ(RequestError(With(half + half)), kNone);
  EXPECT_EQ(RequestError(With(half + half + "Connection: b\r\n")), kFieldTooLong);
}

std::string ManyFields(size_t count) {
  std::string input = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (size_t i = 1; i < count; ++i) input += "A: b\r\n";
  return input + "\r\n";
}

TEST(LimitsTest, AHeadMayHaveAHundredFieldsAndNoMore) {
  EXPECT_EQ(RequestError(ManyFields(100)), kNone);
  EXPECT_EQ(RequestError(ManyFields(101)), kTooManyFields);
}

// `total` bytes of head in lines of 4 KiB.
std::string BigHead(size_t total) {
  std::string input = "GET / HTTP/1.1\r\nHost: h\r\n";
  while (total - input.size() > 5'000) input += "A: " + std::string(4'091, 'b') + "\r\n";
  return input + "A: " + std::string(total - input.size() - 7, 'b') + "\r\n\r\n";
}

TEST(LimitsTest, AHeadMayBeAsLongAsTheLimitAndNoLonger) {
  const HeadLimits limits;
  ASSERT_EQ(BigHead(limits.head_bytes_max).size(), limits.head_bytes_max);
  EXPECT_EQ(RequestError(BigHead(limits.head_bytes_max)), kNone);
  EXPECT_EQ(RequestError(BigHead(limits.head_bytes_max + 1)), kHeadTooLong);
}

TEST(LimitsTest, AHeadWithoutEndIsRefusedOnceItIsTooLongHoweverItComes) {
  const HeadLimits limits;
  std::string input = BigHead(limits.head_bytes_max + 2);
  input.resize(limits.head_bytes_max);
  HeadProgress progress;
  RequestHead head;
  ASSERT_EQ(ParseRequestHead({input.data(), 100}, limits, progress, head).what, What::kNeedMore);
  ASSERT_EQ(ParseRequestHead(input, limits, progress, head).what, What::kNeedMore);
  input += 'b';
  EXPECT_EQ(ParseRequestHead(input, limits, progress, head).error, kHeadTooLong);
}

TEST(LimitsTest, PipelinedRequestsDoNotCountTowardOne) {
  std::string input;
  while (input.size() < 40'000) input += With("");
  RequestHead head;
  EXPECT_EQ(Parse(input, head).what, What::kHead);
}

// ---- Responses ----

TEST(ResponseHeadTest, IsTakenApart) {
  const std::string input =
      "HTTP/1.1 404 Not  Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabcde";
  ResponseHead head;

  const ParseResult result = Parse(input, head);

  ASSERT_EQ(result.what, What::kHead);
  EXPECT_EQ(result.consumed, input.size() - 5);
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.reason, "Not  Found");
  EXPECT_EQ(head.content_length, 5u);
  EXPECT_FALSE(head.keep_alive);
  EXPECT_EQ(head.minor, 1);
}

TEST(Rfc9112Section4Test, TheReasonMayBeEmptyAndItsSpaceMissing) {
  for (const std::string line : {"HTTP/1.1 200 \r\n", "HTTP/1.1 200\r\n"}) {
    ResponseHead head;
    ASSERT_EQ(Parse(line + "\r\n", head).what, What::kHead);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.reason, "");
  }
}

TEST(Rfc9112Section51Test, AProxyRemovesBlanksBeforeAColonFromResponses) {
  ResponseHead head;
  const std::string input = Response("Content-Length \t: 7\r\n");
  ASSERT_EQ(Parse(input, head).what, What::kHead);
  EXPECT_EQ(head.content_length, 7u);
}

class RefusedResponseTest : public testing::TestWithParam<BadHead> {};

TEST_P(RefusedResponseTest, ForItsReason) {
  EXPECT_EQ(ResponseError(GetParam().input), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedResponseTest,
    testing::Values(
        BadHead{"Rfc9112_4_NoVersion", "ICY 200 OK\r\n\r\n", kStatusLine},
        BadHead{"Rfc9112_4_TwoDigits", "HTTP/1.1 20 OK\r\n\r\n", kStatusLine},
        BadHead{"Rfc9112_4_FourDigits", "HTTP/1.1 2000 OK\r\n\r\n", kStatusLine},
        BadHead{"Rfc9112_4_BelowHundred", "HTTP/1.1 099 OK\r\n\r\n", kStatusLine},
        BadHead{"Rfc9112_4_TwoSpaces", "HTTP/1.1  200 OK\r\n\r\n", kStatusLine},
        BadHead{"Rfc9112_4_ControlInReason", "HTTP/1.1 200 O\x01K\r\n\r\n", kStatusLine},
        BadHead{"Rfc9110_2_5_Version2", "HTTP/2 200\r\n\r\nxxxx", kStatusLine},
        BadHead{"Rfc9112_2_2_EmptyLineBefore", "\r\nHTTP/1.1 200 OK\r\n\r\n", kStatusLine},
        BadHead{"Rfc9112_2_2_BareLf", "HTTP/1.1 200 OK\nA: b\n\n", kBareLf},
        BadHead{"Rfc9112_5_2_Fold", Response("A: b\r\n c\r\n"), kFold},
        BadHead{"Rfc9112_6_3_TwoLengths", Response("Content-Length: 3\r\nContent-Length: 4\r\n"),
                kContentLengthRepeated},
        BadHead{"Rfc9112_6_3_BadLength", Response("Content-Length: 3a\r\n"), kContentLength},
        BadHead{"Rfc9112_6_3_LengthAndChunked",
                Response("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
                kLengthAndEncoding},
        BadHead{"Rfc9112_6_1_Gzip", Response("Transfer-Encoding: gzip\r\n"), kTransferEncoding},
        BadHead{"Rfc9112_6_1_Http10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                kTransferEncodingInHttp10}),
    Name);

}  // namespace
}  // namespace reef::http
