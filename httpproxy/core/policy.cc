// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/policy.h"

#include <algorithm>
#include <array>

#include "httpproxy/core/body_framing.h"
#include "httpproxy/core/http_date.h"

namespace reef::http {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// RFC 9110, 15.1: cacheable without being told so.
bool CacheableByDefault(int status) {
  switch (status) {
    case 200:
    case 203:
    case 204:
    case 300:
    case 301:
    case 308:
    case 404:
    case 405:
    case 410:
    case 414:
    case 501:
      return true;
    default:
      return false;
  }
}

// Final statuses whose caching behaviour this cache knows (RFC 9111, 5.2.2.3: must-understand).
bool Understands(int status) {
  switch (status) {
    case 302:
    case 303:
    case 307:
    case 400:
    case 401:
    case 403:
    case 409:
    case 416:
    case 421:
    case 422:
    case 425:
    case 429:
    case 451:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return CacheableByDefault(status);
  }
}

std::optional<WallTime> DateOf(const FieldTable& fields, FieldId id) {
  return ParseHttpDate(fields.Value(id));
}

// RFC 9111, 5.1: of a list the first member; what is not a number is ignored.
Duration AgeField(const FieldTable& fields) {
  std::string_view rest = fields.Value(FieldId::kAge);
  std::string_view member;
  if (!NextListMember(rest, member)) return Duration::zero();
  return ParseDeltaSeconds(member).value_or(Duration::zero());
}

// RFC 9111, 4.2.3: corrected_initial_age.
Duration InitialAge(const FieldTable& fields, WallTime date, WallTime sent, WallTime received) {
  // In whole seconds, as Date counts: a response of this very second has no age yet.
  const Duration apparent = std::max(
      Duration(std::chrono::floor<std::chrono::seconds>(received) - date), Duration::zero());
  const Duration delay = std::max(received - sent, Duration::zero());
  return std::max(apparent, AgeField(fields) + delay);
}

// RFC 9111, 4.2.1, without heuristics; nullopt: nothing is said.
std::optional<Duration> ExplicitLifetime(const FieldTable& fields,
                                         const ResponseDirectives& directives, WallTime date) {
  if (directives.s_maxage) return directives.s_maxage;
  if (directives.max_age) return directives.max_age;
  if (directives.targeted || !fields.Has(FieldId::kExpires)) return std::nullopt;
  // 5.3: an invalid date, as "0", is in the past.
  const auto expires = DateOf(fields, FieldId::kExpires);
  return expires ? std::max(*expires - date, Duration::zero()) : Duration::zero();
}

// RFC 9111, 4.2.2, or what the policy has instead.
Duration ImpliedLifetime(int status, const FieldTable& fields, const ResponseDirectives& directives,
                         const SitePolicy& policy, WallTime date) {
  if (!CacheableByDefault(status) && !directives.is_public) return Duration::zero();
  const auto modified = DateOf(fields, FieldId::kLastModified);
  if (policy.heuristic_share <= 0 || !modified) {
    return status < 400 ? policy.default_lifetime : policy.default_error_lifetime;
  }
  const double unchanged = Seconds(std::max(date - *modified, Duration::zero()));
  const auto share = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(unchanged * std::min(policy.heuristic_share, 1.0)));
  return std::min(share, policy.heuristic_max);
}

Freshness ComputeFreshness(int status, const FieldTable& fields,
                           const ResponseDirectives& directives, const SitePolicy& policy,
                           WallTime sent, WallTime received) {
  const WallTime date = DateOf(fields, FieldId::kDate).value_or(received);
  Freshness freshness;
  freshness.born = received - InitialAge(fields, date, sent, received);

  const auto lifetime = ExplicitLifetime(fields, directives, date);
  if (!lifetime) {
    freshness.lifetime = ImpliedLifetime(status, fields, directives, policy, date);
    freshness.is_heuristic = true;
  } else {
    freshness.lifetime = status < 400 ? std::max(*lifetime, policy.minimum_lifetime) : *lifetime;
  }

  freshness.no_cache = directives.no_cache;
  // s-maxage implies proxy-revalidate (RFC 9111, 5.2.2.10), unless the same response says in RFC
  // 5861's own terms how stale it may be.
  freshness.must_revalidate =
      directives.must_revalidate || directives.proxy_revalidate ||
      (directives.s_maxage && !directives.stale_while_revalidate && !directives.stale_if_error);
  freshness.stale_while_revalidate = directives.stale_while_revalidate.value_or(Duration::zero());
  freshness.stale_if_error_stated = directives.stale_if_error.has_value();
  freshness.stale_if_error = directives.stale_if_error.value_or(policy.stale_if_error);
  return freshness;
}

