// SPDX-License-Identifier: Apache-2.0
//
// Put: stores a value as CoralCDN does (NSDI 2004, 4.2), in two phases. Forward: walk toward the
// key, asking each node how full it is for the key and whether it is loaded; stop at the first that
// is both, or at the closest. Reverse: try to store at the nodes that were not both, closest first;
// so values spill outward from a hot key. First in the nearest cluster; unless the key was loaded
// there, the same one level further out (4.3).
//
// Deviation: when the closest node of the world takes the value, the next two get a copy, for
// churn.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstdint>
#include <vector>

#include "dsht/client.h"
#include "dsht/core/climb.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

class Put : public Operation {
 public:
  // kClusters: not in the world, where the value is already.
  enum class Reach : uint8_t { kEverywhere, kClusters, kWorldAlone };
  Put(const State& state, const PutRequest& request, Reach reach);

  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;
  void OnSlow(Turn& turn, const Rpc& rpc) override;

 private:
  enum class Phase : uint8_t { kForward, kReverse, kCopying };

  struct Tried {
    Peer peer;
    bool known = false;  // further out too
  };

  void BeginLevel(Turn& turn);
  void EndLevel(Turn& turn);
  // True if the node of this status is to be tried in the reverse phase.
  bool Takes(const Options& options, const StatusReply& status) const;
  void Advance(Turn& turn);
  void Reverse(Turn& turn);
  void OnStored(Turn& turn, const Tried& at);
  void Copy(Turn& turn, const NodeId& stored_at);
  void Finish(Turn& turn, PutOutcome outcome);

  Climb climb_;
  const Reach reach_;
  Value value_;
  uint32_t stored_ = 0;
  PutOutcome outcome_ = PutOutcome::kRefused;

  // At the current level.
  Phase phase_ = Phase::kForward;
  bool stopped_short_ = false;  // at a node that is full and loaded
  bool known_ = false;          // further out, says the node that stored it
  std::vector<Tried> stack_;    // closest to the key last
  Tried storing_;
  size_t in_flight_ = 0;  // copies
};

// Begins a put that reports to nobody but Stats and the outbox.
OperationId StartPut(Turn& turn, const PutRequest& request, Put::Reach reach);

}  // namespace reef::dsht
