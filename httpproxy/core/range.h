// SPDX-License-Identifier: Apache-2.0
//
// Range and Content-Range, RFC 9110, 14, for one range in bytes. Several ranges in one request are
// answered with the whole (14.2 lets a server ignore them): their use is mostly abuse.
//
// Free functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reef::http {

// bytes=first-[last], or bytes=-suffix.
struct ByteRangeSpec {
  std::optional<uint64_t> first;  // absent: a suffix of `last` bytes
  std::optional<uint64_t> last;   // inclusive; absent: to the end

  friend bool operator==(const ByteRangeSpec&, const ByteRangeSpec&) = default;
};

// nullopt: not one valid range in bytes; treat the field as absent.
std::optional<ByteRangeSpec> ParseRange(std::string_view value);

struct ByteRange {
  uint64_t first = 0;
  uint64_t last = 0;  // inclusive

  uint64_t size() const { return last - first + 1; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// nullopt: unsatisfiable for a representation of that length (416).
std::optional<ByteRange> Resolve(const ByteRangeSpec& spec, uint64_t length);

// "bytes 0-499/1234"; of an unknown length "bytes 0-499/*".
void AppendContentRange(const ByteRange& range, std::optional<uint64_t> length, std::string& out);
// "bytes */1234": of a 416.
void AppendUnsatisfiedRange(uint64_t length, std::string& out);

struct ContentRange {
  std::optional<ByteRange> range;  // absent: "*"
  std::optional<uint64_t> length;  // absent: "*"

  friend bool operator==(const ContentRange&, const ContentRange&) = default;
};
// nullopt unless well-formed, first <= last < length.
std::optional<ContentRange> ParseContentRange(std::string_view value);

}  // namespace reef::http
