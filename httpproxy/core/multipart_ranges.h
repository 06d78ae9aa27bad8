// SPDX-License-Identifier: Apache-2.0
//
// MultipartRanges: the content of a 206 with several ranges (multipart/byteranges, RFC 9110, 14.6):
// a head before each range, and the end. The bytes of the ranges are the caller's.
//
// A value; no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "httpproxy/core/range.h"

namespace reef::http {

class MultipartRanges {
 public:
  // Of a representation of `length` bytes. `content_type`: its own, empty if it has none.
  // `boundary`: must not occur in it: random. Requires: ranges not empty.
  MultipartRanges(std::vector<ByteRange> ranges, uint64_t length, std::string_view content_type,
                  std::string_view boundary);

  size_t count() const { return ranges_.size(); }
  const ByteRange& range(size_t i) const { return ranges_[i]; }
  // What goes before range `i`; for i == count(), the end.
  std::string TextBefore(size_t i) const;

  // Of all: texts and ranges.
  uint64_t ContentLength() const;
  // The stored "Name: value\r\n" lines with the Content-Type of this content.
  std::string FieldsFor(std::string_view fields) const;

 private:
  std::vector<ByteRange> ranges_;
  uint64_t length_;
  std::string content_type_;
  std::string boundary_;
};

}  // namespace reef::http
