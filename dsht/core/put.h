// SPDX-License-Identifier: Apache-2.0
//
// Put: stores a value as CoralCDN does (NSDI 2004, 4.2), in two phases. Forward: walk toward the
// key, asking each node how full it is for the key and whether it is loaded; stop at the first that
// is both, or at the closest. Reverse: try to store at the nodes that were not both, closest first;
// so values spill outward from a hot key.
//
// Deviation: when the closest node of all takes the value, the next two get a copy, for churn.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstdint>
#include <vector>

#include "dsht/client.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"
#include "dsht/core/walk.h"

namespace reef::dsht {

class Put : public Operation {
 public:
  Put(const State& state, const PutRequest& request);

  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;
  void OnSlow(Turn& turn, const Rpc& rpc) override;

 private:
  enum class Phase : uint8_t { kForward, kReverse, kCopying };

  // True if the node of this status is to be tried in the reverse phase.
  bool Takes(const Options& options, const StatusReply& status) const;
  void Advance(Turn& turn);
  void Reverse(Turn& turn);
  void OnStored(Turn& turn, const Peer& at);
  void Copy(Turn& turn);
  void Finish(Turn& turn, PutOutcome outcome);

  Walk walk_;
  Value value_;
  Phase phase_ = Phase::kForward;
  bool stopped_short_ = false;  // at a node that is full and loaded
  std::vector<Peer> stack_;     // closest to the key last
  size_t in_flight_ = 0;        // copies
  uint32_t stored_ = 0;
};

// Begins a put that reports to nobody but Stats and the outbox.
OperationId StartPut(Turn& turn, const PutRequest& request);

}  // namespace reef::dsht
