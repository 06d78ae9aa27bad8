// SPDX-License-Identifier: Apache-2.0
//
// Withdraw: removes this node's own value from every node on the way to the key, where it may have
// spilled, and from the closest ones, level by level. CoralCDN had no such call: references died of
// age alone.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <string>

#include "dsht/core/climb.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

class Withdraw : public Operation {
 public:
  Withdraw(const State& state, const Key& key, const std::string& value);

  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;
  void OnSlow(Turn& turn, const Rpc& rpc) override;

 private:
  void Advance(Turn& turn);

  Climb climb_;
  const std::string value_;
  uint32_t removed_ = 0;
};

}  // namespace reef::dsht
