// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/location.h"

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "httpproxy/core/field_table.h"
#include "httpproxy/core/host_name.h"
#include "httpproxy/core/scan.h"

namespace reef::http {
namespace {

// Takes "http:", "https:" or nothing off the front of `url`. False: another scheme.
bool TakeScheme(std::string_view& url, bool otherwise_tls, bool& tls) {
  tls = otherwise_tls;
  const size_t colon = url.find_first_of(":/?#");
  if (colon == std::string_view::npos || url[colon] != ':') return true;
  const std::string_view scheme = url.substr(0, colon);
  tls = EqualsIgnoreCase(scheme, "https");
  if (!tls && !EqualsIgnoreCase(scheme, "http")) return false;
  url.remove_prefix(colon + 1);
  return true;
}

// host [":" port]; no user information, which no coralised form can carry.
std::optional<Origin> ParseAuthority(std::string_view text, bool tls) {
  Origin origin{.tls = tls, .host = {}, .port = static_cast<uint16_t>(tls ? 443 : 80)};
  size_t end = text.find(':');
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    origin.host = AsciiLower(text.substr(1, close - 1));
    end = close + 1 == text.size() ? std::string_view::npos : close + 1;
    if (end != std::string_view::npos && text[end] != ':') return std::nullopt;
  } else {
    origin.host = AsciiLower(text.substr(0, end));
    if (origin.host.ends_with('.')) origin.host.pop_back();
  }
  if (end == std::string_view::npos || end + 1 == text.size()) return origin;
  const auto port = ParseDecimal(text.substr(end + 1));
  if (!port || *port == 0 || *port > 65'535) return std::nullopt;
  origin.port = static_cast<uint16_t>(*port);
  return origin;
}

// RFC 3986, 5.2.4. `path` begins with '/'.
std::string WithoutDotSegments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    const bool up = segment == "/..";
    if (!up && segment != "/.") {
      out += segment;
      continue;
    }
    if (up) out.resize(std::min(out.rfind('/'), out.size()));
    if (path.empty()) out += '/';
  }
  return out;
}

}  // namespace

std::optional<std::string> CoralisedUrl(std::string_view url, const LocationContext& context) {
  bool tls = false;
  std::string_view rest = url;
  if (!TakeScheme(rest, context.origin_tls, tls) || !rest.starts_with("//")) return std::nullopt;
  rest.remove_prefix(2);
  // Browsers take '\' for '/': a host that they and we would see differently is left alone.
  const size_t end = rest.find_first_of("/?#\\");
  if (end != std::string_view::npos && rest[end] == '\\') return std::nullopt;
  const auto origin = ParseAuthority(rest.substr(0, end), tls);
  if (!origin) return std::nullopt;
  const auto host = CoralisedHost(*origin, context.zone);
  if (!host) return std::nullopt;

  std::string coralised(context.client_tls ? "https://" : "http://");
  coralised += *host;
  if (!context.proxy_port.empty()) {
    coralised += ':';
    coralised += context.proxy_port;
  }
  if (end != std::string_view::npos) coralised += rest.substr(end);
  return coralised;
}

void AppendCoralisedFields(std::string_view fields, const LocationContext& context,
                           std::string& out) {
  while (!fields.empty()) {
    const size_t end = fields.find("\r\n");
    const size_t size = end == std::string_view::npos ? fields.size() : end + 2;
    const std::string_view line = fields.substr(0, size);
    fields.remove_prefix(size);

    const size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    const FieldId id = IsToken(name) ? IdentifyField(name) : FieldId::kOther;
    if (id == FieldId::kLocation || id == FieldId::kContentLocation) {
      const std::string_view value = Trim(line.substr(colon + 1, line.size() - colon - 3));
      if (const auto url = CoralisedUrl(value, context)) {
        out += name;
        out += ": ";
        out += *url;
        out += "\r\n";
        continue;
      }
    }
    out += line;
  }
}

std::optional<std::string> SameOriginTarget(std::string_view reference, const Origin& origin,
                                            std::string_view target) {
  std::string_view rest = reference.substr(0, reference.find('#'));
  bool tls = false;
  const std::string_view before = rest;
  if (!TakeScheme(rest, origin.tls, tls)) return std::nullopt;
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    const size_t end = std::min(rest.find_first_of("/?\\"), rest.size());
    if (ParseAuthority(rest.substr(0, end), tls) != origin) return std::nullopt;
    rest.remove_prefix(end);
    if (rest.starts_with('\\')) return std::nullopt;  // as above
    if (!rest.starts_with('/')) return "/" + std::string(rest);
  } else if (rest.size() != before.size()) {
    return std::nullopt;  // "http:path"
  }

  const std::string_view base = target.substr(0, target.find('?'));
  const size_t query = std::min(rest.find('?'), rest.size());
  std::string path(rest.substr(0, query));
  if (path.empty())
    return query == rest.size() ? std::string(target) : std::string(base) + std::string(rest);
  if (!path.starts_with('/')) path.insert(0, base.substr(0, base.rfind('/') + 1));
  return WithoutDotSegments(path) += rest.substr(query);
}

}  // namespace reef::http
