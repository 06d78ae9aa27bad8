// SPDX-License-Identifier: Apache-2.0
//
// RateGuard: a token bucket for each of many ids, in bounded memory. With Options::leak_per_minute
// and burst 1 it is the "loaded" test of CoralCDN (NSDI 2004, 4.2): under load all but one store
// attempt in five seconds find the node loaded. A sliding window in its place would never open
// again under steady load and the values near a hot key would die (docs/coral.md, 2.4).
//
// A bucket is kept as the instant at which it will be full again (the generic cell rate algorithm),
// so an idle bucket costs nothing: it is forgotten.
//
// Owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/instant.h"
#include "dsht/core/id.h"
#include "dsht/core/recent.h"

namespace reef::dsht {

class RateGuard {
 public:
  // One token each `interval`, at most `burst` saved up, at most `ids_max` buckets; beyond that the
  // one nearest to full is forgotten.
  RateGuard(Duration interval, int64_t burst, size_t ids_max);

  // Takes a token; false if there is none.
  bool Take(Instant now, const Id& id);

  size_t size() const { return full_at_.size(); }
  uint64_t evictions() const { return evictions_; }

 private:
  Duration interval_;
  Duration tolerance_;
  uint64_t evictions_ = 0;
  Recent<Id> full_at_;
};

}  // namespace reef::dsht
