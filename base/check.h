// SPDX-License-Identifier: Apache-2.0
//
// REEF_CHECK(condition) << context: an invariant of our own code, always on. A failure prints
// file, line, condition and context to stderr and aborts. Never for input from outside: that gets
// an error value (docs/architecture.md, "Errors").
#pragma once

#include <sstream>

namespace reef::internal {

class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  [[noreturn]] ~CheckFailure();

  template <typename T>
  CheckFailure& operator<<(const T& value) {
    stream_ << value;
    return *this;
  }

 private:
  std::ostringstream stream_;
};

}  // namespace reef::internal

#define REEF_CHECK(condition) \
  if (condition) [[likely]] { \
  } else                      \
    ::reef::internal::CheckFailure(__FILE__, __LINE__, #condition)
