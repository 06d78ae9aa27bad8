// SPDX-License-Identifier: Apache-2.0
//
// Status, StatusOr and early return. A Status message says what was tried, on whom, and why it
// failed: "fetch http://a/ from 10.0.0.7:8080: connection refused". Expected outcomes (absent,
// full, not cacheable) are values, never a Status.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reef {

using absl::Status;
using absl::StatusOr;

// Debian's absl::string_view is a class of its own; this is the one bridge.
inline absl::string_view ToAbsl(std::string_view s) {
  return {s.data(), s.size()};
}
inline std::string_view FromAbsl(absl::string_view s) {
  return {s.data(), s.size()};
}

inline Status InvalidArgument(std::string_view m) {
  return absl::InvalidArgumentError(ToAbsl(m));
}
inline Status Unavailable(std::string_view m) {
  return absl::UnavailableError(ToAbsl(m));
}
inline Status NotFound(std::string_view m) {
  return absl::NotFoundError(ToAbsl(m));
}
inline Status Internal(std::string_view m) {
  return absl::InternalError(ToAbsl(m));
}
inline Status FailedPrecondition(std::string_view m) {
  return absl::FailedPreconditionError(ToAbsl(m));
}
inline Status DeadlineExceeded(std::string_view m) {
  return absl::DeadlineExceededError(ToAbsl(m));
}
inline Status ResourceExhausted(std::string_view m) {
  return absl::ResourceExhaustedError(ToAbsl(m));
}

}  // namespace reef

#define REEF_CONCAT_INNER(a, b) a##b
#define REEF_CONCAT(a, b) REEF_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                                                       \
  do {                                                                                    \
    if (::reef::Status reef_status = (expression); !reef_status.ok()) return reef_status; \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expression) \
  ASSIGN_OR_RETURN_IMPL(REEF_CONCAT(reef_statusor_, __LINE__), lhs, expression)
#define ASSIGN_OR_RETURN_IMPL(statusor, lhs, expression) \
  auto statusor = (expression);                          \
  if (!statusor.ok()) return statusor.status();          \
  lhs = std::move(statusor).value()
