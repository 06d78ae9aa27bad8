// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/upstream_request.h"

#include <algorithm>

#include "base/bytes.h"

namespace reef::http {
namespace {

// Those that a message cannot do without on its way: naming them in Connection is an attack (on
// framing, on the loop check, on the cache), or nonsense.
bool MustStay(FieldId id) {
  switch (id) {
    case FieldId::kHost:
    case FieldId::kContentLength:
    case FieldId::kContentEncoding:
    case FieldId::kContentRange:
    case FieldId::kContentType:
    case FieldId::kCacheControl:
    case FieldId::kCdnCacheControl:
    case FieldId::kCdnLoop:
    case FieldId::kDate:
    case FieldId::kEtag:
    case FieldId::kExpires:
    case FieldId::kLastModified:
    case FieldId::kLocation:
    case FieldId::kVary:
    case FieldId::kVia:
    case FieldId::kXForwardedFor:
      return true;
    default:
      return false;
  }
}

bool GoesUpstream(const Field& field, const RequestHead& request, const SitePolicy& policy,
                  const UpstreamContext& context) {
  switch (field.id) {
    case FieldId::kHost:
    case FieldId::kContentLength:
    case FieldId::kExpect:
    case FieldId::kReefPeer:
    case FieldId::kReefAnswer:
    // Written anew, with what the client sent in front.
    case FieldId::kVia:
    case FieldId::kCdnLoop:
    case FieldId::kXForwardedFor:
      return false;
    case FieldId::kIfMatch:
    case FieldId::kIfNoneMatch:
    case FieldId::kIfModifiedSince:
    case FieldId::kIfUnmodifiedSince:
    case FieldId::kIfRange:
    case FieldId::kRange:
      if (!context.keep_conditions) return false;
      break;
    case FieldId::kCookie:
    case FieldId::kCookie2:
      if (policy.drop_cookies) return false;
      break;
    case FieldId::kCacheControl:
    case FieldId::kPragma:
      // What one client asks of caches must not bear on an answer that many are given.
      if (!policy.honour_reload) return false;
      break;
    default:
      break;
  }
  return !IsHopByHop(field, request.fields);
}

void AppendListField(std::string_view name, const FieldTable& fields, FieldId id,
                     std::string_view before_ours, std::string_view ours, std::string& out) {
  out += name;
  out += ": ";
  for (const Field* field = fields.Find(id); field != nullptr; field = fields.FindNext(field)) {
    if (field->value.empty()) continue;
    out += field->value;
    out += ", ";
  }
  out += before_ours;
  out += ours;
  out += "\r\n";
}

// As tokens, although parameters and comments may hold quoted commas: a quote that a client leaves
// open must not hide what we append after it, or the loop would never be seen.
template <typename IsOurs>
int CountMembers(const FieldTable& fields, FieldId id, IsOurs is_ours) {
  int count = 0;
  for (const Field* field = fields.Find(id); field != nullptr; field = fields.FindNext(field)) {
    std::string_view member;
    for (std::string_view rest = field->value; NextListToken(rest, member);) {
      if (is_ours(member)) ++count;
    }
  }
  return count;
}

}  // namespace

bool IsHopByHop(const Field& field, const FieldTable& fields) {
  switch (field.id) {
    case FieldId::kConnection:
    case FieldId::kKeepAlive:
    case FieldId::kProxyAuthenticate:
    case FieldId::kProxyAuthenticationInfo:
    case FieldId::kProxyAuthorization:
    case FieldId::kProxyConnection:
    case FieldId::kTe:
    case FieldId::kTrailer:
    case FieldId::kTransferEncoding:
    case FieldId::kUpgrade:
      return true;
    default:
      return fields.Has(FieldId::kConnection) && !MustStay(field.id) &&
             ListsToken(fields, FieldId::kConnection, field.name);
  }
}

void AppendUpstreamFields(const RequestHead& request, const SitePolicy& policy,
                          const UpstreamContext& context, std::string& out) {
  for (const Field& field : request.fields) {
    if (!GoesUpstream(field, request, policy, context)) continue;
    out += field.name;
    out += ": ";
    out += field.value;
    out += "\r\n";
  }
  const FieldTable& fields = request.fields;
  AppendListField("Via", fields, FieldId::kVia, request.minor == 0 ? "1.0 " : "1.1 ", context.via,
                  out);
  AppendListField("CDN-Loop", fields, FieldId::kCdnLoop, "", context.cdn_id, out);
  if (!context.client_address.empty()) {
    AppendListField("X-Forwarded-For", fields, FieldId::kXForwardedFor, "", context.client_address,
                    out);
  }
}

int TimesSeen(const FieldTable& fields, std::string_view via, std::string_view cdn_id) {
  // RFC 8586, 2: cdn-id *( ";" parameter ).
  const int loops = CountMembers(fields, FieldId::kCdnLoop, [&](std::string_view member) {
    return EqualsIgnoreCase(Trim(member.substr(0, member.find(';'))), cdn_id);
  });
  // RFC 9110, 7.6.3: received-protocol RWS received-by [ RWS comment ].
  const int hops = CountMembers(fields, FieldId::kVia, [&](std::string_view member) {
    const size_t blank = member.find_first_of(" \t");
    if (blank == std::string_view::npos) return false;
    const std::string_view by = Trim(member.substr(blank));
    return EqualsIgnoreCase(by.substr(0, by.find_first_of(" \t")), via);
  });
  return std::max(loops, hops);
}

}  // namespace reef::http
