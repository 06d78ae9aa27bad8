// SPDX-License-Identifier: Apache-2.0
//
// The clocks. Only drivers, servers and main include this; cores are told the time.
#pragma once

#include "base/instant.h"

namespace reef {

inline Instant MonotonicNow() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

inline WallTime WallNow() {
  return WallTime(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

}  // namespace reef
