// SPDX-License-Identifier: Apache-2.0
//
// ParseRequestHead and ParseResponseHead: HTTP/1.1 message heads, RFC 9112, strictly. Where the RFC
// lets a recipient be lenient or refuse, they refuse: what two parsers could read differently is
// how requests are smuggled. So: CRLF only; no folding; no blank before a colon (in responses it is
// removed, RFC 9112, 5.1); no control bytes; one Content-Length, of digits; never beside
// Transfer-Encoding, which is "chunked" alone; one valid Host.
//
// Heads are views into `input`, valid while it stays where it is; copy nothing, allocate nothing.
// A head is large (5 KiB): keep one a loop and use it again. Free functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "httpproxy/core/field_table.h"

namespace reef::http {

struct HeadLimits {
  size_t line_bytes_max = 8 * 1024;
  size_t head_bytes_max = 32 * 1024;
  size_t fields_max = 100;  // at most FieldTable::kMax
};
// Origins send longer lines (Content-Security-Policy) than clients.
inline constexpr HeadLimits kResponseHeadLimits{
    .line_bytes_max = 32 * 1024, .head_bytes_max = 64 * 1024, .fields_max = 100};

enum class ParseError : uint8_t {
  kNone,
  kRequestLine,         // not three parts with single spaces
  kMethod,              // not a token
  kTarget,              // no form of RFC 9112, 3.2, or bytes that no URI has
  kVersion,             // not HTTP/digit.digit
  kVersionUnsupported,  // not HTTP/1.x
  kStatusLine,
  kTargetTooLong,  // request line over line_bytes_max
  kFieldTooLong,   // over line_bytes_max; Connection: over 1 KiB in all
  kHeadTooLong,
  kTooManyFields,
  kBareLf,
  kBareCr,
  kFold,       // obs-fold
  kFieldName,  // empty, or not a token
  kBlankBeforeColon,
  kNoColon,
  kFieldValue,  // control bytes
  kHostMissing,
  kHostRepeated,
  kHost,  // not host [":" port]
  kContentLength,
  kContentLengthRepeated,
  kLengthAndEncoding,  // Content-Length beside Transfer-Encoding
  kTransferEncoding,   // repeated, or chunked is not last: no end can be found
  kTransferEncodingUnsupported,
  kTransferEncodingInHttp10,
};
inline constexpr size_t kParseErrorCount =
    static_cast<size_t>(ParseError::kTransferEncodingInHttp10) + 1;

// "bare-lf" and the like: for metrics and logs.
std::string_view ParseErrorName(ParseError error);
// What a server answers: 400, 414, 431, 501 or 505.
int StatusFor(ParseError error);

// How far a head that came in pieces was looked at. One a connection; reset it ({}) after each
// head.
struct HeadProgress {
  uint32_t seen = 0;
};

struct ParseResult {
  enum class What : uint8_t { kNeedMore, kHead, kError };
  What what = What::kNeedMore;
  ParseError error = ParseError::kNone;
  size_t consumed = 0;  // kHead: bytes of `input` up to and including the empty line
};

enum class Method : uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kPatch,
  kOptions,
  kTrace,
  kConnect,
  kOther
};

// Of the token; methods are case-sensitive.
Method IdentifyMethod(std::string_view token);
// RFC 9110, 9.2.1.
bool IsSafe(Method method);

struct RequestHead {
  enum class Form : uint8_t { kOrigin, kAbsolute, kAuthority, kAsterisk };

  Method method = Method::kGet;
  Form form = Form::kOrigin;
  uint8_t minor = 1;       // HTTP/1.minor
  bool keep_alive = true;  // RFC 9112, 9.3
  bool chunked = false;
  bool expect_continue = false;
  bool absolute_tls = false;  // kAbsolute: the scheme was https
  std::optional<uint64_t> content_length;
  std::string_view method_text;
  std::string_view target;  // as received
  std::string_view path;    // path and query, from '/'; "*" for kAsterisk, empty for kAuthority
  std::string_view host;    // host [":" port]: the target's if kAbsolute or kAuthority, else the
                            // Host field's; empty only in HTTP/1.0
  FieldTable fields;
};

struct ResponseHead {
  int status = 0;
  uint8_t minor = 1;
  bool keep_alive = true;
  bool chunked = false;
  std::optional<uint64_t> content_length;
  std::string_view reason;
  FieldTable fields;
};

// Call with all bytes since the head's start, again whenever some were added; kNeedMore until the
// empty line is there. Linear in the bytes however they are cut. One CRLF before a request is
// skipped (RFC 9112, 2.2). On kNeedMore and kError the head's content is unspecified.
ParseResult ParseRequestHead(std::string_view input, const HeadLimits& limits,
                             HeadProgress& progress, RequestHead& head);
ParseResult ParseResponseHead(std::string_view input, const HeadLimits& limits,
                              HeadProgress& progress, ResponseHead& head);

}  // namespace reef::http
