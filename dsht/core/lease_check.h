// SPDX-License-Identifier: Apache-2.0
//
// LeaseCheck: the deciding node asks the holder of a lease whether it still stands, because a
// claimant says that it failed (docs/claim.md, rule 7). One check a lease at a time, however many
// complain.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/instant.h"
#include "dsht/core/id.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

// How long a holder's word is taken: those who were told to ask again in a moment find the verdict.
// Short, because a holder that stood may die.
inline constexpr Duration kStandsFor = std::chrono::seconds(1);

enum class HolderCheck : uint8_t {
  kRunning,
  kStands,   // said so within kStandsFor
  kRevoked,  // the lease is vacant now
};

// Starts a check unless one is running.
HolderCheck CheckHolder(Turn& turn, const Key& key, const Lease& lease);

bool IsBeingChecked(const State& state, const Key& key);

}  // namespace reef::dsht
