// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/body_framing.h"

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>

namespace reef::http {
namespace {

using Kind = BodyFraming::Kind;
using What = ChunkedDecoder::Step::What;
using Error = ChunkedDecoder::Error;

BodyFraming OfRequest(const std::string& lines) {
  const std::string input = "POST / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n";
  HeadProgress progress;
  RequestHead head;
  EXPECT_EQ(ParseRequestHead(input, {}, progress, head).what, ParseResult::What::kHead);
  return FramingOf(head);
}

BodyFraming OfResponse(int status, const std::string& lines, Method asked) {
  const std::string input = "HTTP/1.1 " + std::to_string(status) + " X\r\n" + lines + "\r\n";
  HeadProgress progress;
  ResponseHead head;
  EXPECT_EQ(ParseResponseHead(input, {}, progress, head).what, ParseResult::What::kHead);
  return FramingOf(head, asked);
}

TEST(Rfc9112Section63Test, ARequestHasABodyOnlyIfItSaysSo) {
  EXPECT_EQ(OfRequest(""), BodyFraming{});
  EXPECT_EQ(OfRequest("Content-Length: 0\r\n"), BodyFraming{});
  EXPECT_EQ(OfRequest("Content-Length: 7\r\n"), (BodyFraming{Kind::kLength, 7}));
  EXPECT_EQ(OfRequest("Transfer-Encoding: chunked\r\n"), (BodyFraming{Kind::kChunked, 0}));
}

TEST(Rfc9112Section63Test, SomeResponsesNeverHaveABodyWhateverTheySay) {
  const std::string length = "Content-Length: 7\r\n";
  EXPECT_EQ(OfResponse(200, length, Method::kHead), BodyFraming{});
  EXPECT_EQ(OfResponse(102, length, Method::kGet), BodyFraming{});
  EXPECT_EQ(OfResponse(204, length, Method::kGet), BodyFraming{});
  EXPECT_EQ(OfResponse(304, "Transfer-Encoding: chunked\r\n", Method::kGet), BodyFraming{});
  EXPECT_EQ(OfResponse(200, length, Method::kConnect), BodyFraming{});
  EXPECT_EQ(OfResponse(403, length, Method::kConnect), (BodyFraming{Kind::kLength, 7}));
}

TEST(Rfc9112Section63Test, AResponseEndsByLengthByChunksOrWithItsConnection) {
  EXPECT_EQ(OfResponse(200, "Content-Length: 7\r\n", Method::kGet),
            (BodyFraming{Kind::kLength, 7}));
  EXPECT_EQ(OfResponse(200, "Transfer-Encoding: chunked\r\n", Method::kGet),
            (BodyFraming{Kind::kChunked, 0}));
  EXPECT_EQ(OfResponse(200, "", Method::kGet), (BodyFraming{Kind::kUntilClose, 0}));
}

struct Decoded {
  std::string data;
  std::string trailers;
  What end = What::kNeedMore;
  Error error = Error::kNone;
  size_t consumed = 0;