bool VariesTooMuch(const FieldTable& fields) {
  size_t names = 0;
  for (const Field* field = fields.Find(FieldId::kVary); field != nullptr;
       field = fields.FindNext(field)) {
    std::string_view name;
    for (std::string_view rest = field->value; NextListToken(rest, name);) {
      if (name == "*" || ++names > kVaryNamesMax) return true;
    }
  }
  return false;
}

bool HasValidator(const FieldTable& fields) {
  return fields.Has(FieldId::kEtag) || fields.Has(FieldId::kLastModified);
}

// Some later request could be answered with it, be it after validation.
bool IsOfUse(const FieldTable& fields, const Freshness& freshness, WallTime received) {
  if (freshness.IsFreshAt(received) || HasValidator(fields)) return true;
  if (freshness.no_cache || freshness.must_revalidate) return false;
  const Duration stale = freshness.AgeAt(received) - freshness.lifetime;
  return stale < std::max(freshness.stale_while_revalidate, freshness.stale_if_error);
}

// Of a client's own cookie nobody may guess that it is for all (RFC 9111, 7.3).
bool GivesCookie(const FieldTable& fields, const ResponseDirectives& directives,
                 const SitePolicy& policy) {
  if (policy.drop_cookies) return false;
  return (fields.Has(FieldId::kSetCookie) && !directives.Withholds("set-cookie")) ||
         (fields.Has(FieldId::kSetCookie2) && !directives.Withholds("set-cookie2"));
}

// RFC 9111, 3, but for being of use; kStored: nothing is in the way.
StoreReason FindObstacle(const RequestFacts& request, int status, const FieldTable& fields,
                         const ResponseDirectives& directives, const Freshness& freshness,
                         const SitePolicy& policy) {
  if (request.method != Method::kGet) return StoreReason::kRequestMethod;
  if (request.no_store) return StoreReason::kRequestNoStore;
  if (status < 200 || status == 206 || status == 304) return StoreReason::kStatus;
  if (directives.must_understand) {
    if (!Understands(status)) return StoreReason::kStatus;
  } else if (directives.no_store) {
    return StoreReason::kNoStore;
  }
  if (directives.is_private) return StoreReason::kPrivate;
  if (request.authorization && !directives.is_public && !directives.s_maxage &&
      !directives.must_revalidate) {
    return StoreReason::kAuthorization;
  }
  if (VariesTooMuch(fields)) return StoreReason::kVaryAll;
  const bool says_so = directives.is_public || !freshness.is_heuristic;
  if (!says_so && !CacheableByDefault(status)) return StoreReason::kStatus;
  if (freshness.is_heuristic && GivesCookie(fields, directives, policy)) {
    return StoreReason::kSetCookie;
  }
  return StoreReason::kStored;
}

}  // namespace

SitePolicy SitePolicy::OpenZone() {
  return {.default_lifetime = hours(12),
          .default_error_lifetime = minutes(5),
          .minimum_lifetime = minutes(5),
          .heuristic_share = 0,
          .heuristic_max = {},
          .stale_if_error = hours(24),
          .stale_if_unreachable = hours(24),
          .drop_cookies = true,
          .rewrite_location = true,
          .unsafe_methods = false,
          .honour_reload = false};
}

SitePolicy SitePolicy::NamedSite() {
  return {.default_lifetime = {},
          .default_error_lifetime = {},
          .minimum_lifetime = {},
          .heuristic_share = 0.1,
          .heuristic_max = hours(24),
          .stale_if_error = {},
          .stale_if_unreachable = hours(24),
          .drop_cookies = false,
          .rewrite_location = true,
          .unsafe_methods = true,
          .honour_reload = true};
}

std::string_view RequestReasonName(RequestReason reason) {
  static constexpr std::array<std::string_view, kRequestReasonCount> kNames = {
      "shareable", "authorization", "cookie", "no-store", "body", "method", "method-refused"};
  return kNames[static_cast<size_t>(reason)];
}

