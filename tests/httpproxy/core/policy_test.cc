// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/policy.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "httpproxy/core/http_date.h"
#include "tests/httpproxy/core/message.h"

namespace reef::http {

void PrintTo(const RequestDecision& d, std::ostream* out) {
  *out << "use " << static_cast<int>(d.use) << " because " << RequestReasonName(d.reason);
}
void PrintTo(const ReuseDecision& d, std::ostream* out) {
  *out << "reuse " << static_cast<int>(d.use) << " because " << static_cast<int>(d.reason);
}
void PrintTo(StoreReason reason, std::ostream* out) {
  *out << StoreReasonName(reason);
}

namespace {

using namespace std::chrono_literals;

const WallTime kNow = FromUnixSeconds(784'111'777);  // Sun, 06 Nov 1994 08:49:37 GMT
const SitePolicy kSite = SitePolicy::NamedSite();
const SitePolicy kZone = SitePolicy::OpenZone();

std::string Date(const std::string& name, Duration from_now) {
  return name + ": " + HttpDate(kNow + from_now) + "\r\n";
}

// ---- Requests ----

struct RequestCase {
  std::string name;
  std::string method;
  std::string lines;
  RequestDecision site;  // as a named site decides
  RequestDecision zone;  // as the open zone does
};
void PrintTo(const RequestCase& c, std::ostream* out) {
  *out << c.name;
}

class DecideRequestTest : public testing::TestWithParam<RequestCase> {};

TEST_P(DecideRequestTest, BothPoliciesGiveTheirReason) {
  const RequestCase& c = GetParam();
  const Request request(c.lines, c.method);
  const RequestDirectives directives = ParseRequestDirectives(request.fields());
  EXPECT_EQ(DecideRequest(request.head(), directives, kSite), c.site);
  EXPECT_EQ(DecideRequest(request.head(), directives, kZone), c.zone);
}

constexpr RequestDecision kShared{RequestUse::kShared, RequestReason::kShareable};
constexpr RequestDecision kRefused{RequestUse::kRefused, RequestReason::kMethodRefused};
constexpr RequestDecision kUnsafe{RequestUse::kAlone, RequestReason::kMethod};
constexpr RequestDecision kBody{RequestUse::kAlone, RequestReason::kBody};
constexpr RequestDecision kCredentials{RequestUse::kLookupOnly, RequestReason::kAuthorization};
constexpr RequestDecision kCookie{RequestUse::kLookupOnly, RequestReason::kCookie};
constexpr RequestDecision kUnstored{RequestUse::kLookupOnly, RequestReason::kNoStore};

std::string NameOf(const testing::TestParamInfo<RequestCase>& c) {
  return c.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    All, DecideRequestTest,
    testing::Values(
        RequestCase{"Get", "GET", "", kShared, kShared},
        RequestCase{"Head", "HEAD", "", kShared, kShared},
        RequestCase{"Range", "GET", "Range: bytes=0-1\r\n", kShared, kShared},
        RequestCase{"Reload", "GET", "Cache-Control: no-cache\r\n", kShared, kShared},
        RequestCase{"Post", "POST", "Content-Length: 1\r\n", kUnsafe, kRefused},
        RequestCase{"Put", "PUT", "", kUnsafe, kRefused},
        RequestCase{"Delete", "DELETE", "", kUnsafe, kRefused},
        RequestCase{"Unknown", "PROPFIND", "", kUnsafe, kRefused},
        RequestCase{"Options", "OPTIONS", "", kUnsafe, kUnsafe},
        RequestCase{"Trace", "TRACE", "", kRefused, kRefused},
        RequestCase{"Rfc9110_9_3_1_GetWithBody", "GET", "Content-Length: 1\r\n", kBody, kBody},
        RequestCase{"GetWithChunks", "GET", "Transfer-Encoding: chunked\r\n", kBody, kBody},
        RequestCase{"GetWithEmptyBody", "GET", "Content-Length: 0\r\n", kShared, kShared},
        RequestCase{"Rfc9111_3_5_Authorization", "GET", "Authorization: Basic x\r\n", kCredentials,
                    kCredentials},
        RequestCase{"Cookie", "GET", "Cookie: a=b\r\n", kCookie, kShared},
        RequestCase{"Rfc9111_5_2_1_5_NoStore", "GET", "Cache-Control: no-store\r\n", kUnstored,
                    kShared}),
    NameOf);

TEST(DecideRequestTest, ConnectIsRefused) {
  const Request request("", "CONNECT", "h:443");
  EXPECT_EQ(DecideRequest(request.head(), {}, kSite), kRefused);
}

// ---- Storing ----

struct StoreCase {
  std::string name;
  int status;
  std::string lines;
  RequestFacts request;
  StoreReason reason;
};
void PrintTo(const StoreCase& c, std::ostream* out) {
  *out << c.name;
}

class AdmitTest : public testing::TestWithParam<StoreCase> {};

TEST_P(AdmitTest, OfANamedSiteHasItsReason) {
  const StoreCase& c = GetParam();
  const Response response(c.lines, c.status);
  const Admission admission = Admit(c.request, response.head(), kSite, kNow, kNow);
  EXPECT_EQ(admission.reason, c.reason);
  EXPECT_EQ(admission.store, c.reason == StoreReason::kStored);
}

std::string NameOfStore(const testing::TestParamInfo<StoreCase>& c) {
  return c.param.name;
}

using enum StoreReason;
const std::string kAged = "Cache-Control: max-age=60\r\n";
const std::string kEtagLine = "ETag: \"a\"\r\n";
constexpr RequestFacts kAuth{.authorization = true};

INSTANTIATE_TEST_SUITE_P(
    Rfc9111Section3, AdmitTest,
    testing::Values(
        StoreCase{"MaxAge", 200, kAged, {}, kStored},
        StoreCase{"SMaxage", 200, "Cache-Control: s-maxage=60\r\n", {}, kStored},
        StoreCase{"Expires", 200, Date("Expires", 60s), {}, kStored},
        StoreCase{"NothingSaid", 200, "", {}, kNoFreshness},
        StoreCase{"NothingSaidButValidator", 200, kEtagLine, {}, kStored},
        StoreCase{"LastModified", 200, Date("Last-Modified", -10h), {}, kStored},
        StoreCase{"ExpiredWithoutValidator", 200, "Cache-Control: max-age=0\r\n", {}, kNoFreshness},
        StoreCase{"ExpiredButStaleAllowed",
                  200,
                  "Cache-Control: max-age=0, stale-while-revalidate=9\r\n",
                  {},
                  kStored},
        StoreCase{"StaleOnArrival", 200, kAged + "Age: 60\r\n", {}, kNoFreshness},
        StoreCase{"NoCacheWithoutValidator",
                  200,
                  "Cache-Control: no-cache, max-age=9\r\n",
                  {},
                  kNoFreshness},
        StoreCase{
            "NoCacheWithValidator", 200, "Cache-Control: no-cache\r\n" + kEtagLine, {}, kStored},
        StoreCase{
            "NoStore", 200, "Cache-Control: no-store, max-age=60\r\n", {}, StoreReason::kNoStore},
        StoreCase{"Private", 200, "Cache-Control: private, max-age=60\r\n", {}, kPrivate},
        StoreCase{
            "PrivateWithFields", 200, "Cache-Control: private=\"X\", max-age=60\r\n", {}, kStored},
        StoreCase{"PrivateWithFieldsOfUse",
                  200,
                  "Cache-Control: private=\"ETag\", max-age=60\r\n",
                  {},
                  kPrivate},
        StoreCase{"Head", 200, kAged, {.method = Method::kHead}, kRequestMethod},
        StoreCase{"Post", 200, kAged, {.method = Method::kPost}, kRequestMethod},
        StoreCase{"RequestNoStore", 200, kAged, {.no_store = true}, kRequestNoStore},
        StoreCase{"VaryAll", 200, kAged + "Vary: Accept, *\r\n", {}, kVaryAll},
        StoreCase{"VaryManyNamed",
                  200,
                  kAged + "Vary: a,b,c,d,e,f,g,h\r\nVary: i,j,k,l,m,n,o,p\r\n",
                  {},
                  kStored},
        StoreCase{"VaryTooManyNamed",
                  200,
                  kAged + "Vary: a,b,c,d,e,f,g,h\r\nVary: i,j,k,l,m,n,o,p,q\r\n",
                  {},
                  kVaryAll},
        StoreCase{"VaryNamed", 200, kAged + "Vary: Accept\r\n", {}, kStored},
        StoreCase{"SetCookie", 200, kAged + "Set-Cookie: a=b\r\n", {}, kStored},
        StoreCase{"SetCookieGuessed",
                  200,
                  Date("Last-Modified", -10h) + "Set-Cookie: a=b\r\n",
                  {},
                  kSetCookie},
        StoreCase{"SetCookiePublic",
                  200,
                  "Cache-Control: public\r\nSet-Cookie: a=b\r\n" + Date("Last-Modified", -10h),
                  {},
                  kSetCookie},
        StoreCase{"SetCookieUnsaid", 200, kEtagLine + "Set-Cookie2: a=b\r\n", {}, kSetCookie},
        StoreCase{"SetCookieWithheld",
                  200,
                  "Cache-Control: private=\"set-cookie\"\r\nSet-Cookie: a=b\r\n" + kEtagLine,
                  {},
                  kStored},
        // 3.5
        StoreCase{"Authorization", 200, kAged, kAuth, StoreReason::kAuthorization},
        StoreCase{"AuthorizationPublic", 200, "Cache-Control: public, max-age=9\r\n", kAuth,
                  kStored},
        StoreCase{"AuthorizationSMaxage", 200, "Cache-Control: s-maxage=9\r\n", kAuth, kStored},
        StoreCase{"AuthorizationMustRevalidate", 200,
                  "Cache-Control: must-revalidate, max-age=9\r\n", kAuth, kStored},
        // Statuses.
        StoreCase{"Interim", 103, kAged, {}, kStatus},
        StoreCase{"Partial", 206, kAged, {}, kStatus},
        StoreCase{"NotModified", 304, kAged, {}, kStatus},
        StoreCase{"NoContent", 204, kAged, {}, kStored},
        StoreCase{"Moved", 301, kAged, {}, kStored},
        StoreCase{"FoundUnsaid", 302, kEtagLine, {}, kStatus},
        StoreCase{"FoundSaid", 302, kAged, {}, kStored},
        StoreCase{"NotFoundSaid", 404, kAged, {}, kStored},
        StoreCase{"ErrorUnsaid", 500, kEtagLine, {}, kStatus},
        StoreCase{"ErrorSaid", 500, kAged, {}, kStored},
        StoreCase{"UnknownStatusSaid", 299, kAged, {}, kStored},
        // 5.2.2.3
        StoreCase{"MustUnderstandKnown",
                  200,
                  "Cache-Control: must-understand, no-store, max-age=9\r\n",
                  {},
                  kStored},
        StoreCase{"MustUnderstandUnknown",
                  299,
                  "Cache-Control: must-understand, no-store, max-age=9\r\n",
                  {},
                  kStatus},
        // RFC 9213
        StoreCase{"CdnNoStore",
                  200,
                  kAged + "CDN-Cache-Control: no-store\r\n",
                  {},
                  StoreReason::kNoStore},
        StoreCase{"CdnMaxAge",
                  200,
                  "Cache-Control: no-store\r\nCDN-Cache-Control: max-age=9\r\n",
                  {},
                  kStored}),
    NameOfStore);

TEST(AdmitTest, OnlyWhatIsFreshOnArrivalIsSharedWithThoseWhoWait) {
  EXPECT_TRUE(Admit({}, Response(kAged).head(), kSite, kNow, kNow).share);
  EXPECT_FALSE(Admit({}, Response(kEtagLine).head(), kSite, kNow, kNow).share);
  EXPECT_FALSE(Admit({}, Response("Cache-Control: no-cache, max-age=60\r\n" + kEtagLine).head(),
                     kSite, kNow, kNow)
                   .share);
  EXPECT_FALSE(
      Admit({}, Response("Cache-Control: private, max-age=60\r\n").head(), kSite, kNow, kNow)
          .share);
}

// ---- Freshness ----

Freshness FreshnessOf(const std::string& lines, const SitePolicy& policy = kSite,
                      int status = 200) {
  return Admit({}, Response(lines, status).head(), policy, kNow, kNow).freshness;
}

Duration LifetimeOf(const std::string& lines, const SitePolicy& policy = kSite, int status = 200) {
  return FreshnessOf(lines, policy, status).lifetime;
}

TEST(Rfc9111Section421Test, TheMoreSpecificLifetimeWins) {
  const std::string expires = Date("Date", 0s) + Date("Expires", 10s);
  EXPECT_EQ(LifetimeOf(expires), 10s);
  EXPECT_EQ(LifetimeOf(expires + "Cache-Control: max-age=20\r\n"), 20s);
  EXPECT_EQ(LifetimeOf(expires + "Cache-Control: max-age=20, s-maxage=30\r\n"), 30s);
  EXPECT_EQ(LifetimeOf(expires + "Cache-Control: max-age=0\r\n"), 0s);
  EXPECT_EQ(LifetimeOf("CDN-Cache-Control: no-cache\r\n" + expires), 0s);
}

TEST(Rfc9111Section421Test, ExpiresCountsFromDate) {
  EXPECT_EQ(LifetimeOf(Date("Date", -5s) + Date("Expires", 10s)), 15s);
  EXPECT_EQ(LifetimeOf(Date("Expires", 10s)), 10s);
  EXPECT_EQ(LifetimeOf(Date("Date", 0s) + Date("Expires", -10s)), 0s);
}

TEST(Rfc9111Section53Test, AnInvalidExpiresIsInThePast) {
  for (const std::string value : {"0", "-1", "", "tomorrow"}) {
    EXPECT_EQ(LifetimeOf("Expires: " + value + "\r\n", kZone), kZone.minimum_lifetime) << value;
    EXPECT_EQ(LifetimeOf("Expires: " + value + "\r\n"), 0s) << value;
    EXPECT_FALSE(FreshnessOf("Expires: " + value + "\r\n").is_heuristic) << value;
  }
}

// 4.2.3: sent 3 s before it was received.
Duration InitialAge(const std::string& lines) {
  const Response response(lines);
  const Admission admission = Admit({}, response.head(), kSite, kNow - 3s, kNow);
  return kNow - admission.freshness.born;
}

TEST(Rfc9111Section423Test, AgeIsTheLargerOfWhatDatesAndCachesSay) {
  EXPECT_EQ(InitialAge(Date("Date", 0s)), 3s);
  EXPECT_EQ(InitialAge(""), 3s);
  EXPECT_EQ(InitialAge(Date("Date", 0s) + "Age: 10\r\n"), 13s);
  EXPECT_EQ(InitialAge(Date("Date", -100s) + "Age: 10\r\n"), 100s);
  EXPECT_EQ(InitialAge(Date("Date", 100s) + "Age: 10\r\n"), 13s);
  EXPECT_EQ(InitialAge("Date: nonsense\r\n"), 3s);
}

TEST(Rfc9111Section423Test, AResponseOfThisVerySecondHasNoApparentAge) {
  const Response response(Date("Date", 0s));
  const Admission admission = Admit({}, response.head(), kSite, kNow + 900ms, kNow + 900ms);
  EXPECT_EQ(admission.freshness.born, kNow + 900ms);
}

TEST(Rfc9111Section51Test, OfAgeTheFirstValueCountsAndNonsenseDoesNot) {
  EXPECT_EQ(InitialAge("Age: 10, 20\r\n"), 13s);
  EXPECT_EQ(InitialAge("Age: 10\r\nAge: 20\r\n"), 13s);
  EXPECT_EQ(InitialAge("Age: -10\r\n"), 3s);
  EXPECT_EQ(InitialAge("Age: 1.5\r\n"), 3s);
  EXPECT_EQ(InitialAge("Age: x\r\n"), 3s);
  EXPECT_EQ(InitialAge("Age: 99999999999999\r\n"), std::chrono::seconds((1ll << 31) + 3));
}

TEST(Rfc9111Section423Test, AClockThatWentBackMakesNothingYounger) {
  const Admission admission = Admit({}, Response("").head(), kSite, kNow + 10s, kNow);
  EXPECT_EQ(admission.freshness.born, kNow);
}

TEST(Rfc9111Section422Test, HeuristicsAreAShareOfTheAgeWithABound) {
  SitePolicy policy = kSite;
  policy.heuristic_share = 0.1;
  policy.heuristic_max = 24h;
  policy.default_lifetime = 7s;
  EXPECT_EQ(LifetimeOf(Date("Last-Modified", -100h), policy), 10h);
  EXPECT_EQ(LifetimeOf(Date("Last-Modified", -1000h), policy), 24h);
  EXPECT_EQ(LifetimeOf(Date("Last-Modified", 1h), policy), 0s);
  EXPECT_EQ(LifetimeOf("", policy), 7s);
  EXPECT_TRUE(FreshnessOf("", policy).is_heuristic);
  EXPECT_EQ(LifetimeOf(Date("Last-Modified", -100h), policy, 302), 0s);
}

TEST(OpenZoneTest, HasCoralsLifetimes) {
  EXPECT_EQ(LifetimeOf("", kZone), 12h);
  EXPECT_EQ(LifetimeOf(Date("Last-Modified", -100h), kZone), 12h);
  EXPECT_EQ(LifetimeOf("Cache-Control: max-age=10\r\n", kZone), 5min);
  EXPECT_EQ(LifetimeOf("Cache-Control: max-age=0\r\n", kZone), 5min);
  EXPECT_EQ(LifetimeOf("Cache-Control: max-age=3600\r\n", kZone), 1h);
  EXPECT_EQ(LifetimeOf(Date("Date", 0s) + Date("Expires", -10s), kZone), 5min);
}

TEST(OpenZoneTest, ErrorsLiveShorter) {
  EXPECT_EQ(LifetimeOf("", kZone, 404), 5min);
  EXPECT_EQ(LifetimeOf("Cache-Control: max-age=10\r\n", kZone, 404), 10s);
  EXPECT_FALSE(Admit({}, Response("", 503).head(), kZone, kNow, kNow).store);
}

TEST(OpenZoneTest, ACookieThatIsDroppedIsNobodys) {
  const Response response("Set-Cookie: a=b\r\n");
  EXPECT_TRUE(Admit({}, response.head(), kZone, kNow, kNow).share);
}

TEST(OpenZoneTest, WhatForbidsSharingStands) {
  EXPECT_EQ(Admit({}, Response("Cache-Control: no-store\r\n").head(), kZone, kNow, kNow).reason,
            StoreReason::kNoStore);
  EXPECT_EQ(Admit({}, Response("Cache-Control: private\r\n").head(), kZone, kNow, kNow).reason,
            kPrivate);
  EXPECT_TRUE(FreshnessOf("Cache-Control: no-cache\r\n" + kEtagLine, kZone).no_cache);
}

TEST(NamedSiteTest, AResponseWithoutFreshnessHasNone) {
  EXPECT_EQ(LifetimeOf(""), 0s);
  EXPECT_EQ(LifetimeOf("ETag: \"a\"\r\n"), 0s);
  EXPECT_EQ(LifetimeOf("Cache-Control: public\r\n"), 0s);
}

TEST(Rfc9111Section422Test, NamedSitesTakeATenthOfTheTimeSinceLastModified) {
  EXPECT_EQ(LifetimeOf(Date("Last-Modified", -100s)), 10s);
  EXPECT_EQ(LifetimeOf(Date("Last-Modified", -10000h)), 24h);
  EXPECT_EQ(LifetimeOf(Date("Last-Modified", 100s)), 0s);
  EXPECT_EQ(LifetimeOf("Cache-Control: max-age=5\r\n" + Date("Last-Modified", -100s)), 5s);
  EXPECT_EQ(LifetimeOf("Cache-Control: max-age=x\r\n" + Date("Last-Modified", -100s)), 0s);
}

TEST(Rfc9111Section52210Test, SMaxageForbidsStaleUnlessRfc5861AllowsIt) {
  EXPECT_TRUE(FreshnessOf("Cache-Control: s-maxage=9\r\n").must_revalidate);
  EXPECT_FALSE(FreshnessOf("Cache-Control: s-maxage=9, stale-if-error=9\r\n").must_revalidate);
  EXPECT_TRUE(FreshnessOf("Cache-Control: s-maxage=9, stale-if-error=9, proxy-revalidate\r\n")
                  .must_revalidate);
  EXPECT_FALSE(FreshnessOf("Cache-Control: max-age=9\r\n").must_revalidate);
  EXPECT_TRUE(FreshnessOf("Cache-Control: max-age=9, must-revalidate\r\n").must_revalidate);
}

TEST(Rfc5861Test, PermissionsAreKept) {
  const Freshness f = FreshnessOf(
      "Cache-Control: max-age=1, stale-while-revalidate=2, stale-if-error=3\r\n", kZone);
  EXPECT_EQ(f.stale_while_revalidate, 2s);
  EXPECT_EQ(f.stale_if_error, 3s);
  EXPECT_EQ(FreshnessOf(kAged, kZone).stale_if_error, 24h);
  EXPECT_EQ(FreshnessOf(kAged, kSite).stale_if_error, 0s);
  EXPECT_TRUE(f.stale_if_error_stated);
  EXPECT_TRUE(FreshnessOf("Cache-Control: stale-if-error=0\r\n").stale_if_error_stated);
  EXPECT_FALSE(FreshnessOf(kAged, kZone).stale_if_error_stated);
}

// ---- Reuse ----

// 100 s of life, at this age.
ReuseDecision AtAge(Duration age, const RequestDirectives& request = {},
                    const SitePolicy& policy = kSite, Freshness stored = {}) {
  stored.born = kNow - age;
  stored.lifetime = 100s;
  return DecideReuse(stored, request, policy, kNow);
}

constexpr ReuseDecision kFresh{Reuse::kFresh, ReuseReason::kFresh};
constexpr ReuseDecision kStale{Reuse::kRevalidate, ReuseReason::kStale};
constexpr ReuseDecision kAsked{Reuse::kRevalidate, ReuseReason::kRequest};
constexpr ReuseDecision kAllowed{Reuse::kStaleAllowed, ReuseReason::kStale};
constexpr ReuseDecision kBehind{Reuse::kStaleWhileRevalidate, ReuseReason::kStale};

TEST(Rfc9111Section42Test, AResponseIsFreshWhileItsAgeIsBelowItsLifetime) {
  EXPECT_EQ(AtAge(0s), kFresh);
  EXPECT_EQ(AtAge(99s), kFresh);
  EXPECT_EQ(AtAge(100s), kStale);
  EXPECT_EQ(AtAge(-5s), kFresh);
}

TEST(Rfc9111Section521Test, AClientMayAskForSomethingFresher) {
  EXPECT_EQ(AtAge(1s, {.no_cache = true}), kAsked);
  EXPECT_EQ(AtAge(10s, {.max_age = 10s}), kFresh);
  EXPECT_EQ(AtAge(11s, {.max_age = 10s}), kAsked);
  EXPECT_EQ(AtAge(90s, {.min_fresh = 10s}), kFresh);
  EXPECT_EQ(AtAge(91s, {.min_fresh = 10s}), kAsked);
}

TEST(Rfc9111Section521Test, AClientMayTakeSomethingStale) {
  EXPECT_EQ(AtAge(1000s, {.any_stale = true}), kAllowed);
  EXPECT_EQ(AtAge(105s, {.max_stale = 5s}), kAllowed);
  EXPECT_EQ(AtAge(106s, {.max_stale = 5s}), kStale);
  EXPECT_EQ(AtAge(106s, {.max_age = 10s, .max_stale = 50s}), kAsked);
  EXPECT_EQ(AtAge(106s, {.any_stale = true}, kSite, {.must_revalidate = true}), kStale);
}

TEST(Rfc9111Section5224Test, NoCacheIsValidatedEachTime) {
  EXPECT_EQ(AtAge(1s, {}, kSite, {.no_cache = true}), kStale);
  EXPECT_EQ(AtAge(1s, {.any_stale = true}, kSite, {.no_cache = true}), kStale);
}

TEST(Rfc5861Section3Test, AStaleResponseIsServedWhileItIsRevalidated) {
  const Freshness stored{.stale_while_revalidate = 10s};
  EXPECT_EQ(AtAge(109s, {}, kSite, stored), kBehind);
  EXPECT_EQ(AtAge(110s, {}, kSite, stored), kStale);
  EXPECT_EQ(AtAge(109s, {.min_fresh = 1s}, kSite, stored), kStale);
  EXPECT_EQ(AtAge(109s, {}, kSite, {.stale_while_revalidate = 10s, .must_revalidate = true}),
            kStale);
}

TEST(OpenZoneTest, AClientCannotForceARequestToTheOrigin) {
  EXPECT_EQ(AtAge(50s, {.no_cache = true}, kZone), kFresh);
  EXPECT_EQ(AtAge(50s, {.max_age = 0s}, kZone), kFresh);
  EXPECT_EQ(AtAge(50s, {.min_fresh = 99s}, kZone), kFresh);
  EXPECT_EQ(AtAge(150s, {.any_stale = true}, kZone), kStale);
}

bool OnErrorAtAge(Duration age, const RequestDirectives& request, Freshness stored,
                  const SitePolicy& policy = kSite, bool unreachable = false) {
  stored.born = kNow - age;
  stored.lifetime = 100s;
  return MayServeStaleOnError(stored, request, policy, kNow, unreachable);
}

TEST(Rfc9111Section424Test, OfAnOriginThatDoesNotAnswerADayOldCopyMayBeServed) {
  const auto may = [](Duration age, const RequestDirectives& request, const Freshness& stored) {
    return OnErrorAtAge(age, request, stored, kSite, /*unreachable=*/true);
  };
  EXPECT_TRUE(may(24h, {}, {}));
  EXPECT_FALSE(may(24h + 100s, {}, {}));
  EXPECT_TRUE(may(105s, {}, {.stale_if_error = 10s, .stale_if_error_stated = true}));
  EXPECT_FALSE(may(110s, {}, {.stale_if_error = 10s, .stale_if_error_stated = true}));
  EXPECT_FALSE(may(100s, {}, {.stale_if_error = 0s, .stale_if_error_stated = true}));
  EXPECT_FALSE(may(101s, {}, {.must_revalidate = true}));
  EXPECT_FALSE(may(101s, {.no_cache = true}, {}));
  EXPECT_FALSE(may(101s, {}, {.no_cache = true}));
}

TEST(Rfc5861Section4Test, AStaleResponseStandsForAnErrorWithinItsBound) {
  const Freshness stored{.stale_if_error = 10s};
  EXPECT_TRUE(OnErrorAtAge(109s, {}, stored));
  EXPECT_FALSE(OnErrorAtAge(110s, {}, stored));
  EXPECT_TRUE(OnErrorAtAge(110s, {.stale_if_error = 20s}, stored));
  EXPECT_TRUE(OnErrorAtAge(50s, {}, {}));
  EXPECT_FALSE(OnErrorAtAge(101s, {}, {}));
}

TEST(Rfc9111Section424Test, SomeStaleResponsesAreNeverServed) {
  EXPECT_FALSE(OnErrorAtAge(101s, {}, {.stale_if_error = 10s, .must_revalidate = true}));
  EXPECT_FALSE(OnErrorAtAge(50s, {}, {.stale_if_error = 10s, .no_cache = true}));
  EXPECT_FALSE(OnErrorAtAge(50s, {.no_cache = true}, {.stale_if_error = 10s}));
  EXPECT_TRUE(OnErrorAtAge(50s, {.no_cache = true}, {.stale_if_error = 10s}, kZone));
}

TEST(Rfc9111Section44Test, UnsafeMethodsThatSucceedInvalidate) {
  EXPECT_TRUE(Invalidates(Method::kPost, 200));
  EXPECT_TRUE(Invalidates(Method::kDelete, 204));
  EXPECT_TRUE(Invalidates(Method::kPut, 303));
  EXPECT_TRUE(Invalidates(Method::kOther, 200));
  EXPECT_FALSE(Invalidates(Method::kPost, 404));
  EXPECT_FALSE(Invalidates(Method::kPost, 100));
  EXPECT_FALSE(Invalidates(Method::kGet, 200));
  EXPECT_FALSE(Invalidates(Method::kOptions, 200));
}

}  // namespace
}  // namespace reef::http
