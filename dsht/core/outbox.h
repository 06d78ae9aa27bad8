// SPDX-License-Identifier: Apache-2.0
//
// Outbox: what a Node wants done, filled by its inputs and emptied by whoever drives it (gRPC or
// the simulator) after each of them.
//
// A value; owned by the driver.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "dsht/client.h"
#include "dsht/core/message.h"

namespace reef::dsht {

// Names an operation of this node until it is finished. Claims are operations too; their id is a
// ClaimId for the client.
using OperationId = uint64_t;

// A query to send. Its fate comes back as Node::OnMessage (the reply, with message.rpc = rpc) or
// Node::OnUnreachable. The node keeps its own deadline; the transport may give up at `timeout`
// after sending, and need not report what comes later.
struct Outgoing {
  Endpoint to{};
  RpcId rpc = 0;
  Duration timeout{};
  Message message{};
};

// The answer to the received query that the driver named `rpc`.
struct Answer {
  RpcId rpc = 0;
  Message message{};
};

struct GetDone {
  OperationId operation = 0;
  std::vector<Holder> holders{};

  friend bool operator==(const GetDone&, const GetDone&) = default;
};

enum class PutOutcome : uint8_t {
  kStored,
  kSaturated,  // this node is itself full and loaded for the key: nobody needs another value
  kRefused,    // every node on the way refused or did not answer
};
struct PutDone {
  OperationId operation = 0;
  PutOutcome outcome = PutOutcome::kRefused;
  uint32_t copies = 0;  // nodes that stored it

  friend bool operator==(const PutDone&, const PutDone&) = default;
};

struct WithdrawDone {
  OperationId operation = 0;
  uint32_t removed = 0;  // nodes that had it

  friend bool operator==(const WithdrawDone&, const WithdrawDone&) = default;
};

// Once for each claim, unless it was released before.
struct ClaimAnswered {
  OperationId claim = 0;
  ClaimAnswer answer{};
};

// At most once, after kFirst: stop being the leader. Release is still due.
struct ClaimLost {
  OperationId claim = 0;

  friend bool operator==(const ClaimLost&, const ClaimLost&) = default;
};

struct NodesDone {
  OperationId operation = 0;
  std::vector<NodeInfo> nodes{};

  friend bool operator==(const NodesDone&, const NodesDone&) = default;
};

// Once: when the routing table is seeded (joined), or when every seed has failed for the first
// time; the node then goes on trying by itself, less and less often.
struct JoinDone {
  OperationId operation = 0;
  bool joined = false;
  size_t peer_count = 0;
  IpAddress seen_as{};  // our address as the first seed saw it

  friend bool operator==(const JoinDone&, const JoinDone&) = default;
};

// The entries are handed over and the peers told, or have not answered in time.
struct LeaveDone {
  OperationId operation = 0;

  friend bool operator==(const LeaveDone&, const LeaveDone&) = default;
};

using Finished = std::variant<GetDone, PutDone, WithdrawDone, ClaimAnswered, ClaimLost, NodesDone,
                              JoinDone, LeaveDone>;

struct Outbox {
  std::vector<Outgoing> queries{};
  std::vector<Answer> answers{};
  std::vector<Finished> finished{};

  bool empty() const { return queries.empty() && answers.empty() && finished.empty(); }
  void Clear() {
    queries.clear();
    answers.clear();
    finished.clear();
  }
};

}  // namespace reef::dsht
