// SPDX-License-Identifier: Apache-2.0
//
// Coralised host names: which origin HOST.ZONE, HOST.PORT.ZONE stand for, and back.
//
//   example.com.nyud.net             http://example.com
//   example.com.8080.nyud.net        http://example.com:8080
//   example.com.443.nyud.net         https://example.com
//   127.0.0.1.nyud.net               http://127.0.0.1          (exactly four numeric labels)
//   127.0.0.1.8080.nyud.net          http://127.0.0.1:8080     (five)
//   2001-db8--1.ip6.nyud.net         http://[2001:db8::1]      ('-' for ':')
//   2001-db8--1.ip6.8080.nyud.net    http://[2001:db8::1]:8080 (the port label is next to the zone,
//                                                               as for any host)
// A last label of digits is the port. Port 443 means TLS; TLS on another port, and plain HTTP on
// 443, have no coralised form. Case and a trailing dot do not matter; a port after ':' is the
// proxy's own and ignored. Names are letters, digits, '-' and '_'; one that ends in a number is no
// name but an address in disguise (0x7f.1), and refused.
//
// Free functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "httpproxy/core/origin.h"

namespace reef::http {

enum class HostVerdict : uint8_t {
  kOk,
  kEmpty,
  kNotOurs,         // not below the zone
  kApex,            // the zone itself
  kBadName,         // an empty, long or ill-spelt label
  kBadPort,         // 0, over 65535, leading zeros
  kAddressRefused,  // an address literal, where none are allowed
  kNested,          // the origin is itself below the zone: a loop
};
inline constexpr size_t kHostVerdictCount = static_cast<size_t>(HostVerdict::kNested) + 1;

// "not-ours" and the like: for metrics and logs.
std::string_view HostVerdictName(HostVerdict verdict);

struct HostOptions {
  bool allow_addresses = false;
};

// `host` is a Host field's value; `zone` in lower case, without dots at its ends. Fills `origin`
// only if kOk, using its memory again: no allocation for a scratch Origin once it has grown.
HostVerdict ParseCoralised(std::string_view host, std::string_view zone, const HostOptions& options,
                           Origin& origin);

// The inverse, without a proxy port; nullopt if the origin has no coralised form.
std::optional<std::string> CoralisedHost(const Origin& origin, std::string_view zone);

// The ":8090" of a Host field as digits; empty if there is none.
std::string_view PortOfHost(std::string_view host);

}  // namespace reef::http