RequestDecision DecideRequest(const RequestHead& request, const RequestDirectives& directives,
                              const SitePolicy& policy) {
  const Method method = request.method;
  // CONNECT would make a tunnel of us, TRACE show a client what others added to its request.
  if (method == Method::kConnect || method == Method::kTrace ||
      (!IsSafe(method) && !policy.unsafe_methods)) {
    return {RequestUse::kRefused, RequestReason::kMethodRefused};
  }
  if (method != Method::kGet && method != Method::kHead) {
    return {RequestUse::kAlone, RequestReason::kMethod};
  }
  if (FramingOf(request).kind != BodyFraming::Kind::kNone) {
    return {RequestUse::kAlone, RequestReason::kBody};
  }
  if (request.fields.Has(FieldId::kAuthorization)) {
    return {RequestUse::kLookupOnly, RequestReason::kAuthorization};
  }
  if (request.fields.Has(FieldId::kCookie) && !policy.drop_cookies) {
    return {RequestUse::kLookupOnly, RequestReason::kCookie};
  }
  if (directives.no_store && policy.honour_reload) {
    return {RequestUse::kLookupOnly, RequestReason::kNoStore};
  }
  return {RequestUse::kShared, RequestReason::kShareable};
}

std::string_view StoreReasonName(StoreReason reason) {
  static constexpr std::array<std::string_view, kStoreReasonCount> kNames = {
      "stored",  "request-method", "request-no-store", "status",     "no-store",
      "private", "authorization",  "vary-all",         "set-cookie", "no-freshness"};
  return kNames[static_cast<size_t>(reason)];
}

Admission Admit(const RequestFacts& request, int status, const FieldTable& fields,
                const SitePolicy& policy, WallTime sent, WallTime received) {
  Admission admission;
  admission.directives = ParseResponseDirectives(fields);
  admission.freshness =
      ComputeFreshness(status, fields, admission.directives, policy, sent, received);
  admission.reason =
      FindObstacle(request, status, fields, admission.directives, admission.freshness, policy);
  if (admission.reason != StoreReason::kStored) return admission;
  if (!IsOfUse(fields, admission.freshness, received)) {
    admission.reason = StoreReason::kNoFreshness;
    return admission;
  }
  admission.store = true;
  admission.share = admission.freshness.IsFreshAt(received);
  return admission;
}

ReuseDecision DecideReuse(const Freshness& stored, const RequestDirectives& request,
                          const SitePolicy& policy, WallTime now) {
  constexpr ReuseDecision kAsked = {Reuse::kRevalidate, ReuseReason::kRequest};
  constexpr ReuseDecision kStale = {Reuse::kRevalidate, ReuseReason::kStale};
  const bool heed = policy.honour_reload;

  if (stored.no_cache) return kStale;
  if (heed && request.no_cache) return kAsked;
  const Duration age = stored.AgeAt(now);
  if (heed && request.max_age && age > *request.max_age) return kAsked;
  if (age < stored.lifetime) {
    const Duration left = stored.lifetime - age;
    if (heed && request.min_fresh && left < *request.min_fresh) return kAsked;
    return {Reuse::kFresh, ReuseReason::kFresh};
  }

  if (stored.must_revalidate) return kStale;
  const Duration stale = age - stored.lifetime;
  if (heed && (request.any_stale || (request.max_stale && stale <= *request.max_stale))) {
    return {Reuse::kStaleAllowed, ReuseReason::kStale};
  }
  // Who states how fresh it must be does not want less (RFC 9111, 5.2.1.1 and 5.2.1.3).
  if (heed && (request.max_age || request.min_fresh)) return kStale;
  if (stale < stored.stale_while_revalidate) {
    return {Reuse::kStaleWhileRevalidate, ReuseReason::kStale};
  }
  return kStale;
}

bool MayServeStaleOnError(const Freshness& stored, const RequestDirectives& request,
                          const SitePolicy& policy, WallTime now, bool unreachable) {
  if (stored.no_cache || (policy.honour_reload && request.no_cache)) return false;
  const Duration age = stored.AgeAt(now);
  if (age < stored.lifetime) return true;
  if (stored.must_revalidate) return false;
  Duration allowed =
      std::max(stored.stale_if_error, request.stale_if_error.value_or(Duration::zero()));
  // What the origin said of it itself stands.
  if (unreachable && !stored.stale_if_error_stated) {
    allowed = std::max(allowed, policy.stale_if_unreachable);
  }
  return age - stored.lifetime < allowed;
}

bool Invalidates(Method method, int status) {
  return !IsSafe(method) && status >= 200 && status < 400;
}

}  // namespace reef::http
