// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/rate_guard.h"

#include <algorithm>

#include "base/check.h"

namespace reef::dsht {

RateGuard::RateGuard(Duration interval, int64_t burst, size_t ids_max)
    : interval_(interval), tolerance_(interval * (burst - 1)), full_at_(ids_max) {
  REEF_CHECK(interval > Duration::zero() && burst > 0);
}

bool RateGuard::Take(Instant now, const Id& id) {
  full_at_.DropExpired(now);
  const Instant full = std::max(full_at_.Until(id), now);
  if (full - now > tolerance_) return false;
  evictions_ += full_at_.Add(id, full + interval_);
  return true;
}

}  // namespace reef::dsht
