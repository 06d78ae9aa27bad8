// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/address_guard.h"

#include <algorithm>

namespace reef::http {
namespace {

// On which a node speaks DNS, gRPC and its administration (docs/architecture.md, "Ports").
constexpr uint16_t kNotHttpPorts[] = {53, 8400, 8401};

bool IsOwn(const Endpoint& address, const GuardOptions& options) {
  return std::any_of(options.own.begin(), options.own.end(), [&](const Endpoint& own) {
    if (own.port != address.port) return false;
    if (own.address == address.address) return true;
    // A listener on every address of this host, and the names that always mean this host.
    return own.address.IsUnspecified() &&
           (address.address.IsLoopback() || address.address.IsUnspecified());
  });
}

bool IsOriginPort(uint16_t port) {
  return port == 80 || port == 443 || port >= 1024;
}

}  // namespace

std::string_view GuardVerdictName(GuardVerdict verdict) {
  switch (verdict) {
    case GuardVerdict::kAllowed:
      return "allowed";
    case GuardVerdict::kNotPublic:
      return "not-public";
    case GuardVerdict::kPort:
      return "port";
    case GuardVerdict::kOwnListener:
      return "own-listener";
  }
  return "";
}

GuardVerdict CheckOriginAddress(const Endpoint& address, const GuardOptions& options) {
  if (IsOwn(address, options)) return GuardVerdict::kOwnListener;
  if (!IsOriginPort(address.port)) return GuardVerdict::kPort;
  // 0.0.0.0 and :: connect to this host.
  if (address.address.IsUnspecified()) return GuardVerdict::kNotPublic;
  if (!options.allow_private && !address.address.IsPublic()) return GuardVerdict::kNotPublic;
  return GuardVerdict::kAllowed;
}

GuardVerdict CheckConfiguredAddress(const Endpoint& address, const GuardOptions& options) {
  return IsOwn(address, options) ? GuardVerdict::kOwnListener : GuardVerdict::kAllowed;
}

GuardVerdict CheckPeerAddress(const Endpoint& address, const Endpoint& self,
                              const GuardOptions& options) {
  if (IsOwn(address, options)) return GuardVerdict::kOwnListener;
  const bool not_http = std::find(std::begin(kNotHttpPorts), std::end(kNotHttpPorts),
                                  address.port) != std::end(kNotHttpPorts);
  if (not_http || !IsOriginPort(address.port)) return GuardVerdict::kPort;
  if (address.address.IsUnspecified()) return GuardVerdict::kNotPublic;
  if (address.address.IsPublic()) return GuardVerdict::kAllowed;
  // A private mesh has private members, one on a single machine loopback ones; a public one
  // neither.
  const bool alike =
      !self.address.IsPublic() && self.address.IsLoopback() == address.address.IsLoopback();
  return alike ? GuardVerdict::kAllowed : GuardVerdict::kNotPublic;
}

}  // namespace reef::http
