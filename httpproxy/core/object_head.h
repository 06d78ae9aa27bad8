// SPDX-License-Identifier: Apache-2.0
//
// ObjectHead: what the cache keeps of a response beside its body: the fields as they will be sent,
// and what RFC 9111 needs to know again at each reuse, parsed once. A value; immutable once
// published in an Object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/instant.h"

namespace reef::http {

// RFC 9111, 4.2. Times are civil: they must survive a restart.
struct Freshness {
  WallTime born{};  // when the response's age was zero: response time - corrected initial age
  Duration lifetime{};
  Duration stale_while_revalidate{};  // RFC 5861; zero: not allowed
  Duration stale_if_error{};
  bool stale_if_error_stated = false;  // by the response itself, not by a policy
  bool must_revalidate = false;        // never serve stale
  bool no_cache = false;               // revalidate before each reuse
  bool is_heuristic = false;

  Duration AgeAt(WallTime now) const { return now > born ? now - born : Duration::zero(); }
  bool IsFreshAt(WallTime now) const { return !no_cache && AgeAt(now) < lifetime; }

  friend bool operator==(const Freshness&, const Freshness&) = default;
};

struct ObjectHead {
  int status = 200;
  std::string reason;
  // End-to-end fields, serialised "Name: value\r\n" in their order. Without the fields that each
  // response states anew: Connection and what it names, Transfer-Encoding, Content-Length, Age,
  // Cache-Status. Via of those before us stays; ours follows as a line of its own. Always with a
  // Date.
  std::string fields;
  std::optional<uint64_t> content_length;  // as announced; absent: known when complete
  std::string etag;                        // raw field values, empty if absent
  std::string last_modified;
  Freshness freshness;
  // Field names of Vary, lower case, sorted, with the request's values then (RFC 9111, 4.1).
  std::vector<std::pair<std::string, std::string>> vary;

  friend bool operator==(const ObjectHead&, const ObjectHead&) = default;
};

}  // namespace reef::http
