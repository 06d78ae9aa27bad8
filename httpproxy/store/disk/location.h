// SPDX-License-Identifier: Apache-2.0
//
// Location: where one segment of a body lies on disk, and what its bytes must hash to. It keeps its
// file open: a file that was reclaimed stays readable for the bodies that still refer to it.
//
// A value; any thread.
#pragma once

#include <cstdint>
#include <memory>

namespace reef::http {

class SegmentFile;

struct Location {
  std::shared_ptr<SegmentFile> file;  // null: not on disk
  uint64_t offset = 0;
  uint64_t xxh3 = 0;
  uint32_t length = 0;
};

}  // namespace reef::http
