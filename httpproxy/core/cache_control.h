// SPDX-License-Identifier: Apache-2.0
//
// Cache-Control, RFC 9111, 5.2 (with 5861, 8246), parsed once into a struct. Names in any case,
// arguments as token or quoted string, unknown directives ignored. A directive given twice counts
// the first time; one with an argument that is no delta-seconds makes the response stale (4.2.1).
// Qualified no-cache="..." and private="..." are kept as the names they give; one that is repeated,
// malformed, unquoted, or names what caching itself needs, counts as unqualified, which is always
// safe.
//
// Free functions; any thread; no allocation.
#pragma once

#include <optional>
#include <string_view>

#include "base/instant.h"
#include "httpproxy/core/field_table.h"

namespace reef::http {

struct RequestDirectives {
  bool no_cache = false;  // also by "Pragma: no-cache" if there is no Cache-Control
  bool no_store = false;
  bool no_transform = false;
  bool only_if_cached = false;
  bool any_stale = false;  // max-stale without argument
  std::optional<Duration> max_age{};
  std::optional<Duration> min_fresh{};
  std::optional<Duration> max_stale{};
  std::optional<Duration> stale_if_error{};

  friend bool operator==(const RequestDirectives&, const RequestDirectives&) = default;
};

struct ResponseDirectives {
  bool no_cache = false;
  bool no_store = false;
  bool no_transform = false;
  bool is_public = false;
  bool is_private = false;
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool must_understand = false;
  bool immutable = false;
  bool targeted = false;  // from CDN-Cache-Control: Expires does not count
  std::optional<Duration> max_age{};
  std::optional<Duration> s_maxage{};
  std::optional<Duration> stale_while_revalidate{};
  std::optional<Duration> stale_if_error{};
  // Lists of field names, views into the fields; empty: none.
  std::string_view no_cache_fields{};
  std::string_view private_fields{};

  // Named by either: without such a field the rest may be stored and used again (RFC 9111, 5.2.2.4
  // and 5.2.2.7).
  bool Withholds(std::string_view name) const;

  friend bool operator==(const ResponseDirectives&, const ResponseDirectives&) = default;
};

RequestDirectives ParseRequestDirectives(const FieldTable& fields);
// CDN-Cache-Control instead of Cache-Control where it is present and valid (RFC 9213, 2.2).
ResponseDirectives ParseResponseDirectives(const FieldTable& fields);

// RFC 9111, 1.2.2: digits; too large becomes 2^31 s. nullopt: not digits.
std::optional<Duration> ParseDeltaSeconds(std::string_view text);

}  // namespace reef::http
