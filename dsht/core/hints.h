// SPDX-License-Identifier: Apache-2.0
//
// Hints: how a node meets those of its own network. Each keeps its address in the index under a key
// made from its prefix (a /24, or a /48 of IPv6) and pings those that others keep there; what it
// measures and hears is evidence for its clusters (CoralCDN, NSDI 2004, 4.4). Coral also used the
// routers on the way out, which few platforms show any more, and left private addresses out; here a
// private prefix counts, since a reef may well live in one: if it is another's, a ping tells.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <vector>

#include "base/endpoint.h"
#include "dsht/core/get.h"
#include "dsht/core/id.h"

namespace reef::dsht {

// True for an address whose prefix says something: not loopback, not unspecified.
bool HasHint(const IpAddress& address);
Key HintKey(const IpAddress& address);

class Hints : public Get {
 public:
  explicit Hints(const State& state);

 protected:
  void Found(Turn& turn, const std::vector<Value>& values) override;
};

}  // namespace reef::dsht
