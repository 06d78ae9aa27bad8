// SPDX-License-Identifier: Apache-2.0
//
// Get: walks toward a key, in the nearest cluster first, and ends at the first node that has values
// for it, of whatever level (CoralCDN, NSDI 2004, 4.2 and 4.3). Deviation: if the closest node has
// none, the next two are asked, since copies are kept there and a node that has just joined has not
// got them yet.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <vector>

#include "dsht/core/climb.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

std::vector<Holder> HoldersOf(const std::vector<Value>& values);
// The whole ones first, of those the nearer ones. A holder may be nearer than the level at which it
// was found: what was kept for the world may be of a neighbour.
void PutNearestFirst(const State& state, std::vector<Holder>& holders);

class Get : public Operation {
 public:
  Get(const State& state, const Key& key, int from_level);

  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;
  void OnSlow(Turn& turn, const Rpc& rpc) override;

 protected:
  // What there is to do with the result, which may be empty; the operation ends afterwards.
  virtual void Found(Turn& turn, const std::vector<Value>& values);

 private:
  void Advance(Turn& turn);
  void Finish(Turn& turn, const std::vector<Value>& values);

  Climb climb_;
};

}  // namespace reef::dsht
