// SPDX-License-Identifier: Apache-2.0
//
// RateLimiter: response rate limiting, so that forged addresses cannot turn this server against
// their owners: at most so many answers a second to one network (IPv4 /24, IPv6 /56), with a burst
// of one second. Of those beyond, every so many is an empty one with TC ("slip"): a real client
// behind that network then comes by TCP, which shows its address; the rest are not sent.
//
// Memory is fixed: networks share slots four at a time, and the one nearest to its full rate makes
// room. A network that is forgotten so begins anew: never too strict.
//
// Owned by one worker, so a network's limit is one a worker. Not thread-safe; no allocation after
// it was made; reads no clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"

namespace reef::dns {

class RateLimiter {
 public:
  struct Options {
    uint32_t answers_per_second = 0;        // 0: no limit
    uint32_t slip = 2;                      // 1: all of those beyond are TC; 0: none
    size_t networks_max = size_t{1} << 15;  // 24 bytes each
  };
  enum class Verdict : uint8_t { kAnswer, kTruncate, kDrop };

  // `seed`: keeps strangers from choosing networks that share a slot.
  RateLimiter(const Options& options, uint64_t seed);

  Verdict Judge(Instant now, const IpAddress& client);

  // Networks forgotten although they were below their full rate.
  uint64_t evictions() const { return evictions_; }

 private:
  struct Slot {
    uint64_t network = 0;  // a hash
    Instant full_at{};     // when it has its whole burst again
    uint64_t beyond = 0;   // queries beyond the rate so far
  };
  using Set = std::array<Slot, 4>;

  uint64_t HashOf(const IpAddress& client) const;
  Slot& SlotFor(Instant now, uint64_t network);

  Duration interval_{};  // of one answer; zero: no limit
  uint32_t slip_;
  uint64_t seed_;
  uint64_t evictions_ = 0;
  std::vector<Set> sets_;
};

}  // namespace reef::dns
