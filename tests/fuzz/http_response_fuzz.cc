// SPDX-License-Identifier: Apache-2.0
//
// Response heads of origins, as stored, freshened and sent on: whatever comes in, what goes out is
// one well-formed head with the framing that we chose.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "httpproxy/core/body_framing.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/location.h"
#include "httpproxy/core/policy.h"
#include "httpproxy/core/response_head.h"
#include "httpproxy/core/stored_head.h"

namespace reef::http {
namespace {

const WallTime kNow = FromUnixSeconds(784'111'777);

void CheckSent(const ObjectHead& stored) {
  std::string fields;
  AppendCoralisedFields(stored.fields, {.zone = "nyud.net", .proxy_port = "8090"}, fields);
  ResponseStart start;
  start.status = stored.status;
  start.reason = stored.reason;
  start.fields = fields;
  start.framing = {BodyFraming::Kind::kLength, 7};
  start.age_seconds = 1;
  start.via = "reef";
  std::string text;
  AppendResponseHead(start, text);

  ResponseHead again;
  HeadProgress progress;
  const HeadLimits wide{.line_bytes_max = 1 << 17, .head_bytes_max = 1 << 18, .fields_max = 120};
  const ParseResult result = ParseResponseHead(text, wide, progress, again);
  REEF_CHECK(result.what == ParseResult::What::kHead) << ParseErrorName(result.error) << text;
  REEF_CHECK(result.consumed == text.size());
  REEF_CHECK(again.status == stored.status);
  REEF_CHECK(again.keep_alive);
  REEF_CHECK(again.content_length == 7);
  REEF_CHECK(again.fields.Has(FieldId::kDate));
  REEF_CHECK(again.fields.FindNext(again.fields.Find(FieldId::kAge)) == nullptr);
}

void Run(std::string_view input) {
  ResponseHead head;
  HeadProgress progress;
  const ParseResult result = ParseResponseHead(input, kResponseHeadLimits, progress, head);
  if (result.what != ParseResult::What::kHead) return;
  REEF_CHECK(result.consumed <= input.size());
  FramingOf(head, Method::kGet);
  FramingOf(head, Method::kHead);

  for (const SitePolicy& policy : {SitePolicy::OpenZone(), SitePolicy::NamedSite()}) {
    const Admission admission = Admit({}, head, policy, kNow, kNow);
    REEF_CHECK(!admission.share || admission.store);
    REEF_CHECK(admission.freshness.born <= kNow);
    REEF_CHECK(admission.freshness.lifetime >= Duration::zero());
    DecideReuse(admission.freshness, {}, policy, kNow + std::chrono::hours(1));

    const std::string_view request = "Accept: a\r\nX: y\r\n";
    const ObjectHead stored = MakeObjectHead(head, admission, request, policy, kNow);
    FieldTable fields;
    REEF_CHECK(ReadFieldLines(stored.fields, fields)) << stored.fields;
    REEF_CHECK(!policy.drop_cookies || !fields.Has(FieldId::kSetCookie));
    CheckSent(stored);
    ConfirmsStored(stored, head);
    if (head.fields.size() < 50) CheckSent(Freshen(stored, head, policy, kNow, kNow).head);
    FieldTable asked;
    REEF_CHECK(ReadFieldLines(request, asked));
    MatchesVary(stored, asked);
    ValidationFields(stored);
  }
}

}  // namespace
}  // namespace reef::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  reef::http::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
