// SPDX-License-Identifier: Apache-2.0
//
// Origin: where a coralised host name points: scheme, host, port. A value; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace reef::http {

struct Origin {
  bool tls = false;
  std::string host;  // lower case; a name or an address literal without brackets
  uint16_t port = 80;

  // "host", "host:port" where the port is not the scheme's own: the Host field sent to it.
  std::string Authority() const;

  friend auto operator<=>(const Origin&, const Origin&) = default;
};

}  // namespace reef::http
