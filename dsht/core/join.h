// SPDX-License-Identifier: Apache-2.0
//
// Join: makes this node known through any node that answers, then fills the routing table: first
// around this node's own id, then one lookup into each farther bucket.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

class Join : public Operation {
 public:
  // `tell`: report a JoinDone; false when the node rejoins by itself.
  Join(std::vector<Endpoint> seeds, bool tell);

  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;
  void OnTimer(Turn& turn) override;
  void OnChildEnded(Turn& turn) override;

 private:
  void AskSeeds(Turn& turn);
  void Tell(Turn& turn, bool joined);
  void End(Turn& turn);

  std::vector<Endpoint> seeds_;
  bool tell_;
  size_t next_seed_ = 0;
  size_t in_flight_ = 0;
  Duration pause_{};
  bool seeding_ = false;
  int next_bucket_ = -1;
  IpAddress seen_as_;
};

}  // namespace reef::dsht
