// SPDX-License-Identifier: Apache-2.0
//
// The decisions of a shared cache, RFC 9111, each with a named reason: what a request may be
// answered with, whether a response may be stored and for how long it is fresh, whether a stored
// one may be reused. Pure; the server acts on them.
//
// Where a policy deviates from RFC 9111 it does so by an option of SitePolicy. Free functions; any
// thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/instant.h"
#include "httpproxy/core/cache_control.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/object_head.h"

namespace reef::http {

struct SitePolicy {
  // Of a response that says nothing about freshness, and whose status is cacheable by default.
  Duration default_lifetime{};
  Duration default_error_lifetime{};  // the same for 4xx and 5xx
  // No explicit lifetime counts as shorter than this. no-store, private and no-cache stand.
  Duration minimum_lifetime{};
  // RFC 9111, 4.2.2, instead of both defaults if there is a Last-Modified: this share of its age.
  double heuristic_share = 0;
  Duration heuristic_max{};
  // For stale answers of responses that do not forbid them, when the origin answers with an error,
  Duration stale_if_error{};
  // and when it does not answer at all (RFC 9111, 4.2.4: a cache that is disconnected).
  Duration stale_if_unreachable{};
  bool drop_cookies = false;      // Cookie upstream, Set-Cookie downstream
  bool rewrite_location = false;  // location.h
  bool unsafe_methods = false;    // else GET, HEAD and OPTIONS only
  bool honour_reload = true;      // a client's no-cache, no-store, max-age, min-fresh, max-stale

  // Coral's rules: 12 h if nothing is said, never under 5 min, no cookies, GET and HEAD; a client
  // cannot force a request to the origin.
  static SitePolicy OpenZone();
  // Plain RFC 9111: what says nothing of freshness has a tenth of the time since its Last-Modified,
  // a day at most, and none without one; all methods.
  static SitePolicy NamedSite();

  friend bool operator==(const SitePolicy&, const SitePolicy&) = default;
};

// ---- Requests ----

enum class RequestUse : uint8_t {
  kShared,      // from the cache, else a fetch shared with others
  kLookupOnly,  // from the cache if it is fresh there; else alone
  kAlone,       // to the origin, for this client only
  kRefused,     // status 405 or 501
};
enum class RequestReason : uint8_t {
  kShareable,
  kAuthorization,  // RFC 9111, 3.5
  kCookie,         // passed on: the answer may depend on it
  kNoStore,
  kBody,    // GET or HEAD with content
  kMethod,  // not GET or HEAD
  kMethodRefused,
};
inline constexpr size_t kRequestReasonCount =
    static_cast<size_t>(RequestReason::kMethodRefused) + 1;

struct RequestDecision {
  RequestUse use = RequestUse::kShared;
  RequestReason reason = RequestReason::kShareable;

  friend bool operator==(const RequestDecision&, const RequestDecision&) = default;
};

std::string_view RequestReasonName(RequestReason reason);
RequestDecision DecideRequest(const RequestHead& request, const RequestDirectives& directives,
                              const SitePolicy& policy);

// ---- Responses ----

enum class StoreReason : uint8_t {
  kStored,
  kRequestMethod,  // not GET
  kRequestNoStore,
  kStatus,  // interim, 206, 304, or one that nothing makes cacheable
  kNoStore,
  kPrivate,
  kAuthorization,  // and nothing that allows it (RFC 9111, 3.5)
  kVaryAll,        // Vary: *, or more than kVaryNamesMax names
  kSetCookie,      // and nothing that states its freshness: one client's cookie (7.3)
  kNoFreshness,    // neither a lifetime nor a validator: of no use later
};
inline constexpr size_t kStoreReasonCount = static_cast<size_t>(StoreReason::kNoFreshness) + 1;
std::string_view StoreReasonName(StoreReason reason);

// A response that varies on more is not stored: comparing would cost more than asking.
inline constexpr size_t kVaryNamesMax = 16;

// What a response's storing depends on of its request.
struct RequestFacts {
  Method method = Method::kGet;
  bool authorization = false;
  bool no_store = false;
};

struct Admission {
  bool store = false;
  // Others who wait for the same may be given it too: it is stored and fresh on arrival.
  bool share = false;
  StoreReason reason = StoreReason::kNoFreshness;
  Freshness freshness{};
  ResponseDirectives directives{};  // views into the response's fields

  friend bool operator==(const Admission&, const Admission&) = default;
};

// Section 3, 4.2.1 and 4.2.3. `sent`: when the request was; `received`: when the head came. Also of
// responses that are not stored `freshness.born` is right, for their Age.
Admission Admit(const RequestFacts& request, int status, const FieldTable& fields,
                const SitePolicy& policy, WallTime sent, WallTime received);
inline Admission Admit(const RequestFacts& request, const ResponseHead& response,
                       const SitePolicy& policy, WallTime sent, WallTime received) {
  return Admit(request, response.status, response.fields, policy, sent, received);
}

// ---- Reuse ----

enum class Reuse : uint8_t {
  kFresh,
  kStaleAllowed,          // the client takes it (max-stale)
  kStaleWhileRevalidate,  // serve it and refresh behind
  kRevalidate,
};
// Names are the values of Cache-Status's fwd (RFC 9211, 2.2).
enum class ReuseReason : uint8_t { kFresh, kStale, kRequest };

struct ReuseDecision {
  Reuse use = Reuse::kRevalidate;
  ReuseReason reason = ReuseReason::kStale;

  friend bool operator==(const ReuseDecision&, const ReuseDecision&) = default;
};

ReuseDecision DecideReuse(const Freshness& stored, const RequestDirectives& request,
                          const SitePolicy& policy, WallTime now);
// When the origin answered 500, 502, 503 or 504, or, `unreachable`, nothing.
bool MayServeStaleOnError(const Freshness& stored, const RequestDirectives& request,
                          const SitePolicy& policy, WallTime now, bool unreachable);

// RFC 9111, 4.4: a final answer to this invalidates what is stored of the target.
bool Invalidates(Method method, int status);

}  // namespace reef::http
