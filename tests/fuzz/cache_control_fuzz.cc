// SPDX-License-Identifier: Apache-2.0
//
// Values of fields: Cache-Control in requests and responses, CDN-Cache-Control, entity tags, Range
// and Content-Range, lists. No value asks for a negative time; a range that is written reads as
// itself.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "httpproxy/core/cache_control.h"
#include "httpproxy/core/etag.h"
#include "httpproxy/core/range.h"

namespace reef::http {
namespace {

void CheckTime(const std::optional<Duration>& time) {
  REEF_CHECK(!time || (*time >= Duration::zero() && *time <= std::chrono::seconds(1ll << 31)));
}

void CheckDirectives(std::string_view value) {
  const std::string_view half = value.substr(0, value.size() / 2);
  FieldTable fields;
  fields.Add("Cache-Control", half);
  fields.Add("Cache-Control", value);
  const RequestDirectives request = ParseRequestDirectives(fields);
  for (const auto& time : {request.max_age, request.min_fresh, request.max_stale}) CheckTime(time);
  const ResponseDirectives response = ParseResponseDirectives(fields);
  for (const auto& time : {response.max_age, response.s_maxage, response.stale_while_revalidate,
                           response.stale_if_error}) {
    CheckTime(time);
  }
  fields.Add("CDN-Cache-Control", value);
  const ResponseDirectives targeted = ParseResponseDirectives(fields);
  REEF_CHECK(targeted.targeted || targeted == response);
}

void CheckRange(const ByteRange& range, uint64_t length) {
  REEF_CHECK(range.first <= range.last && range.last < length);
  std::string written;
  AppendContentRange(range, length, written);
  REEF_CHECK(ParseContentRange(written) == (ContentRange{range, length}));
}

void CheckRanges(std::string_view value) {
  const std::vector<ByteRangeSpec> specs = ParseRanges(value);
  REEF_CHECK(specs.size() <= kRangesMax);
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, UINT64_MAX}) {
    for (const ByteRangeSpec& spec : specs) {
      if (const auto range = Resolve(spec, length)) CheckRange(*range, length);
    }
    // Never more bytes than there are, and in order where that is wanted.
    uint64_t total = 0;
    for (const ByteRange& range : ResolveAll(specs, length, false)) {
      CheckRange(range, length);
      REEF_CHECK(range.size() <= length - total);
      total += range.size();
    }
    uint64_t from = 0;
    for (const ByteRange& range : ResolveAll(specs, length, true)) {
      REEF_CHECK(range.first >= from);
      from = range.last + 1;
    }
  }
}

void Run(std::string_view value) {
  CheckDirectives(value);
  CheckRanges(value);
  ParseContentRange(value);
  REEF_CHECK(StrongEtagMatch(value, value) == IsStrongEtag(value));
  REEF_CHECK(WeakEtagMatch(value, value) == IsEtag(value));
  size_t members = 0;
  std::string_view member;
  for (std::string_view rest = value; NextListMember(rest, member);) {
    REEF_CHECK(!member.empty());
    REEF_CHECK(++members <= value.size());
  }
}

}  // namespace
}  // namespace reef::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  reef::http::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
