// SPDX-License-Identifier: Apache-2.0
//
// Records as a damaged disk may give them: refused or whole, and what is whole writes back to
// something that reads the same. The key is that of the seeds in the corpus.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "httpproxy/store/disk/record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reef::http;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const CacheKey key;
  if (const auto object = ParseRecord(key, bytes)) {
    if (ParseRecord(key, WriteRecord(*object)) != object) std::abort();
    if (!ParseIndexEntry(WriteIndexEntry(*object))) std::abort();
  }
  ParseIndexEntry(bytes);
  return 0;
}
