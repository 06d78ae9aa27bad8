// SPDX-License-Identifier: Apache-2.0
//
// Stats: what a Responder has counted. Plain numbers: its worker copies them to where metrics are
// read (server/dns_metrics.h). A value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dnsredir/core/wire.h"

namespace reef::dns {

enum class Transport : uint8_t { kUdp, kTcp };

// The rows of the counters by rcode and type: few, so that a stranger cannot make labels.
enum class RcodeRow : uint8_t { kNoError, kFormErr, kNxDomain, kNotImp, kRefused, kBadVers };
inline constexpr size_t kRcodeRows = 6;
enum class TypeRow : uint8_t { kA, kAaaa, kNs, kSoa, kTxt, kCaa, kHttps, kAny, kOther };
inline constexpr size_t kTypeRows = 9;

struct Stats {
  std::array<uint64_t, 2> queries{};  // by Transport; everything received, answered or not
  std::array<uint64_t, kRcodeRows> answers{};
  std::array<uint64_t, kTypeRows> types{};  // of questions that could be read
  std::array<uint64_t, kMalformedCount> malformed{};
  std::array<uint64_t, 4> cookies{};  // by CookieState, of queries with EDNS
  uint64_t rate_truncated = 0;        // beyond the rate: told to come by TCP
  uint64_t rate_dropped = 0;          // beyond the rate: silence
  uint64_t rate_evictions = 0;        // networks whose rate was forgotten early
  uint64_t short_messages = 0;        // less than a header: silence
  uint64_t responses = 0;             // QR set: silence
  uint64_t no_data = 0;               // NOERROR without an answer record
  uint64_t truncated = 0;             // TC set
  uint64_t guesses = 0;               // addresses from a view without a live proxy
  uint64_t without_address = 0;       // not even a guess: no proxy known, none here

  friend bool operator==(const Stats&, const Stats&) = default;
};
// Copied as an array of numbers.
inline constexpr size_t kStatsCount = sizeof(Stats) / sizeof(uint64_t);

}  // namespace reef::dns
