// SPDX-License-Identifier: Apache-2.0
//
// Redirects stay inside the CDN: absolute http and https URLs in Location and Content-Location
// become their coralised form, with the port on which the client reached this proxy. Bodies are
// never rewritten. docs/coral.md, "URL handling".
//
// Done when a response is sent, since the port is the client's. Also which stored response an
// answer names by these fields, for invalidation. Free functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "httpproxy/core/origin.h"

namespace reef::http {

struct LocationContext {
  std::string_view zone{};
  std::string_view proxy_port{};  // digits as in the client's Host; empty: the scheme's own
  bool client_tls = false;        // the client reached us over TLS
  bool origin_tls = false;        // for "//host/path", which takes the origin's scheme
};

// nullopt: leave it as it is (relative, coralised already, another scheme, without coralised form).
std::optional<std::string> CoralisedUrl(std::string_view url, const LocationContext& context);

// Whether responses of this status may carry a Location at all: asked first on the hit path.
constexpr bool MayCarryLocation(int status) {
  return status == 201 || (status >= 300 && status < 400);
}

// Appends "Name: value\r\n" lines to `out` with both fields coralised.
void AppendCoralisedFields(std::string_view fields, const LocationContext& context,
                           std::string& out);

// RFC 3986, 5.2: the path and query that `reference` names when the request for `target` at
// `origin` was answered with it. nullopt: it is of another origin (RFC 9111, 4.4), or no http URL.
std::optional<std::string> SameOriginTarget(std::string_view reference, const Origin& origin,
                                            std::string_view target);

}  // namespace reef::http
