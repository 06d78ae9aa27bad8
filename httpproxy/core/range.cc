// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/range.h"

#include <algorithm>

#include "base/bytes.h"

namespace reef::http {

std::optional<ByteRangeSpec> ParseRange(std::string_view value) {
  const size_t equals = value.find('=');
  if (equals == std::string_view::npos || !EqualsIgnoreCase(value.substr(0, equals), "bytes")) {
    return std::nullopt;
  }
  const std::string_view range = Trim(value.substr(equals + 1));
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;

  ByteRangeSpec spec;
  if (dash > 0) {
    spec.first = ParseDecimal(range.substr(0, dash));
    if (!spec.first) return std::nullopt;
  }
  if (dash + 1 < range.size()) {
    spec.last = ParseDecimal(range.substr(dash + 1));
    if (!spec.last) return std::nullopt;
  }
  if (!spec.first && !spec.last) return std::nullopt;
  if (spec.first && spec.last && *spec.last < *spec.first) return std::nullopt;
  return spec;
}

std::optional<ByteRange> Resolve(const ByteRangeSpec& spec, uint64_t length) {
  if (!spec.first) {
    const uint64_t suffix = std::min(spec.last.value_or(0), length);
    if (suffix == 0) return std::nullopt;
    return ByteRange{length - suffix, length - 1};
  }
  if (*spec.first >= length) return std::nullopt;
  return ByteRange{*spec.first, std::min(spec.last.value_or(length - 1), length - 1)};
}

void AppendContentRange(const ByteRange& range, std::optional<uint64_t> length, std::string& out) {
  out += "bytes ";
  out += std::to_string(range.first);
  out += '-';
  out += std::to_string(range.last);
  out += '/';
  out += length ? std::to_string(*length) : "*";
}

void AppendUnsatisfiedRange(uint64_t length, std::string& out) {
  out += "bytes */";
  out += std::to_string(length);
}

std::optional<ContentRange> ParseContentRange(std::string_view value) {
  static constexpr size_t kUnitBytes = 6;  // "bytes "
  if (!EqualsIgnoreCase(value.substr(0, kUnitBytes), "bytes ")) return std::nullopt;
  value.remove_prefix(kUnitBytes);
  const size_t slash = value.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view range = value.substr(0, slash);
  const std::string_view length = value.substr(slash + 1);

  ContentRange result;
  if (length != "*") {
    result.length = ParseDecimal(length);
    if (!result.length) return std::nullopt;
  }
  if (range == "*") {
    if (!result.length) return std::nullopt;
    return result;
  }
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = ParseDecimal(range.substr(0, dash));
  const auto last = ParseDecimal(range.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  if (result.length && *last >= *result.length) return std::nullopt;
  result.range = ByteRange{*first, *last};
  return result;
}

}  // namespace reef::http
