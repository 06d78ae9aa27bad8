// SPDX-License-Identifier: Apache-2.0
//
// Range and Content-Range, RFC 9110, 14, in bytes.
//
// Free functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reef::http {

// bytes=first-[last], or bytes=-suffix.
struct ByteRangeSpec {
  std::optional<uint64_t> first;  // absent: a suffix of `last` bytes
  std::optional<uint64_t> last;   // inclusive; absent: to the end

  friend bool operator==(const ByteRangeSpec&, const ByteRangeSpec&) = default;
};

// More in one request are answered with the whole (14.2 lets a server ignore them).
inline constexpr size_t kRangesMax = 16;

// Empty: not valid ranges in bytes, or too many; treat the field as absent.
std::vector<ByteRangeSpec> ParseRanges(std::string_view value);

struct ByteRange {
  uint64_t first = 0;
  uint64_t last = 0;  // inclusive

  uint64_t size() const { return last - first + 1; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// nullopt: unsatisfiable for a representation of that length (416).
std::optional<ByteRange> Resolve(const ByteRangeSpec& spec, uint64_t length);

// What is to be sent for `specs`: those that can be satisfied, as they were asked for. If some
// overlap, or leave out less between them than saying so would take, or `ascending` is wanted,
// merged and in ascending order (15.3.7.2): so nobody gets more bytes than there are. Empty: 416.
std::vector<ByteRange> ResolveAll(const std::vector<ByteRangeSpec>& specs, uint64_t length,
                                  bool ascending);

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