  friend bool operator==(const Decoded&, const Decoded&) = default;
};

void PrintTo(const Decoded& d, std::ostream* out) {
  *out << '"' << d.data << "\" trailers \"" << d.trailers << "\" what " << static_cast<int>(d.end)
       << " error " << ChunkedErrorName(d.error) << " consumed " << d.consumed;
}

// Feeds `input` in pieces of `step` bytes.
Decoded Decode(std::string_view input, size_t step) {
  ChunkedDecoder decoder;
  Decoded result;
  size_t fed = 0;
  while (true) {
    const std::string_view piece =
        input.substr(result.consumed, std::min(step, input.size() - result.consumed));
    const auto s = decoder.Decode(piece);
    result.consumed += s.consumed;
    result.data += s.data;
    fed = result.consumed;
    if (s.what == What::kEnd || s.what == What::kError ||
        (s.what == What::kNeedMore && fed == input.size())) {
      result.end = s.what;
      break;
    }
  }
  result.error = decoder.error();
  result.trailers = decoder.trailers();
  return result;
}

Decoded DecodeAnyHow(std::string_view input) {
  const Decoded whole = Decode(input, input.size());
  for (const size_t step : {1, 2, 3, 7}) EXPECT_EQ(Decode(input, step), whole) << input;
  return whole;
}

TEST(Rfc9112Section71Test, ChunksGiveTheirBytesAndNothingElse) {
  const std::string input = "5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\nHTTP/1.1";
  EXPECT_EQ(DecodeAnyHow(input),
            (Decoded{"hello0123456789", "", What::kEnd, Error::kNone, input.size() - 8}));
}

TEST(Rfc9112Section71Test, ABodyOfNoChunksIsEmpty) {
  EXPECT_EQ(DecodeAnyHow("0\r\n\r\n"), (Decoded{"", "", What::kEnd, Error::kNone, 5}));
}

TEST(Rfc9112Section71Test, WhatIsCutShortIsNoEnd) {
  const std::string input = "5\r\nhello\r\n0\r\n\r\n";
  for (size_t size = 0; size < input.size(); ++size) {
    EXPECT_EQ(Decode(input.substr(0, size), 100).end, What::kNeedMore) << size;
  }
}

TEST(Rfc9112Section711Test, ExtensionsAreIgnored) {
  EXPECT_EQ(DecodeAnyHow("1;a;b=c;d=\"x;\\\"\xc3\xa9\"\r\nx\r\n0 ;e\r\n\r\n").data, "x");
}

TEST(Rfc9112Section711Test, ExtensionsAreBounded) {
  EXPECT_EQ(DecodeAnyHow("1;" + std::string(255, 'a') + "\r\nx\r\n0\r\n\r\n").end, What::kEnd);
  EXPECT_EQ(DecodeAnyHow("1;" + std::string(300, 'a') + "\r\nx").error, Error::kExtension);
  EXPECT_EQ(DecodeAnyHow("1" + std::string(300, ' ') + "\r\nx").error, Error::kExtension);
}

TEST(Rfc9112Section712Test, TrailersAreGivenApart) {
  const Decoded decoded = DecodeAnyHow("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n");
  EXPECT_EQ(decoded.trailers, "A: b\r\nC:\r\n");
  EXPECT_EQ(decoded.end, What::kEnd);
}

TEST(Rfc9112Section712Test, TrailersAreBounded) {
  std::string input = "0\r\n";
  for (int i = 0; i < 2'000; ++i) input += "A: b\r\n";
  EXPECT_EQ(DecodeAnyHow(input).error, Error::kTrailer);
}

struct Bad {
  std::string name;
  std::string input;
  Error error;
};
void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.name;
}
std::string NameOfBad(const testing::TestParamInfo<Bad>& tested) {
  return tested.param.name;
}

class RefusedChunksTest : public testing::TestWithParam<Bad> {};

TEST_P(RefusedChunksTest, ForTheirReason) {
  const Decoded decoded = DecodeAnyHow(GetParam().input);
  EXPECT_EQ(decoded.end, What::kError);
  EXPECT_EQ(decoded.error, GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc9112Section71, RefusedChunksTest,
    testing::Values(Bad{"NoSize", "\r\n", Error::kSize}, Bad{"NotHex", "g\r\n", Error::kSize},
                    Bad{"Prefix", "0x1\r\nx", Error::kSize}, Bad{"Sign", "-1\r\nx", Error::kSize},
                    Bad{"PlusSign", "+1\r\nx", Error::kSize},
                    Bad{"BlankBefore", " 1\r\nx", Error::kSize},
                    Bad{"TooLong", "1000000000000000\r\n", Error::kSize},
                    Bad{"ZerosTooLong", "00000000000000001\r\nx", Error::kSize},
                    Bad{"BareLfAfterSize", "1\nx\r\n0\r\n\r\n", Error::kLineEnd},
                    Bad{"BareLfAfterExtension", "1;a\nx\r\n0\r\n\r\n", Error::kLineEnd},
                    Bad{"CrInExtension", "1;a\rb\r\nx", Error::kLineEnd},
                    Bad{"CrInQuotedExtension", "1;a=\"\r\"\r\nx", Error::kExtension},
                    Bad{"NulInExtension", std::string("1;\0\r\nx", 6), Error::kExtension},
                    Bad{"TwoNumbers", "1 2\r\nx", Error::kExtension},
                    Bad{"DataTooLong", "1\r\nxy\r\n0\r\n\r\n", Error::kLineEnd},
                    Bad{"BareLfAfterData", "1\r\nx\n0\r\n\r\n", Error::kLineEnd},
                    Bad{"BareCrAfterData", "1\r\nx\r0\r\n\r\n", Error::kLineEnd},
                    Bad{"BareCrAtEnd", "0\r\n\rX", Error::kLineEnd},
                    Bad{"BareLfAtEnd", "0\r\n\n", Error::kTrailer},
                    Bad{"TrailerWithoutColon", "0\r\nabc\r\n\r\n", Error::kTrailer},
                    Bad{"TrailerNameBlank", "0\r\na : b\r\n\r\n", Error::kTrailer},
                    Bad{"TrailerFolded", "0\r\na: b\r\n c\r\n\r\n", Error::kTrailer},
                    Bad{"TrailerBareLf", "0\r\na: b\n\r\n", Error::kTrailer},
                    Bad{"TrailerControl", "0\r\na: \x01\r\n\r\n", Error::kTrailer}),
    NameOfBad);

TEST(ChunkWriterTest, WritesWhatTheDecoderReads) {
  std::string out;
  AppendChunkHeader(3, out);
  out += "abc";
  out += kChunkEnd;
  AppendChunkHeader(0x1f40, out);
  out += std::string(0x1f40, 'x');
  out += kChunkEnd;
  out += kLastChunk;

  EXPECT_TRUE(out.starts_with("3\r\nabc\r\n1f40\r\nxx"));
  EXPECT_EQ(Decode(out, 1000).data, "abc" + std::string(0x1f40, 'x'));
}

}  // namespace
}  // namespace reef::http
