// SPDX-License-Identifier: Apache-2.0
//
// HTTP dates, RFC 9110, 5.6.7: all three formats read, IMF-fixdate written. Strict: fixed columns,
// real dates, "GMT"; the weekday's name must be one, and is otherwise ignored. Two-digit years are
// 1970 to 2069. A leap second (:60) reads as the second before, a date before 1950 or after 2099 as
// the nearest within.
//
// Free functions; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/instant.h"

namespace reef::http {

inline constexpr size_t kHttpDateBytes = 29;

std::optional<WallTime> ParseHttpDate(std::string_view text);

// Writes kHttpDateBytes bytes: "Sun, 06 Nov 1994 08:49:37 GMT". Requires: years 1 to 9999.
void WriteHttpDate(WallTime time, char* out);
std::string HttpDate(WallTime time);

}  // namespace reef::http
