// SPDX-License-Identifier: Apache-2.0
//
// Response heads and whole error responses, written into the caller's buffer in one pass: the hit
// path's last step. Free functions; any thread; no allocation but the buffer's growth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "httpproxy/core/body_framing.h"
#include "httpproxy/core/cache_status.h"
#include "httpproxy/core/host_name.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/policy.h"

namespace reef::http {

struct ResponseStart {
  int status = 200;
  std::string_view reason{};       // empty: the status's own
  std::string_view fields{};       // "Name: value\r\n" lines, as ObjectHead::fields
  std::string_view more_fields{};  // further lines: Content-Range, Proxy-Status
  // What is said of the body. kNone says nothing (304, interim); a body of no bytes is kLength 0,
  // and a HEAD's answer says what GET's would.
  BodyFraming framing{};
  std::optional<int64_t> age_seconds{};
  std::string_view date{};                   // kHttpDateBytes; empty: `fields` has one
  std::string_view via{};                    // our pseudonym; empty: no Via
  std::string_view upstream_cache_status{};  // members before ours, origin-most first
  const CacheStatus* cache_status = nullptr;
  uint8_t minor = 1;  // of the request. HTTP/1.0 gets "Connection: keep-alive" where it is kept
  bool keep_alive = true;
};

void AppendResponseHead(const ResponseStart& start, std::string& out);

// RFC 9110, 15; "Unknown" for others.
std::string_view ReasonPhrase(int status);

// A small text that says what is wrong and what to do about it.
struct ErrorText {
  int status = 500;
  std::string_view what;
  std::string_view remedy;
};
ErrorText TextFor(ParseError error);
ErrorText TextFor(HostVerdict verdict);  // Requires: not kOk
// For any other status this proxy answers itself: 403, 405, 408, 412, 416, 417, 500, 501, 502, ...
ErrorText TextFor(int status);

struct ErrorContext {
  std::string_view date{};
  std::string_view via = "reef";
  std::string_view details{};      // of this very case, plain text; shown after `what`
  std::string_view more_fields{};  // "Retry-After: 1\r\n", Proxy-Status, Allow, Reef-Answer
  const CacheStatus* cache_status = nullptr;
  bool head_only = false;  // answers a HEAD
  bool keep_alive = false;
  uint8_t minor = 1;
};
// Head and body. Cache-Control: no-store unless `more_fields` says otherwise.
void AppendErrorResponse(const ErrorText& text, const ErrorContext& context, std::string& out);

}  // namespace reef::http
