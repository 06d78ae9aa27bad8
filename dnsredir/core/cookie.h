// SPDX-License-Identifier: Apache-2.0
//
// DNS cookies (RFC 7873) in the form that servers of all makes share (RFC 9018): who brings the one
// that we gave to its address has not forged that address. Nothing is kept for a client: a server
// cookie is a keyed hash (SipHash-2-4) of what the query shows.
//
// Values and plain functions; no allocation; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/endpoint.h"

namespace reef::dns {

inline constexpr size_t kClientCookieBytes = 8;
inline constexpr size_t kServerCookieBytes = 16;
inline constexpr size_t kCookieBytes = kClientCookieBytes + kServerCookieBytes;

// Random; the same for all threads of a server, and for all servers behind one address.
using CookieSecret = std::array<uint8_t, 16>;
using Cookie = std::array<uint8_t, kCookieBytes>;  // the client's part, then ours

enum class CookieState : uint8_t {
  kNone,     // the query brought none
  kNew,      // a client's alone: it has not been here, or long ago
  kValid,    // ours, of the last hour, for this address
  kInvalid,  // another server's, too old, or forged
};

// Requires: client.size() >= kClientCookieBytes; what follows is not looked at.
// `now_s`: Unix time, of which the lower 32 bits count (RFC 9018, 4.3).
Cookie MakeCookie(const CookieSecret& secret, std::span<const uint8_t> client,
                  const IpAddress& address, uint32_t now_s);

// `cookie` as a query brought it, any length. `is_to_be_renewed`: valid, but older than half an
// hour.
struct CookieCheck {
  CookieState state = CookieState::kNone;
  bool is_to_be_renewed = false;
};
CookieCheck CheckCookie(const CookieSecret& secret, std::span<const uint8_t> cookie,
                        const IpAddress& address, uint32_t now_s);

}  // namespace reef::dns
