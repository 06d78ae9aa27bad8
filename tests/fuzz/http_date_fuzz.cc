// SPDX-License-Identifier: Apache-2.0
//
// HTTP dates: what is read, in whatever format, is written as a date that reads as the same second.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "httpproxy/core/http_date.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reef::http;
  const auto time = ParseHttpDate({reinterpret_cast<const char*>(data), size});
  REEF_CHECK(!time || ParseHttpDate(HttpDate(*time)) == time);
  return 0;
}
