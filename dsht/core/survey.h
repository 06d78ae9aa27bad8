// SPDX-License-Identifier: Apache-2.0
//
// Survey: measures members of a cluster before this node moves there: asks one member for others
// near random points of the id space and pings those, until Clusters has seen enough of them
// (CoralCDN, NSDI 2004, 4.4: a node validates a cluster before it joins).
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>

#include "dsht/core/id.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"
#include "dsht/core/peer.h"

namespace reef::dsht {

class Survey : public Operation {
 public:
  // `member` was in `cluster`, which is not ours, when it last spoke.
  Survey(int level, const Id& cluster, const Peer& member);

  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;

 private:
  bool IsMember(const Turn& turn, const NodeId& id) const;
  void AskMember(Turn& turn);
  void PingThose(Turn& turn, const std::vector<Peer>& peers);
  void Advance(Turn& turn);

  const int level_;
  const Id cluster_;
  Peer member_;
  size_t rounds_ = 0;
  size_t in_flight_ = 0;
};

}  // namespace reef::dsht
