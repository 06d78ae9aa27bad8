// SPDX-License-Identifier: Apache-2.0
//
// AddressGuard: whether this proxy may connect to an address on a stranger's behalf. Asked after
// resolution, with the very address that is connected to, so that no name can be made to point
// inside between check and use (DNS rebinding).
//
// Refused: everything that is not public, unless the configuration allows it; ports outside 80, 443
// and 1024 to 65535 (no mail, no shell, no database below 1024 is spoken to by a confused proxy);
// always this node's own listeners, which would make it fetch from itself. Origins that the
// configuration names are exempt from all but the last. Pure values; any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/endpoint.h"

namespace reef::http {

struct GuardOptions {
  bool allow_private = false;
  std::vector<Endpoint> own;  // this node's listeners: http, dns, dsht, admin. 0.0.0.0: any address
};

enum class GuardVerdict { kAllowed, kNotPublic, kPort, kOwnListener };

// "not-public" and the like: for metrics and texts.
std::string_view GuardVerdictName(GuardVerdict verdict);

// For an origin that a client's host name led to.
GuardVerdict CheckOriginAddress(const Endpoint& address, const GuardOptions& options);
// For an origin that the configuration maps to this address.
GuardVerdict CheckConfiguredAddress(const Endpoint& address, const GuardOptions& options);
// For another proxy, as the index names it: public, or of the kind (loopback, private) that `self`
// is of too, so that a poisoned value cannot reach inside; never a well-known port but 80 and 443,
// nor the ports on which a node speaks anything but HTTP.
GuardVerdict CheckPeerAddress(const Endpoint& address, const Endpoint& self,
                              const GuardOptions& options);

}  // namespace reef::http
