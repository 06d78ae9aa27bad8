// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/conditions.h"

#include <string_view>

#include "httpproxy/core/etag.h"
#include "httpproxy/core/http_date.h"

namespace reef::http {
namespace {

bool AppliesTo(const RequestHead& request, const ObjectHead& stored) {
  return stored.status == 200 &&
         (request.method == Method::kGet || request.method == Method::kHead);
}

template <typename Match>
bool AnyMatches(const FieldTable& fields, FieldId id, std::string_view etag, Match match) {
  for (const Field* field = fields.Find(id); field != nullptr; field = fields.FindNext(field)) {
    if (field->value == "*") return true;
    std::string_view member;
    for (std::string_view rest = field->value; NextListMember(rest, member);) {
      if (match(member, etag)) return true;
    }
  }
  return false;
}

// A repeated or unreadable date is no condition (RFC 9110, 13.1.3 and 13.1.4).
std::optional<WallTime> SingleDate(const FieldTable& fields, FieldId id) {
  const Field* field = fields.Find(id);
  if (field == nullptr || fields.FindNext(field) != nullptr) return std::nullopt;
  return ParseHttpDate(field->value);
}

// RFC 9111, 4.3.2: the Date stands in for a missing Last-Modified.
std::optional<WallTime> ModificationDate(const ObjectHead& stored) {
  if (!stored.last_modified.empty()) return ParseHttpDate(stored.last_modified);
  FieldTable fields;
  ReadFieldLines(stored.fields, fields);
  return ParseHttpDate(fields.Value(FieldId::kDate));
}

bool NotModifiedSince(const RequestHead& request, const ObjectHead& stored) {
  const auto since = SingleDate(request.fields, FieldId::kIfModifiedSince);
  if (!since) return false;
  const auto modified = ModificationDate(stored);
  return modified && *modified <= *since;
}

// RFC 9110, 13.1.1 and 13.1.4: steps 1 and 2 of 13.2.2.
bool FailsPrecondition(const RequestHead& request, const ObjectHead& stored) {
  if (request.fields.Has(FieldId::kIfMatch)) {
    return !AnyMatches(request.fields, FieldId::kIfMatch, stored.etag, StrongEtagMatch);
  }
  const auto since = SingleDate(request.fields, FieldId::kIfUnmodifiedSince);
  if (!since || stored.last_modified.empty()) return false;
  const auto modified = ParseHttpDate(stored.last_modified);
  return modified && *modified > *since;
}

// RFC 9110, 13.1.5. A date must be the very Last-Modified, and a strong validator: 8.8.2.2 asks
// that it be a second older than the Date at least, lest two versions share it.
bool IfRangeHolds(std::string_view value, const ObjectHead& stored) {
  if (IsEtag(value)) return StrongEtagMatch(value, stored.etag);
  if (stored.last_modified.empty() || value != stored.last_modified) return false;
  const auto modified = ParseHttpDate(value);
  FieldTable fields;
  ReadFieldLines(stored.fields, fields);
  const auto date = ParseHttpDate(fields.Value(FieldId::kDate));
  return modified && date && *date - *modified >= std::chrono::seconds(1);
}

}  // namespace

Precondition EvaluateConditions(const RequestHead& request, const ObjectHead& stored) {
  if (!AppliesTo(request, stored)) return Precondition::kProceed;
  if (FailsPrecondition(request, stored)) return Precondition::kFailed;
  if (request.fields.Has(FieldId::kIfNoneMatch)) {
    return AnyMatches(request.fields, FieldId::kIfNoneMatch, stored.etag, WeakEtagMatch)
               ? Precondition::kNotModified
               : Precondition::kProceed;
  }
  return NotModifiedSince(request, stored) ? Precondition::kNotModified : Precondition::kProceed;
}

std::vector<ByteRangeSpec> RequestedRanges(const RequestHead& request, const ObjectHead& stored) {
  const Field* range = request.fields.Find(FieldId::kRange);
  if (range == nullptr || stored.status != 200 || request.method != Method::kGet) return {};
  if (request.fields.FindNext(range) != nullptr) return {};
  const Field* condition = request.fields.Find(FieldId::kIfRange);
  if (condition != nullptr && !IfRangeHolds(condition->value, stored)) return {};
  return ParseRanges(range->value);
}

bool IsConditional(const FieldTable& request) {
  for (const FieldId id :
       {FieldId::kRange, FieldId::kIfRange, FieldId::kIfMatch, FieldId::kIfNoneMatch,
        FieldId::kIfModifiedSince, FieldId::kIfUnmodifiedSince}) {
    if (request.Has(id)) return true;
  }
  return false;
}

}  // namespace reef::http
