// SPDX-License-Identifier: Apache-2.0
//
// Verify: which peers of a level are there right now. Those not heard for a while are pinged first;
// only those that answered lately are named, this node among them (docs/coral.md, F28).
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

class Verify : public Operation {
 public:
  Verify(int level, size_t count, uint32_t services);

  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;
  void OnTimer(Turn& turn) override;

 private:
  void Finish(Turn& turn);

  const int level_;
  const size_t count_;
  const uint32_t services_;
  size_t in_flight_ = 0;
};

}  // namespace reef::dsht
