// SPDX-License-Identifier: Apache-2.0
//
// Request heads: any cut gives the result of the whole; what is accepted has one reading, points
// into its input, and goes upstream as well-formed fields.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "httpproxy/core/body_framing.h"
#include "httpproxy/core/conditions.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/policy.h"
#include "httpproxy/core/upstream_request.h"

namespace reef::http {
namespace {

using What = ParseResult::What;

void CheckView(std::string_view input, std::string_view part) {
  if (part.empty() || part == "/" || part == "*") return;  // may be literals
  REEF_CHECK(part.data() >= input.data());
  REEF_CHECK(part.data() + part.size() <= input.data() + input.size());
  REEF_CHECK(part.find_first_of("\r\n") == std::string_view::npos);
  REEF_CHECK(part.find('\0') == std::string_view::npos);
}

void CheckAccepted(std::string_view input, const RequestHead& head) {
  CheckView(input, head.method_text);
  CheckView(input, head.target);
  CheckView(input, head.path);
  CheckView(input, head.host);
  for (const Field& field : head.fields) {
    CheckView(input, field.name);
    CheckView(input, field.value);
    REEF_CHECK(IsToken(field.name));
  }
  REEF_CHECK(!(head.chunked && head.content_length));
  REEF_CHECK(head.minor == 0 || !head.host.empty());
}

// The request as it would be sent on has the same reading, but for what is meant to change.
void CheckUpstream(const RequestHead& head, const SitePolicy& policy) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  AppendUpstreamFields(head, policy, {.client_address = "::1", .keep_conditions = true}, text);
  text += "\r\n";
  RequestHead again;
  HeadProgress progress;
  const HeadLimits wide{.line_bytes_max = 1 << 16, .head_bytes_max = 1 << 17, .fields_max = 120};
  const ParseResult result = ParseRequestHead(text, wide, progress, again);
  REEF_CHECK(result.what == What::kHead) << ParseErrorName(result.error) << ' ' << text;
  REEF_CHECK(FramingOf(again) == BodyFraming{});
  REEF_CHECK(TimesSeen(again.fields, "reef", "reef") >= 1);
}

void ParseInPieces(std::string_view input, size_t step, const ParseResult& whole) {
  RequestHead head;
  HeadProgress progress;
  ParseResult result;
  for (size_t size = 0; size < input.size() && result.what == What::kNeedMore;) {
    size = std::min(size + step, input.size());
    const std::string copy(input.substr(0, size));  // the buffer may move in between
    result = ParseRequestHead(copy, {}, progress, head);
  }
  // A head that came in pieces is not looked at again before its end: what is wrong in the middle
  // is found then.
  if (result.what == What::kNeedMore && whole.what == What::kError) {
    result = ParseRequestHead(std::string(input) + "\r\n\r\n", {}, progress, head);
  }
  REEF_CHECK(result.what == whole.what) << static_cast<int>(whole.what);
  REEF_CHECK(result.error == whole.error) << ParseErrorName(whole.error);
  REEF_CHECK(result.consumed == whole.consumed);
}

void Run(std::string_view input) {
  const size_t step = 1 + static_cast<uint8_t>(input.front()) % 32;
  input.remove_prefix(1);
  RequestHead head;
  HeadProgress progress;
  const ParseResult result = ParseRequestHead(input, {}, progress, head);
  if (input.size() < HeadLimits{}.line_bytes_max) ParseInPieces(input, step, result);
  if (result.what != What::kHead) return;

  CheckAccepted(input, head);
  ObjectHead stored;
  stored.etag = "\"a\"";
  stored.last_modified = "Sun, 06 Nov 1994 08:49:37 GMT";
  stored.fields = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  EvaluateConditions(head, stored);
  RequestedRanges(head, stored);
  for (const SitePolicy& policy : {SitePolicy::OpenZone(), SitePolicy::NamedSite()}) {
    DecideRequest(head, ParseRequestDirectives(head.fields), policy);
    CheckUpstream(head, policy);
  }
}

}  // namespace
}  // namespace reef::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) reef::http::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
