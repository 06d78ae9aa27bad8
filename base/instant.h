// SPDX-License-Identifier: Apache-2.0
//
// Instant and WallTime: the two notions of time, which cannot be mixed up.
//
// Instant is monotonic: for deadlines, leases, round trips. WallTime is civil time since the Unix
// epoch: for HTTP dates and certificates. Neither clock has a now(): a core is told the time, only
// base/runtime/clock.h can ask for it. So the same code runs under the simulator.
//
// Values, any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace reef {

using Duration = std::chrono::nanoseconds;

struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

// Later than any deadline: "no need to wake me".
inline constexpr Instant kNever = Instant::max();

struct CivilClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<CivilClock>;
  static constexpr bool is_steady = false;
};
using WallTime = CivilClock::time_point;

inline constexpr int64_t UnixSeconds(WallTime t) {
  return std::chrono::floor<std::chrono::seconds>(t.time_since_epoch()).count();
}
inline constexpr WallTime FromUnixSeconds(int64_t s) {
  return WallTime(std::chrono::seconds(s));
}

// For metrics, logs and JSON: fractional units as the Prometheus conventions ask for.
inline constexpr double Seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace reef
