// SPDX-License-Identifier: Apache-2.0
//
// RpcTable: the queries of one node that wait for their reply, ordered by when each must be looked
// at again. A query is first slow (its walk may ask one more peer), then overdue (given up).
//
// Owned by State. Not thread-safe, never blocks, does no I/O; the caller owns the clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/instant.h"
#include "dsht/core/message.h"
#include "dsht/core/outbox.h"
#include "dsht/core/peer.h"

namespace reef::dsht {

struct Rpc {
  OperationId operation = 0;
  Peer to{};            // id all zero: a seed, not known yet
  uint8_t expects = 0;  // Body::index() of the reply
  uint8_t step = 0;     // the operation's own: what the query was for
  // Of the walk: a reply from outside of our cluster at this level counts as a failure.
  uint8_t level = 0;
  bool outside = false;  // such a reply has come
  Instant sent{};
  Instant slow{};  // kNever once it has been reported
  Instant overdue{};
};

class RpcTable {
 public:
  RpcId Start(Rpc rpc);
  // The rpc, now forgotten; nullopt if it is not waited for.
  std::optional<Rpc> Finish(RpcId id);

  // The earliest instant at which a query becomes slow or overdue; kNever if none waits.
  Instant Next() const;

  struct Due {
    RpcId id = 0;
    Rpc rpc;
    bool overdue = false;  // true: forgotten; false: slow, still waited for
  };
  // One due query, earliest first, ties by age; nullopt when none is due at `now`.
  std::optional<Due> PopDue(Instant now);

  size_t size() const { return rpcs_.size(); }

 private:
  static Instant LookAt(const Rpc& rpc);

  RpcId next_ = 1;
  std::map<RpcId, Rpc> rpcs_;
  std::set<std::pair<Instant, RpcId>> due_;
};

}  // namespace reef::dsht
