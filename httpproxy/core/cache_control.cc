// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/cache_control.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"

namespace reef::http {
namespace {

// RFC 9111, 1.2.2: what a recipient that counts in 32 bits takes for "too large".
constexpr Duration kDeltaMax = std::chrono::seconds(1ll << 31);

struct Directive {
  std::string_view name{};
  std::string_view argument{};  // without quotes; a quoted pair in it makes no sense and stays
  bool has_argument = false;
  bool is_quoted = false;
};

Directive Split(std::string_view member) {
  const size_t equals = member.find('=');
  if (equals == std::string_view::npos) return {.name = member};
  std::string_view argument = member.substr(equals + 1);
  const bool is_quoted = argument.size() >= 2 && argument.front() == '"' && argument.back() == '"';
  if (is_quoted) argument = argument.substr(1, argument.size() - 2);
  return {member.substr(0, equals), argument, true, is_quoted};
}

template <typename Visit>
void ForEachDirective(const FieldTable& fields, FieldId id, Visit visit) {
  for (const Field* field = fields.Find(id); field != nullptr; field = fields.FindNext(field)) {
    std::string_view member;
    for (std::string_view rest = field->value; NextListMember(rest, member);) visit(Split(member));
  }
}

// The first one counts (RFC 9111, 4.2.1). `invalid` stands for one that cannot be read.
void SetOnce(std::optional<Duration>& slot, const Directive& directive,
             std::optional<Duration> invalid) {
  if (slot) return;
  const auto value = ParseDeltaSeconds(directive.argument);
  slot = value ? value : invalid;
}

void Apply(const Directive& d, RequestDirectives& out) {
  constexpr auto kIgnore = std::nullopt;
  if (EqualsIgnoreCase(d.name, "no-cache")) {
    out.no_cache = true;
  } else if (EqualsIgnoreCase(d.name, "no-store")) {
    out.no_store = true;
  } else if (EqualsIgnoreCase(d.name, "no-transform")) {
    out.no_transform = true;
  } else if (EqualsIgnoreCase(d.name, "only-if-cached")) {
    out.only_if_cached = true;
  } else if (EqualsIgnoreCase(d.name, "max-age")) {
    SetOnce(out.max_age, d, kIgnore);
  } else if (EqualsIgnoreCase(d.name, "min-fresh")) {
    SetOnce(out.min_fresh, d, kIgnore);
  } else if (EqualsIgnoreCase(d.name, "max-stale")) {
    if (d.has_argument) {
      SetOnce(out.max_stale, d, kIgnore);
    } else {
      out.any_stale = true;
    }
  } else if (EqualsIgnoreCase(d.name, "stale-if-error")) {
    SetOnce(out.stale_if_error, d, kIgnore);
  }
}

// Without these a stored response is another one, or none.
bool MayBeWithheld(std::string_view name) {
  if (!IsToken(name)) return false;
  switch (IdentifyField(name)) {
    case FieldId::kOther:
    case FieldId::kContentLocation:
    case FieldId::kSetCookie:
    case FieldId::kSetCookie2:
      return true;
    default:
      return false;
  }
}

// no-cache and private, with names or without. Names come as a quoted string: private=1 or
// no-cache=true mean the whole response.
void Qualify(const Directive& d, bool& all, std::string_view& names) {
  bool usable = d.is_quoted && names.empty() && !d.argument.empty();
  std::string_view name;
  for (std::string_view rest = d.argument; usable && NextListToken(rest, name);) {
    usable = MayBeWithheld(name);
  }
  if (usable) {
    names = d.argument;
  } else {
    all = true;
  }
}

void Apply(const Directive& d, ResponseDirectives& out) {
  // Invalid freshness is no freshness; an invalid permission is none.
  constexpr Duration kNone = Duration::zero();
  if (EqualsIgnoreCase(d.name, "max-age")) {
    SetOnce(out.max_age, d, kNone);
  } else if (EqualsIgnoreCase(d.name, "s-maxage")) {
    SetOnce(out.s_maxage, d, kNone);
  } else if (EqualsIgnoreCase(d.name, "no-cache")) {
    Qualify(d, out.no_cache, out.no_cache_fields);
  } else if (EqualsIgnoreCase(d.name, "no-store")) {
    out.no_store = true;
  } else if (EqualsIgnoreCase(d.name, "no-transform")) {
    out.no_transform = true;
  } else if (EqualsIgnoreCase(d.name, "public")) {
    out.is_public = true;
  } else if (EqualsIgnoreCase(d.name, "private")) {
    Qualify(d, out.is_private, out.private_fields);
  } else if (EqualsIgnoreCase(d.name, "must-revalidate")) {
    out.must_revalidate = true;
  } else if (EqualsIgnoreCase(d.name, "proxy-revalidate")) {
    out.proxy_revalidate = true;
  } else if (EqualsIgnoreCase(d.name, "must-understand")) {
    out.must_understand = true;
  } else if (EqualsIgnoreCase(d.name, "immutable")) {
    out.immutable = true;
  } else if (EqualsIgnoreCase(d.name, "stale-while-revalidate")) {
    SetOnce(out.stale_while_revalidate, d, kNone);
  } else if (EqualsIgnoreCase(d.name, "stale-if-error")) {
    SetOnce(out.stale_if_error, d, kNone);
  }
}

// ---- RFC 9213: a targeted field is a dictionary of RFC 8941, and void as a whole if malformed
// ----

bool IsKey(std::string_view text) {
  if (text.empty()) return false;
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  if (!lower(text.front()) && text.front() != '*') return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return lower(c) || IsDigit(c) || c == '_' || c == '-' || c == '.' || c == '*';
  });
}

