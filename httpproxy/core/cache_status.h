// SPDX-License-Identifier: Apache-2.0
//
// Cache-Status (RFC 9211) and Proxy-Status (RFC 9209): what this proxy did with a request.
// Values and free functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reef::http {

// RFC 9211, 2.2.
enum class Forwarded : uint8_t {
  kNo,
  kBypass,
  kMethod,
  kUriMiss,
  kVaryMiss,
  kMiss,
  kRequest,
  kStale,
  kPartial
};

struct CacheStatus {
  std::string_view cache = "reef";
  bool hit = false;
  Forwarded forwarded = Forwarded::kNo;
  int forward_status = 0;                // 0: none
  std::optional<int64_t> ttl_seconds{};  // negative: stale
  bool stored = false;
  bool collapsed = false;
  std::string_view detail{};  // a token: "peer-l0", "origin"; empty: none
};

// "reef; fwd=uri-miss; fwd-status=200; stored; collapsed; detail=peer-l0", "reef; hit; ttl=123".
void AppendCacheStatus(const CacheStatus& status, std::string& out);
inline constexpr size_t kCacheStatusBytesMax = 160;  // without cache and detail

// RFC 9209, 2.3.
enum class ProxyError : uint8_t {
  kDnsTimeout,
  kDnsError,
  kDestinationNotFound,
  kDestinationUnavailable,
  kDestinationIpProhibited,
  kConnectionRefused,
  kConnectionTerminated,
  kConnectionTimeout,
  kConnectionReadTimeout,
  kConnectionWriteTimeout,
  kConnectionLimitReached,
  kTlsProtocolError,
  kTlsCertificateError,
  kHttpRequestDenied,
  kHttpResponseIncomplete,
  kHttpResponseHeaderSectionSize,
  kHttpResponseTimeout,
  kHttpProtocolError,
  kProxyInternalError,
  kProxyConfigurationError,
  kProxyLoopDetected,
};
std::string_view ProxyErrorName(ProxyError error);

// `reef; error=connection_refused; details="..."`; bytes a string may not hold are dropped.
void AppendProxyStatus(std::string_view proxy, ProxyError error, std::string_view details,
                       std::string& out);

}  // namespace reef::http
