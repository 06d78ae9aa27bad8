// SPDX-License-Identifier: Apache-2.0
//
// Nodes as the index tells them, short to write in tests.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/endpoint.h"
#include "dsht/client.h"

namespace reef::dns {

// A node whose id begins with four bytes `id`, with a proxy and a name server at `address`.
inline dsht::NodeInfo NodeAt(std::string_view address, uint8_t id) {
  dsht::NodeInfo node;
  node.id.bytes.fill(id);
  const IpAddress ip = IpAddress::Parse(address).value();
  node.rpc = {ip, 8400};
  node.http = {ip, 80};
  node.dns = {ip, 53};
  return node;
}

inline dsht::NodeInfo Draining(dsht::NodeInfo node) {
  node.draining = true;
  return node;
}
inline dsht::NodeInfo Overloaded(dsht::NodeInfo node) {
  node.overloaded = true;
  return node;
}
inline dsht::NodeInfo NotHeardFor(dsht::NodeInfo node, Duration age) {
  node.verified_ago = age;
  return node;
}

}  // namespace reef::dns
