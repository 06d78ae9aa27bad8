// SPDX-License-Identifier: Apache-2.0
//
// Coralised host names: what is accepted has exactly one coralised form, which reads as the same
// origin; URLs that are coralised once are left alone the second time.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "httpproxy/core/host_name.h"
#include "httpproxy/core/location.h"

namespace reef::http {
namespace {

constexpr std::string_view kZone = "nyud.net";

void CheckRoundTrip(const Origin& origin) {
  const auto host = CoralisedHost(origin, kZone);
  if (!host) return;
  Origin again;
  const HostVerdict verdict = ParseCoralised(*host, kZone, {.allow_addresses = true}, again);
  REEF_CHECK(verdict == HostVerdict::kOk) << *host << ' ' << HostVerdictName(verdict);
  const auto second = CoralisedHost(again, kZone);
  REEF_CHECK(second == host) << *host;
  REEF_CHECK(again.port == origin.port && again.tls == origin.tls);
}

void CheckParse(std::string_view host) {
  Origin origin;
  if (ParseCoralised(host, kZone, {.allow_addresses = true}, origin) != HostVerdict::kOk) return;
  REEF_CHECK(origin.port != 0 && origin.tls == (origin.port == 443));
  REEF_CHECK(!origin.host.empty());
  REEF_CHECK(origin.host.find_first_of("/@?#%[] ") == std::string::npos) << origin.host;
  const auto canonical = CoralisedHost(origin, kZone);
  // A spelling longer than the canonical one may be the only one to fit 253 bytes: never shorter.
  REEF_CHECK(canonical) << origin.host << ' ' << origin.port;
  Origin again;
  REEF_CHECK(ParseCoralised(*canonical, kZone, {.allow_addresses = true}, again) ==
             HostVerdict::kOk);
  REEF_CHECK(again == origin) << *canonical;
}

void CheckUrl(std::string_view url) {
  const LocationContext context{.zone = kZone, .proxy_port = "8090"};
  const auto coralised = CoralisedUrl(url, context);
  if (!coralised) return;
  REEF_CHECK(!CoralisedUrl(*coralised, context)) << *coralised;
}

void Run(std::string_view input) {
  CheckParse(input);
  CheckParse(std::string(input) + ".nyud.net");
  CheckRoundTrip({false, std::string(input), 80});
  CheckRoundTrip({false, std::string(input), 8080});
  CheckRoundTrip({true, std::string(input), 443});
  CheckUrl(input);
  CheckUrl("http://" + std::string(input));
  PortOfHost(input);
}

}  // namespace
}  // namespace reef::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  reef::http::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
