// SPDX-License-Identifier: Apache-2.0
//
// Operation: something a node has begun and that takes several messages: a get, a put, a claim, a
// check whether a peer is alive. And Turn: what an operation may do while one input is handled.
//
// Operations are owned by State; Turn::End lets go of one, and it is destroyed when the turn is
// over. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/instant.h"
#include "dsht/core/message.h"
#include "dsht/core/outbox.h"
#include "dsht/core/peer.h"
#include "dsht/core/rpc_table.h"

namespace reef::dsht {

class Claim;
struct State;
class Turn;

class Operation {
 public:
  virtual ~Operation() = default;

  // A reply of the kind that was expected, or RefusedReply.
  virtual void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) = 0;
  // No reply came, or none that can be used.
  virtual void OnFailure(Turn& turn, const Rpc& rpc) = 0;
  // No reply yet.
  virtual void OnSlow(Turn&, const Rpc&) {}
  // The instant given to Turn::WakeAt has come.
  virtual void OnTimer(Turn&) {}
  // An operation that this one had begun is over.
  virtual void OnChildEnded(Turn&) {}

  // Itself, if it is a claim that was not released yet.
  virtual Claim* AsOpenClaim() { return nullptr; }

  OperationId id() const { return id_; }

 private:
  friend class Turn;
  OperationId id_ = 0;
  Instant wake_ = kNever;
};

// For the queries of no operation: pings that only keep the routing table true.
inline constexpr OperationId kUpkeep = 0;

class Turn {
 public:
  Turn(State& the_state, Instant the_time, Outbox& outbox)
      : state(the_state), now(the_time), out(outbox) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  State& state;
  const Instant now;
  Outbox& out;

  // Registers the operation under a new id. It has not done anything yet.
  template <typename T, typename... Args>
  T& Begin(Args&&... args) {
    auto made = std::make_unique<T>(std::forward<Args>(args)...);
    T& operation = *made;
    Register(std::move(made));
    return operation;
  }
  // Requires: `operation` has not ended.
  void End(Operation& operation);
  // Replaces an earlier wish; kNever takes it back.
  void WakeAt(Operation& operation, Instant at);

  // Sends a query; exactly one of OnReply and OnFailure follows, unless the operation ends before.
  // `step` is given back with it. Requires: `to` is not this node.
  void Ask(OperationId operation, const Peer& to, Body query, uint8_t step);
  // With a time-out of its own, for answers that take the other node some work.
  void AskWithin(OperationId operation, const Peer& to, Body query, uint8_t step, Duration timeout);

  void Reply(RpcId rpc, Body reply);
  void Finish(Finished finished) { out.finished.push_back(std::move(finished)); }

  // Pings `peer` unless a ping to it is under way, or too many are; the routing table draws the
  // conclusions.
  void Ping(const Peer& peer);
  void PingNow(const Peer& peer, uint8_t step);

 private:
  void Register(std::unique_ptr<Operation> operation);
  void Send(Rpc rpc, Body query);

  std::vector<std::unique_ptr<Operation>> ended_;
};

}  // namespace reef::dsht
