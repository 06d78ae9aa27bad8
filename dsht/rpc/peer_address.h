// SPDX-License-Identifier: Apache-2.0
//
// ParsePeer: the address behind gRPC's name for the other end of a connection.
//
// Any thread, no blocking.
#pragma once

#include <optional>
#include <string_view>

#include "base/endpoint.h"

namespace reef::dsht {

// "ipv4:192.0.2.1:50123" or "ipv6:%5B2001:db8::1%5D:50123" (as gRPC escapes it); nullopt otherwise.
std::optional<Endpoint> ParsePeer(std::string_view peer);

}  // namespace reef::dsht
