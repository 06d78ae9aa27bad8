// SPDX-License-Identifier: Apache-2.0
//
// The UDP socket of one worker of the DNS server. Any thread.
#pragma once

#include "base/endpoint.h"
#include "base/runtime/socket.h"
#include "base/status.h"

namespace reef::dns {

// A blocking socket whose recvmmsg gives up after a second, so that its thread sees a stop.
// `shared`: several workers bind the same endpoint and the kernel spreads queries by source. On a
// wildcard address every packet carries its destination (IP_PKTINFO), the source of the answer.
StatusOr<UniqueFd> OpenUdp(const Endpoint& endpoint, bool shared);

}  // namespace reef::dns
