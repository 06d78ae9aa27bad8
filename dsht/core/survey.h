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
  // Measures `wanted` members if there are so many; `thorough` is passed on.
  Survey(int level, const Id& cluster, const Peer& member, size_t wanted, bool thorough);

  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;

 private:
  bool IsMember(const Turn& turn, const NodeId& id) const;
  void AskMember(Turn& turn);
  void Ping(Turn& turn, const Peer& peer, uint8_t step);
  void PingThose(Turn& turn, const std::vector<Peer>& peers);
  void Advance(Turn& turn);

  const int level_;
  const Id cluster_;
  const size_t wanted_;
  const bool thorough_;
  Peer member_;  // whom to ask next
  std::set<NodeId> sample_;
  std::set<Endpoint> places_;  // of the sample
  size_t rounds_ = 0;
  size_t in_flight_ = 0;
};

}  // namespace reef::dsht
