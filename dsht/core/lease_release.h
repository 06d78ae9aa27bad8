// SPDX-License-Identifier: Apache-2.0
//
// LeaseRelease: gives a lease back to the nodes that keep it, each told at most twice. One that
// stays deaf keeps it until it expires or until a complaint finds the attempt gone.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <vector>

#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

class LeaseRelease : public Operation {
 public:
  explicit LeaseRelease(ReleaseQuery query);

  // Requires: `peers` is not empty and this node is not in it.
  void Start(Turn& turn, const std::vector<Peer>& peers);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;

 private:
  const ReleaseQuery query_;
  size_t in_flight_ = 0;
};

}  // namespace reef::dsht