// An integer, a token, a string or a boolean: enough of sf-item to tell a field from a broken one.
bool IsBareItem(std::string_view text) {
  if (text.empty()) return false;
  if (text.front() == '"') {
    for (size_t i = 1; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '"') {
        return i + 1 == text.size();
      }
    }
    return false;
  }
  if (text.front() == '?') return text == "?0" || text == "?1";
  if (IsDigit(text.front()) || text.front() == '-') {
    const std::string_view digits = text.front() == '-' ? text.substr(1) : text;
    const size_t dot = digits.find('.');
    if (dot != std::string_view::npos) {
      return dot <= 12 && digits.size() - dot - 1 <= 3 && ParseDecimal(digits.substr(0, dot)) &&
             ParseDecimal(digits.substr(dot + 1));
    }
    return digits.size() <= 15 && ParseDecimal(digits).has_value();
  }
  return (AsciiLower(text.front()) >= 'a' && AsciiLower(text.front()) <= 'z') ||
         text.front() == '*';
}

// Empty members ("a,,b", a trailing comma) are errors there, unlike in a #list.
bool HasEmptyMember(std::string_view value) {
  bool quoted = false;
  bool empty = true;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '"') quoted = !quoted;
    if (c == '\\' && quoted) ++i;
    if (c == ',' && !quoted) {
      if (empty) return true;
      empty = true;
    } else if (c != ' ' && c != '\t') {
      empty = false;
    }
  }
  return empty;
}

// What a member says once it is valid: `name=?0` is as good as absent, parameters are ignored.
std::optional<Directive> TargetedMember(std::string_view member) {
  const size_t semicolon = member.find(';');
  if (semicolon != std::string_view::npos && member.find('"') == std::string_view::npos) {
    member = Trim(member.substr(0, semicolon));
  }
  const size_t equals = member.find('=');
  if (!IsKey(member.substr(0, equals))) return std::nullopt;
  if (equals != std::string_view::npos && !IsBareItem(member.substr(equals + 1))) {
    return std::nullopt;
  }
  return Split(member);
}

bool ParseTargeted(const FieldTable& fields, ResponseDirectives& out) {
  const Field* field = fields.Find(FieldId::kCdnCacheControl);
  for (; field != nullptr; field = fields.FindNext(field)) {
    if (field->value.empty() || HasEmptyMember(field->value)) return false;
    std::string_view member;
    for (std::string_view rest = field->value; NextListMember(rest, member);) {
      const auto directive = TargetedMember(member);
      if (!directive) return false;
      if (directive->argument != "?0") Apply(*directive, out);
    }
  }
  out.targeted = true;
  return true;
}

}  // namespace

std::optional<Duration> ParseDeltaSeconds(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), IsDigit)) return std::nullopt;
  uint64_t seconds = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || seconds > (1ull << 31)) return kDeltaMax;
  return std::chrono::seconds(seconds);
}

bool ResponseDirectives::Withholds(std::string_view name) const {
  for (std::string_view rest : {no_cache_fields, private_fields}) {
    for (std::string_view named; NextListToken(rest, named);) {
      if (EqualsIgnoreCase(named, name)) return true;
    }
  }
  return false;
}

RequestDirectives ParseRequestDirectives(const FieldTable& fields) {
  RequestDirectives out;
  if (!fields.Has(FieldId::kCacheControl)) {
    out.no_cache = ListsToken(fields, FieldId::kPragma, "no-cache");  // RFC 9111, 5.4
    return out;
  }
  ForEachDirective(fields, FieldId::kCacheControl, [&](const Directive& d) { Apply(d, out); });
  return out;
}

ResponseDirectives ParseResponseDirectives(const FieldTable& fields) {
  if (fields.Has(FieldId::kCdnCacheControl)) {
    ResponseDirectives out;
    if (ParseTargeted(fields, out)) return out;
  }
  ResponseDirectives out;
  ForEachDirective(fields, FieldId::kCacheControl, [&](const Directive& d) { Apply(d, out); });
  return out;
}

}  // namespace reef::http
