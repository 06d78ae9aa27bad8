// SPDX-License-Identifier: Apache-2.0
//
// Peer: what nodes tell one another about a node: its id, where its services listen, and whether it
// wants new clients. Travels in every message (message.h) and is what routing tables keep.
//
// A value; any thread.
#pragma once

#include <cstdint>

#include "base/endpoint.h"
#include "dsht/client.h"
#include "dsht/core/id.h"

namespace reef::dsht {

struct Peer {
  NodeId id{};
  // The index. An unspecified address means "as you see me": the receiver fills it in from
  // Message::from, for a node that does not know its address yet.
  Endpoint rpc{};
  Endpoint http{};  // port 0: runs no proxy
  Endpoint dns{};   // port 0: runs no name server
  bool draining = false;
  bool overloaded = false;

  // A mask of Service (dsht/client.h).
  uint32_t Services() const {
    return (http.port != 0 ? uint32_t{kServiceHttp} : 0u) |
           (dns.port != 0 ? uint32_t{kServiceDns} : 0u);
  }

  friend bool operator==(const Peer&, const Peer&) = default;
};

}  // namespace reef::dsht
