// SPDX-License-Identifier: Apache-2.0
//
// Find: walks toward a point of the id space for the sake of the peers met on the way: how a
// routing table is filled and refreshed. It has no result; every peer that answers enters the
// table.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <vector>

#include "base/rng.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"
#include "dsht/core/walk.h"

namespace reef::dsht {

class Find : public Operation {
 public:
  // `known` are asked too, whether or not they are in the table. When the walk is at its end,
  // Operation::OnChildEnded of `parent` is called; kUpkeep: of nobody.
  Find(const State& state, int level, const Id& target, const std::vector<Peer>& known,
       OperationId parent);

  void Start(Turn& turn) { Advance(turn); }

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;
  void OnSlow(Turn& turn, const Rpc& rpc) override;

 private:
  void Advance(Turn& turn);

  const int level_;
  Walk walk_;
  OperationId parent_;
};

// A random id that shares exactly `shared_bits` leading bits with `id`.
Id RandomIdSharing(const Id& id, int shared_bits, Rng& rng);

}  // namespace reef::dsht
