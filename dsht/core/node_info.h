// SPDX-License-Identifier: Apache-2.0
//
// NodeInfoOf: a node as the redirector and status pages see it. Free functions; any thread.
#pragma once

#include "base/instant.h"
#include "dsht/client.h"
#include "dsht/core/peer.h"
#include "dsht/core/routing_table.h"

namespace reef::dsht {

inline NodeInfo NodeInfoOf(const Peer& self) {
  return NodeInfo{.id = self.id,
                  .rpc = self.rpc,
                  .http = self.http,
                  .dns = self.dns,
                  .draining = self.draining,
                  .overloaded = self.overloaded};
}

inline NodeInfo NodeInfoOf(const RoutingTable::Entry& entry, Instant now) {
  NodeInfo info = NodeInfoOf(entry.peer);
  info.rtt = entry.rtt.min();
  info.verified_ago = now - entry.heard;
  return info;
}

}  // namespace reef::dsht
