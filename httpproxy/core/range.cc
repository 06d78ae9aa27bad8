// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/range.h"

#include <algorithm>

#include "base/bytes.h"
#include "httpproxy/core/field_table.h"

namespace reef::http {

namespace {

// About what a part costs beyond its bytes (multipart_ranges.h).
constexpr uint64_t kMergeGap = 128;

// first-[last] or -suffix
std::optional<ByteRangeSpec> ParseSpec(std::string_view range) {
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

bool AreApart(const ByteRange& lower, const ByteRange& upper) {
  return upper.first > lower.last && upper.first - lower.last > kMergeGap;
}

}  // namespace

std::vector<ByteRangeSpec> ParseRanges(std::string_view value) {
  const size_t equals = value.find('=');
  if (equals == std::string_view::npos || !EqualsIgnoreCase(value.substr(0, equals), "bytes")) {
    return {};
  }
  std::vector<ByteRangeSpec> specs;
  std::string_view member;
  for (std::string_view rest = value.substr(equals + 1); NextListToken(rest, member);) {
    const std::optional<ByteRangeSpec> spec = ParseSpec(member);
    if (!spec || specs.size() == kRangesMax) return {};
    specs.push_back(*spec);
  }
  return specs;
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

std::vector<ByteRange> ResolveAll(const std::vector<ByteRangeSpec>& specs, uint64_t length,
                                  bool ascending) {
  std::vector<ByteRange> asked;
  for (const ByteRangeSpec& spec : specs) {
    if (const auto range = Resolve(spec, length)) asked.push_back(*range);
  }
  if (asked.size() < 2) return asked;
  std::vector<ByteRange> merged = asked;
  std::ranges::sort(merged, {}, &ByteRange::first);
  size_t kept = 0;
  for (const ByteRange& range : merged) {
    if (kept > 0 && !AreApart(merged[kept - 1], range)) {
      merged[kept - 1].last = std::max(merged[kept - 1].last, range.last);
    } else {
      merged[kept++] = range;
    }
  }
  merged.resize(kept);
  return ascending || kept < asked.size() ? merged : asked;
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
