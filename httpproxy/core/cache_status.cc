// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/cache_status.h"

#include <array>
#include <charconv>

namespace reef::http {
namespace {

void AppendNumber(std::string_view name, int64_t value, std::string& out) {
  char digits[20];
  out += name;
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

std::string_view ForwardedName(Forwarded forwarded) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "", "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"};
  return kNames[static_cast<size_t>(forwarded)];
}

}  // namespace

void AppendCacheStatus(const CacheStatus& status, std::string& out) {
  out += status.cache;
  if (status.hit) out += "; hit";
  if (status.forwarded != Forwarded::kNo) {
    out += "; fwd=";
    out += ForwardedName(status.forwarded);
  }
  if (status.forward_status != 0) AppendNumber("; fwd-status=", status.forward_status, out);
  if (status.ttl_seconds) AppendNumber("; ttl=", *status.ttl_seconds, out);
  if (status.stored) out += "; stored";
  if (status.collapsed) out += "; collapsed";
  if (!status.detail.empty()) {
    out += "; detail=";
    out += status.detail;
  }
}

std::string_view ProxyErrorName(ProxyError error) {
  static constexpr std::array<std::string_view, 21> kNames = {
      "dns_timeout",
      "dns_error",
      "destination_not_found",
      "destination_unavailable",
      "destination_ip_prohibited",
      "connection_refused",
      "connection_terminated",
      "connection_timeout",
      "connection_read_timeout",
      "connection_write_timeout",
      "connection_limit_reached",
      "tls_protocol_error",
      "tls_certificate_error",
      "http_request_denied",
      "http_response_incomplete",
      "http_response_header_section_size",
      "http_response_timeout",
      "http_protocol_error",
      "proxy_internal_error",
      "proxy_configuration_error",
      "proxy_loop_detected",
  };
  return kNames[static_cast<size_t>(error)];
}

void AppendProxyStatus(std::string_view proxy, ProxyError error, std::string_view details,
                       std::string& out) {
  out += proxy;
  out += "; error=";
  out += ProxyErrorName(error);
  if (details.empty()) return;
  out += "; details=\"";
  for (const char c : details) {  // RFC 8941, 3.3.3: sf-string
    if (c < 0x20 || c == 0x7f) continue;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace reef::http
