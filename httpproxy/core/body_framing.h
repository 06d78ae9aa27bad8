// SPDX-License-Identifier: Apache-2.0
//
// Where a message's body ends (RFC 9112, 6.3), and the chunked coding (7.1) both ways.
//
// ChunkedDecoder keeps no bytes but the trailer section, which is bounded. Not thread-safe, never
// blocks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "httpproxy/core/http1_parser.h"

namespace reef::http {

struct BodyFraming {
  enum class Kind : uint8_t { kNone, kLength, kChunked, kUntilClose };
  Kind kind = Kind::kNone;
  uint64_t length = 0;  // kLength only; zero-length bodies are kNone

  friend bool operator==(const BodyFraming&, const BodyFraming&) = default;
};

BodyFraming FramingOf(const RequestHead& request);
// `asked` is the method of the request that is answered.
BodyFraming FramingOf(const ResponseHead& response, Method asked);

class ChunkedDecoder {
 public:
  enum class Error : uint8_t { kNone, kSize, kExtension, kLineEnd, kTrailer };

  struct Step {
    enum class What : uint8_t { kNeedMore, kData, kEnd, kError };
    What what = What::kNeedMore;
    size_t consumed = 0;    // bytes of the input that are done with
    std::string_view data;  // kData: content, a part of the input
  };

  // Takes a prefix of `input`; call again with the rest until kNeedMore (everything was consumed),
  // kEnd (what follows belongs to the next message) or kError.
  Step Decode(std::string_view input);

  Error error() const { return error_; }
  // After kEnd: the trailer section's "Name: value\r\n" lines, each checked. RFC 9110, 6.5: they
  // are no header fields.
  std::string_view trailers() const { return trailers_; }

 private:
  enum class State : uint8_t {
    kSizeStart,
    kSize,
    kBlank,
    kExtension,
    kQuoted,
    kQuotedPair,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailerLine,
    kTrailerLf,
    kEndLf,
    kEnd,
    kFailed
  };

  Step Fail(Error error, size_t consumed);
  bool OnSizeByte(char c);
  bool OnTrailerByte(char c);

  State state_ = State::kSizeStart;
  Error error_ = Error::kNone;
  uint8_t digits_ = 0;
  uint16_t extension_bytes_ = 0;
  uint32_t line_start_ = 0;  // in trailers_
  uint64_t remaining_ = 0;   // of the current chunk
  std::string trailers_;
};

std::string_view ChunkedErrorName(ChunkedDecoder::Error error);

// "1f40\r\n"; a chunk is this, its bytes, kChunkEnd. Requires: size > 0.
void AppendChunkHeader(uint64_t size, std::string& out);
inline constexpr std::string_view kChunkEnd = "\r\n";
// After the last chunk, without trailers.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace reef::http
