// SPDX-License-Identifier: Apache-2.0
//
// Survey: measures a sample of a cluster's members before this node moves there: asks one for
// others near random points of the id space and pings those (CoralCDN, NSDI 2004, 4.4: a node
// validates a cluster before it joins). Only these count for the verdict: of whom else is known
// more are near than there ought to be.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <set>
#include <vector>

#include "dsht/core/id.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"
#include "dsht/core/peer.h"

namespace reef::dsht {

class Survey : public Operation {
 public:
  // `member` was in `cluster`, which is not ours, when it last spoke.
  // Measures at most `samples_max`.
  Survey(int level, const Id& cluster, const Peer& member, size_t samples_max);

  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;

 private:
  bool IsMember(const Turn& turn, const NodeId& id) const;
  size_t Wanted(const Turn& turn) const;
  void AskMember(Turn& turn);
  void PingThose(Turn& turn, const std::vector<Peer>& peers);
  void Advance(Turn& turn);

  const int level_;
  const Id cluster_;
  const NodeId first_;
  const size_t samples_max_;
  Peer member_;
  std::set<NodeId> sample_;
  size_t rounds_ = 0;
  size_t in_flight_ = 0;
};

}  // namespace reef::dsht
