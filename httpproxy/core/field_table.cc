// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/field_table.h"

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "httpproxy/core/scan.h"

namespace reef::http {
namespace {

template <typename Word>
Word LoadLower(const char* text) {
  Word word;
  std::memcpy(&word, text, sizeof word);
  // Sets bit 5 of each byte: letters become lower case, '-' stays. No other token character
  // becomes a letter or '-' by it.
  return word | static_cast<Word>(0x2020202020202020ull);
}

// Requires: `text` has as many bytes as `lower`, a literal of letters, digits and '-'.
template <size_t kSize>
bool Is(const char* text, const char (&lower)[kSize]) {
  constexpr size_t kLength = kSize - 1;
  if constexpr (kLength >= 8) {
    for (size_t i = 0; i + 8 < kLength; i += 8) {
      if (LoadLower<uint64_t>(text + i) != LoadLower<uint64_t>(lower + i)) return false;
    }
    return LoadLower<uint64_t>(text + kLength - 8) == LoadLower<uint64_t>(lower + kLength - 8);
  } else if constexpr (kLength >= 4) {
    return LoadLower<uint32_t>(text) == LoadLower<uint32_t>(lower) &&
           LoadLower<uint32_t>(text + kLength - 4) == LoadLower<uint32_t>(lower + kLength - 4);
  } else {
    for (size_t i = 0; i < kLength; ++i) {
      if ((text[i] | 0x20) != lower[i]) return false;
    }
    return true;
  }
}

}  // namespace

FieldId IdentifyField(std::string_view name) {
  using enum FieldId;
  const char* n = name.data();
  switch (name.size()) {
    case 2:
      if (Is(n, "te")) return kTe;
      break;
    case 3:
      if (Is(n, "age")) return kAge;
      if (Is(n, "via")) return kVia;
      break;
    case 4:
      switch (n[0] | 0x20) {
        case 'd':
          return Is(n, "date") ? kDate : kOther;
        case 'e':
          return Is(n, "etag") ? kEtag : kOther;
        case 'h':
          return Is(n, "host") ? kHost : kOther;
        case 'v':
          return Is(n, "vary") ? kVary : kOther;
      }
      break;
    case 5:
      if (Is(n, "range")) return kRange;
      break;
    case 6:
      switch (n[0] | 0x20) {
        case 'c':
          return Is(n, "cookie") ? kCookie : kOther;
        case 'e':
          return Is(n, "expect") ? kExpect : kOther;
        case 'p':
          return Is(n, "pragma") ? kPragma : kOther;
      }
      break;
    case 7:
      switch (n[0] | 0x20) {
        case 'c':
          return Is(n, "cookie2") ? kCookie2 : kOther;
        case 'e':
          return Is(n, "expires") ? kExpires : kOther;
        case 't':
          return Is(n, "trailer") ? kTrailer : kOther;
        case 'u':
          return Is(n, "upgrade") ? kUpgrade : kOther;
      }
      break;
    case 8:
      switch (n[0] | 0x20) {
        case 'c':
          return Is(n, "cdn-loop") ? kCdnLoop : kOther;
        case 'i':
          if (Is(n, "if-match")) return kIfMatch;
          return Is(n, "if-range") ? kIfRange : kOther;
        case 'l':
          return Is(n, "location") ? kLocation : kOther;
      }
      break;
    case 9:
      if (Is(n, "reef-peer")) return kReefPeer;
      break;
    case 10:
      switch (n[0] | 0x20) {
        case 'c':
          return Is(n, "connection") ? kConnection : kOther;
        case 'k':
          return Is(n, "keep-alive") ? kKeepAlive : kOther;
        case 's':
          return Is(n, "set-cookie") ? kSetCookie : kOther;
      }
      break;
    case 11:
      if (Is(n, "reef-answer")) return kReefAnswer;
      if (Is(n, "set-cookie2")) return kSetCookie2;
      break;
    case 12:
      switch (n[0] | 0x20) {
        case 'c':
          if (Is(n, "content-type")) return kContentType;
          return Is(n, "cache-status") ? kCacheStatus : kOther;
        case 'p':
          return Is(n, "proxy-status") ? kProxyStatus : kOther;
      }
      break;
    case 13:
      switch (n[0] | 0x20) {
        case 'a':
          if (Is(n, "accept-ranges")) return kAcceptRanges;
          return Is(n, "authorization") ? kAuthorization : kOther;
        case 'c':
          if (Is(n, "cache-control")) return kCacheControl;
          return Is(n, "content-range") ? kContentRange : kOther;
        case 'i':
          return Is(n, "if-none-match") ? kIfNoneMatch : kOther;
        case 'l':
          return Is(n, "last-modified") ? kLastModified : kOther;
      }
      break;
    case 14:
      if (Is(n, "content-length")) return kContentLength;
      break;
    case 15:
      if (Is(n, "accept-encoding")) return kAcceptEncoding;
      if (Is(n, "x-forwarded-for")) return kXForwardedFor;
      break;
    case 16:
      if (Is(n, "content-encoding")) return kContentEncoding;
      if (Is(n, "content-location")) return kContentLocation;
      if (Is(n, "proxy-connection")) return kProxyConnection;
      break;
    case 17:
      if (Is(n, "if-modified-since")) return kIfModifiedSince;
      if (Is(n, "transfer-encoding")) return kTransferEncoding;
      if (Is(n, "cdn-cache-control")) return kCdnCacheControl;
      break;
    case 18:
      if (Is(n, "proxy-authenticate")) return kProxyAuthenticate;
      break;
    case 19:
      if (Is(n, "if-unmodified-since")) return kIfUnmodifiedSince;
      if (Is(n, "proxy-authorization")) return kProxyAuthorization;
      break;
    case 25:
      if (Is(n, "proxy-authentication-info")) return kProxyAuthenticationInfo;
      break;
    default:
      break;
  }
  return kOther;
}

void FieldTable::Clear() {
  size_ = 0;
  first_.fill(0);
  repeated_ = 0;
}

bool FieldTable::Add(std::string_view name, std::string_view value) {
  if (size_ == kMax) return false;
  const FieldId id = IdentifyField(name);
  Field& field = fields_[size_++];
  field.name = name;
  field.value = value;
  field.id = id;
  uint8_t& place = first_[static_cast<size_t>(id)];
  if (place == 0) {
    place = static_cast<uint8_t>(size_);
  } else {
    repeated_ |= uint64_t{1} << static_cast<size_t>(id);
  }
  return true;
}

const Field* FieldTable::FindNext(const Field* field) const {
  REEF_CHECK(field >= begin() && field < end());
  if ((repeated_ >> static_cast<size_t>(field->id) & 1) == 0) return nullptr;
  for (const Field* next = field + 1; next != end(); ++next) {
    if (next->id == field->id) return next;
  }
  return nullptr;
}

const Field* FieldTable::FindNamed(std::string_view name) const {
  for (const Field& field : *this) {
    if (EqualsIgnoreCase(field.name, name)) return &field;
  }
  return nullptr;
}

bool ReadFieldLines(std::string_view lines, FieldTable& table) {
  table.Clear();
  while (!lines.empty()) {
    const size_t colon = lines.find(':');
    const size_t end = lines.find("\r\n");
    if (end == std::string_view::npos || colon >= end) return false;
    const std::string_view name = lines.substr(0, colon);
    if (!IsToken(name)) return false;
    if (!table.Add(name, Trim(lines.substr(colon + 1, end - colon - 1)))) return false;
    lines.remove_prefix(end + 2);
  }
  return true;
}

bool NextListMember(std::string_view& rest, std::string_view& member) {
  while (!rest.empty()) {
    bool quoted = false;
    size_t end = 0;
    for (; end < rest.size(); ++end) {
      const char c = rest[end];
      if (c == '"') {
        quoted = !quoted;
      } else if (c == '\\' && quoted) {
        ++end;
      } else if (c == ',' && !quoted) {
        break;
      }
    }
    if (end > rest.size()) end = rest.size();
    member = Trim(rest.substr(0, end));
    rest.remove_prefix(end == rest.size() ? end : end + 1);
    if (!member.empty()) return true;
  }
  return false;
}

bool NextListToken(std::string_view& rest, std::string_view& token) {
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    token = Trim(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    if (!token.empty()) return true;
  }
  return false;
}

bool ListsToken(const FieldTable& fields, FieldId id, std::string_view token) {
  for (const Field* field = fields.Find(id); field != nullptr; field = fields.FindNext(field)) {
    if (EqualsIgnoreCase(field->value, token)) return true;
    std::string_view member;
    for (std::string_view rest = field->value; NextListToken(rest, member);) {
      if (EqualsIgnoreCase(member, token)) return true;
    }
  }
  return false;
}

bool IsToken(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!IsTokenByte(c)) return false;
  }
  return true;
}

}  // namespace reef::http
