// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/stored_head.h"

#include <algorithm>

#include "base/bytes.h"
#include "httpproxy/core/etag.h"
#include "httpproxy/core/http_date.h"
#include "httpproxy/core/upstream_request.h"

namespace reef::http {
namespace {

void AppendLine(std::string_view name, std::string_view value, std::string& out) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

// RFC 9111, 3.1, and what every response states anew.
bool IsKept(const Field& field, const FieldTable& fields, const SitePolicy& policy) {
  switch (field.id) {
    case FieldId::kContentLength:
    case FieldId::kAge:
    case FieldId::kCacheStatus:
    case FieldId::kReefAnswer:
    case FieldId::kReefPeer:
      return false;
    case FieldId::kSetCookie:
    case FieldId::kSetCookie2:
      return !policy.drop_cookies && !IsHopByHop(field, fields);
    default:
      return !IsHopByHop(field, fields);
  }
}

// RFC 9111, 3.2: what a 304 does not change, because the bytes that stay cannot be read without it.
bool DescribesBody(FieldId id) {
  return id == FieldId::kContentEncoding || id == FieldId::kContentRange;
}

std::vector<std::pair<std::string, std::string>> VaryOf(const FieldTable& response,
                                                        std::string_view request_fields) {
  std::vector<std::pair<std::string, std::string>> vary;
  const Field* field = response.Find(FieldId::kVary);
  if (field == nullptr) return vary;
  FieldTable request;
  ReadFieldLines(request_fields, request);
  for (; field != nullptr; field = response.FindNext(field)) {
    std::string_view member;
    for (std::string_view rest = field->value; NextListToken(rest, member);) {
      if (vary.size() == kVaryNamesMax) break;  // it is not stored then (policy.h)
      vary.emplace_back(AsciiLower(member), SelectingValue(request, member));
    }
  }
  std::sort(vary.begin(), vary.end());
  vary.erase(std::unique(vary.begin(), vary.end()), vary.end());
  return vary;
}

ObjectHead Expired(ObjectHead head) {
  head.freshness.lifetime = Duration::zero();
  return head;
}

}  // namespace

ObjectHead MakeObjectHead(const ResponseHead& response, const Admission& admission,
                          std::string_view request_fields, const SitePolicy& policy,
                          WallTime received) {
  ObjectHead head;
  head.status = response.status;
  head.reason = response.reason;
  size_t bytes = 64;
  for (const Field& field : response.fields) bytes += field.name.size() + field.value.size() + 4;
  head.fields.reserve(bytes);
  for (const Field& field : response.fields) {
    if (!IsKept(field, response.fields, policy)) continue;
    if (admission.directives.Withholds(field.name)) continue;
    AppendLine(field.name, field.value, head.fields);
  }
  if (!response.fields.Has(FieldId::kDate)) AppendLine("Date", HttpDate(received), head.fields);
  head.content_length = response.content_length;
  head.etag = response.fields.Value(FieldId::kEtag);
  head.last_modified = response.fields.Value(FieldId::kLastModified);
  head.freshness = admission.freshness;
  head.vary = VaryOf(response.fields, request_fields);
  return head;
}

std::string WithheldFields(const ResponseHead& response, const ResponseDirectives& directives,
                           const SitePolicy& policy) {
  std::string withheld;
  for (const Field& field : response.fields) {
    if (IsKept(field, response.fields, policy) && directives.Withholds(field.name)) {
      AppendLine(field.name, field.value, withheld);
    }
  }
  return withheld;
}

std::string EndToEndFields(const ResponseHead& interim, const SitePolicy& policy) {
  std::string lines;
  for (const Field& field : interim.fields) {
    if (IsKept(field, interim.fields, policy)) AppendLine(field.name, field.value, lines);
  }
  return lines;
}

bool ConfirmsStored(const ObjectHead& stored, const ResponseHead& not_modified) {
  const FieldTable& fields = not_modified.fields;
  if (const Field* etag = fields.Find(FieldId::kEtag)) {
    if (etag->value == stored.etag) return true;
    return !IsStrongEtag(etag->value) && WeakEtagMatch(etag->value, stored.etag);
  }
  if (const Field* modified = fields.Find(FieldId::kLastModified)) {
    return modified->value == stored.last_modified;
  }
  return true;  // it names nothing: it can only mean the one that we asked about
}

Freshened Freshen(const ObjectHead& stored, const ResponseHead& not_modified,
                  const SitePolicy& policy, WallTime sent, WallTime received) {
  const FieldTable& news = not_modified.fields;
  FieldTable old, replacing, merged;
  ReadFieldLines(stored.fields, old);
  for (const Field& field : news) {
    if (IsKept(field, news, policy) && !DescribesBody(field.id)) {
      replacing.Add(field.name, field.value);
    }
  }
  // First all of both: what is said of the whole decides about lines of either.
  bool fits = true;
  for (const Field& field : old) {
    // A 304 without a Date was made when it came (RFC 9110, 6.6.1).
    const bool replaced = field.id == FieldId::kDate || replacing.FindNamed(field.name) != nullptr;
    if (!replaced) fits &= merged.Add(field.name, field.value);
  }
  for (const Field& field : replacing) fits &= merged.Add(field.name, field.value);
  const std::string date = HttpDate(received);
  if (!news.Has(FieldId::kDate)) fits &= merged.Add("Date", date);
  if (const Field* age = news.Find(FieldId::kAge)) fits &= merged.Add("Age", age->value);
  // More fields than we keep: what they allow is not known.
  if (!fits) return {.head = Expired(stored), .own_fields = {}};

  const Admission admission = Admit({}, stored.status, merged, policy, sent, received);
  Freshened fresh{.head = stored,
                  .own_fields = WithheldFields(not_modified, admission.directives, policy),
                  .reason = admission.reason,
                  .share = admission.share};
  fresh.head.fields.clear();
  for (const Field& field : merged) {
    if (field.id == FieldId::kAge || admission.directives.Withholds(field.name)) continue;
    AppendLine(field.name, field.value, fresh.head.fields);
  }
  fresh.head.etag = merged.Value(FieldId::kEtag);
  fresh.head.last_modified = merged.Value(FieldId::kLastModified);
  fresh.head.freshness = admission.freshness;
  return fresh;
}

std::string ValidationFields(const ObjectHead& stored) {
  std::string fields;
  if (!stored.etag.empty()) AppendLine("If-None-Match", stored.etag, fields);
  if (!stored.last_modified.empty()) AppendLine("If-Modified-Since", stored.last_modified, fields);
  return fields;
}

std::string SelectingValue(const FieldTable& request, std::string_view name) {
  const bool is_any_case =
      EqualsIgnoreCase(name, "accept-encoding") || EqualsIgnoreCase(name, "accept-language");
  const bool is_list =
      is_any_case || EqualsIgnoreCase(name, "accept") || EqualsIgnoreCase(name, "accept-charset");
  std::string value;
  bool is_present = false;
  for (const Field& field : request) {
    if (!EqualsIgnoreCase(field.name, name)) continue;
    if (!is_list) {
      if (is_present) value += ", ";
      value += field.value;
    }
    is_present = true;
    std::string_view member;
    for (std::string_view rest = field.value; is_list && NextListMember(rest, member);) {
      if (!value.empty()) value += ", ";
      value += member;
    }
  }
  if (!is_present) return std::string(kAbsentField);
  return is_any_case ? AsciiLower(value) : value;
}

bool MatchesVary(const ObjectHead& stored, const FieldTable& request) {
  return std::all_of(stored.vary.begin(), stored.vary.end(), [&](const auto& entry) {
    const auto& [name, value] = entry;
    if (name == "*") return false;
    return name == "host" || SelectingValue(request, name) == value;
  });
}

}  // namespace reef::http
