// SPDX-License-Identifier: Apache-2.0
//
// Filler: gets what the cache lacks. One per HTTP loop; a key's home loop (hash % loops) fills it,
// so that concurrent misses for one key meet on one thread and one fetch serves them all.
//
// Behind it: claim in the index, then peers raced, then the origin (docs/claim.md); the decisions
// are httpproxy/core/fetch.h, a pure core; this file and its neighbours do the I/O.
//
// Threads: Fetch from the filler's own loop. Outcomes come back on that loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "httpproxy/core/cache_key.h"
#include "httpproxy/core/origin.h"
#include "httpproxy/store/cache.h"

namespace reef::http {

// What an exchange wants fetched. Copied between loops: values only.
struct FetchRequest {
  CacheKey key;
  Origin origin;       // scheme, host name, port (httpproxy/core/origin.h)
  std::string method;  // as it is sent upstream when the fetch cannot be shared
  std::string target;  // path and query
  // End-to-end request fields to send upstream, serialised "Name: value\r\n"; no Host, no
  // hop-by-hop, no conditions or ranges (those are answered from the object here).
  std::string fields;
  // Present and stale, or to be validated: sends conditions and may end as kObject with this body.
  std::shared_ptr<const Object> stale;
  bool from_peer = false;  // the asker is a proxy: its rank and bytes bound whom it may wait for
  int peer_rank = 3;
  bool only_if_cached = false;  // join a running fetch or fail, never start one
  // After an invalidation: what was asked for before this is of no use, other proxies' copies are
  // not asked for. WallTime{}: none.
  WallTime not_before{};
  // Of FetchAlone: the answer may be stored where it is explicitly for all (RFC 9111, 3).
  bool may_store = false;
  bool authorization = false;  // the request had one (3.5)
  // Of FetchAlone's request body; absent with a body: it is sent chunked.
  std::optional<uint64_t> body_length;
  bool expect_continue = false;  // the body comes once the origin says 100 (RFC 9110, 10.1.1)
};

struct FetchOutcome {
  enum class Kind {
    kObject,       // read object->body from now on: it may still be filling
    kPassThrough,  // not to be shared (why: `detail`): this asker's own response, as object; others
                   // were told kRetryAlone
    kRetryAlone,   // what others fetch cannot be shared: fetch again with FetchAlone
    kNotHeld,      // only_if_cached, and nobody here fetches it
    kOrder,        // from_peer: waiting here could close a cycle (docs/claim.md, rule 12)
    kError,        // `status` is 502, 503 or 504; `detail` says what was tried on whom
  };
  Kind kind = Kind::kError;
  std::shared_ptr<const Object> object;
  int status = 502;
  std::string detail;
  // For Cache-Status (RFC 9211): the members of the nodes before us, origin-most first, and our
  // own.
  std::string upstream_cache_status;
  // Lines of the response that are for this asker only (RFC 9111, 5.2.2.4 and 5.2.2.7).
  std::string own_fields;
  std::string source;       // "origin", "peer-l0" ... "peer-l2"
  int upstream_status = 0;  // fwd-status
  bool collapsed = false;   // waited for a fetch that another asker had started
  bool stored = false;
  bool revalidated = false;
};

class Filler {
 public:
  virtual ~Filler() = default;

  using Done = std::function<void(FetchOutcome)>;
  // An interim response of the origin, to be passed on (RFC 9110, 15.2): its status and end-to-end
  // fields. Runs before `done`, as often as one comes; may be null.
  using Interim = std::function<void(int status, const std::string& fields)>;

  // Joins the running fetch of request.key or starts one. `done` runs once, never inline, as soon
  // as a response head is known (or failure is). The returned token cancels: after Cancel, `done`
  // does not run. Call it also when the asker leaves after `done` while the body still fills: a
  // fetch that all askers have left goes on only if it is worth it (options).
  virtual uint64_t Fetch(FetchRequest request, Done done, Interim interim) = 0;
  virtual void Cancel(uint64_t token) = 0;

  // One fetch for one asker, not shared, no claim: unsafe methods, credentials, uncacheable.
  // `request_body` may be null; it is streamed (back-pressure by its window).
  virtual uint64_t FetchAlone(FetchRequest request, std::shared_ptr<Body> request_body, Done done,
                              Interim interim) = 0;
};

}  // namespace reef::http
