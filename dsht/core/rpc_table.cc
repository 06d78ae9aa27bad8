// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/rpc_table.h"

#include <algorithm>

#include "base/check.h"

namespace reef::dsht {

Instant RpcTable::LookAt(const Rpc& rpc) {
  return std::min(rpc.slow, rpc.overdue);
}

RpcId RpcTable::Start(Rpc rpc) {
  REEF_CHECK(rpc.overdue > rpc.sent);
  const RpcId id = next_++;
  due_.emplace(LookAt(rpc), id);
  rpcs_.emplace_hint(rpcs_.end(), id, std::move(rpc));
  return id;
}

std::optional<Rpc> RpcTable::Finish(RpcId id) {
  const auto it = rpcs_.find(id);
  if (it == rpcs_.end()) return std::nullopt;
  due_.erase({LookAt(it->second), id});
  std::optional<Rpc> rpc = std::move(it->second);
  rpcs_.erase(it);
  return rpc;
}

Instant RpcTable::Next() const {
  return due_.empty() ? kNever : due_.begin()->first;
}

std::optional<RpcTable::Due> RpcTable::PopDue(Instant now) {
  if (due_.empty() || due_.begin()->first > now) return std::nullopt;
  const RpcId id = due_.begin()->second;
  const auto it = rpcs_.find(id);
  REEF_CHECK(it != rpcs_.end()) << id;
  if (it->second.overdue <= now) return Due{.id = id, .rpc = *Finish(id), .overdue = true};
  due_.erase(due_.begin());
  it->second.slow = kNever;
  due_.emplace(LookAt(it->second), id);
  return Due{.id = id, .rpc = it->second, .overdue = false};
}

}  // namespace reef::dsht
