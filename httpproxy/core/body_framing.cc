// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/body_framing.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "httpproxy/core/scan.h"

namespace reef::http {
namespace {

using Kind = BodyFraming::Kind;

constexpr uint8_t kSizeDigitsMax = 15;  // 2^60 bytes; leading zeros count
constexpr uint16_t kExtensionBytesMax = 256;
constexpr size_t kTrailerBytesMax = 8 * 1024;

BodyFraming Length(uint64_t length) {
  return length == 0 ? BodyFraming{} : BodyFraming{Kind::kLength, length};
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

BodyFraming FramingOf(const RequestHead& request) {
  if (request.chunked) return {Kind::kChunked, 0};
  return Length(request.content_length.value_or(0));
}

BodyFraming FramingOf(const ResponseHead& response, Method asked) {
  const int status = response.status;
  if (asked == Method::kHead || status < 200 || status == 204 || status == 304) return {};
  if (asked == Method::kConnect && status < 300) return {};
  if (response.chunked) return {Kind::kChunked, 0};
  if (response.content_length) return Length(*response.content_length);
  return {Kind::kUntilClose, 0};
}

ChunkedDecoder::Step ChunkedDecoder::Fail(Error error, size_t consumed) {
  state_ = State::kFailed;
  error_ = error;
  return {Step::What::kError, consumed, {}};
}

// One byte of "size [; extensions] CRLF". Extensions are read, bounded, and ignored (RFC
// 9112, 7.1.1).
bool ChunkedDecoder::OnSizeByte(char c) {
  switch (state_) {
    case State::kSizeStart:
    case State::kSize:
      if (const int digit = HexDigit(c); digit >= 0) {
        if (++digits_ > kSizeDigitsMax) break;
        remaining_ = remaining_ * 16 + static_cast<uint64_t>(digit);
        state_ = State::kSize;
        return true;
      }
      if (state_ == State::kSizeStart) break;
      [[fallthrough]];
    case State::kBlank:
      if (c == '\r') {
        state_ = State::kSizeLf;
      } else if (c == ';') {
        state_ = State::kExtension;
      } else if (c == ' ' || c == '\t') {  // BWS before ';', and what some servers pad with
        state_ = State::kBlank;
        if (++extension_bytes_ > kExtensionBytesMax) break;
      } else {
        break;
      }
      return true;
    case State::kExtension:
    case State::kQuoted:
    case State::kQuotedPair:
      if (++extension_bytes_ > kExtensionBytesMax) break;
      if (c == '\r' && state_ == State::kExtension) {
        state_ = State::kSizeLf;
        return true;
      }
      if (!IsFieldValueByte(c)) break;
      if (state_ == State::kQuotedPair) {
        state_ = State::kQuoted;
      } else if (c == '\\' && state_ == State::kQuoted) {
        state_ = State::kQuotedPair;
      } else if (c == '"') {
        state_ = state_ == State::kQuoted ? State::kExtension : State::kQuoted;
      }
      return true;
    case State::kSizeLf:
      if (c != '\n') break;
      state_ = remaining_ == 0 ? State::kTrailerStart : State::kData;
      digits_ = 0;
      extension_bytes_ = 0;
      return true;
    default:
      break;
  }
  if (c == '\n' || state_ == State::kSizeLf) {
    error_ = Error::kLineEnd;
  } else if (state_ == State::kSizeStart || state_ == State::kSize) {
    error_ = Error::kSize;
  } else {
    error_ = Error::kExtension;
  }
  return false;
}

bool ChunkedDecoder::OnTrailerByte(char c) {
  switch (state_) {
    case State::kTrailerStart:
      if (c == '\r') {
        state_ = State::kEndLf;
        return true;
      }
      line_start_ = static_cast<uint32_t>(trailers_.size());
      state_ = State::kTrailerLine;
      [[fallthrough]];
    case State::kTrailerLine:
      if (c == '\r') {
        state_ = State::kTrailerLf;
      } else if (!IsFieldValueByte(c)) {
        return false;
      }
      break;
    case State::kTrailerLf: {
      if (c != '\n') return false;
      const std::string_view line = std::string_view(trailers_).substr(line_start_);
      if (!IsToken(line.substr(0, line.find(':')))) return false;  // no colon: its CR is no token
      state_ = State::kTrailerStart;
      break;
    }
    default:
      return false;
  }
  trailers_ += c;
  return trailers_.size() <= kTrailerBytesMax;
}

ChunkedDecoder::Step ChunkedDecoder::Decode(std::string_view input) {
  for (size_t i = 0; i < input.size();) {
    const char c = input[i];
    switch (state_) {
      case State::kData: {
        const auto size = static_cast<size_t>(std::min<uint64_t>(remaining_, input.size() - i));
        remaining_ -= size;
        if (remaining_ == 0) state_ = State::kDataCr;
        return {Step::What::kData, i + size, input.substr(i, size)};
      }
      case State::kDataCr:
        if (c != '\r') return Fail(Error::kLineEnd, i);
        state_ = State::kDataLf;
        break;
      case State::kDataLf:
        if (c != '\n') return Fail(Error::kLineEnd, i);
        state_ = State::kSizeStart;
        break;
      case State::kTrailerStart:
      case State::kTrailerLine:
      case State::kTrailerLf:
        if (!OnTrailerByte(c)) return Fail(Error::kTrailer, i);
        break;
      case State::kEndLf:
        if (c != '\n') return Fail(Error::kLineEnd, i);
        state_ = State::kEnd;
        return {Step::What::kEnd, i + 1, {}};
      case State::kEnd:
        return {Step::What::kEnd, i, {}};
      case State::kFailed:
        return {Step::What::kError, i, {}};
      default:
        if (!OnSizeByte(c)) return Fail(error_, i);
        break;
    }
    ++i;
  }
  if (state_ == State::kEnd) return {Step::What::kEnd, input.size(), {}};
  if (state_ == State::kFailed) return {Step::What::kError, input.size(), {}};
  return {Step::What::kNeedMore, input.size(), {}};
}

std::string_view ChunkedErrorName(ChunkedDecoder::Error error) {
  switch (error) {
    case ChunkedDecoder::Error::kNone:
      return "none";
    case ChunkedDecoder::Error::kSize:
      return "size";
    case ChunkedDecoder::Error::kExtension:
      return "extension";
    case ChunkedDecoder::Error::kLineEnd:
      return "line-end";
    case ChunkedDecoder::Error::kTrailer:
      return "trailer";
  }
  return "none";
}

void AppendChunkHeader(uint64_t size, std::string& out) {
  REEF_CHECK(size > 0) << "a chunk of no bytes would end the body";
  char line[18];
  char* end = std::to_chars(line, line + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(line, end);
}

}  // namespace reef::http
