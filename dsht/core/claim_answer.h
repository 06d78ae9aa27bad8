// SPDX-License-Identifier: Apache-2.0
//
// How a node answers a claim (docs/claim.md, "In the index"): held, if it knows a holder that the
// claimant can use; else closer nodes, if it knows any; else it is the one to decide.
//
// A holder of the lease that the claimant excludes, or found to be no further than itself, is not
// taken at the claimant's word. The deciding node asks the holder whether it still stands; only if
// it says no or fails twice is the lease revoked. If it stands, one who is merely no further is
// told to turn to it all the same.
//
// Free functions over State; they run on the thread of its owner and do no I/O.
#pragma once

#include <cstddef>
#include <optional>

#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

// Named in one answer, at most.
inline constexpr size_t kHoldersMax = 4;

// Answers at once; nullopt: the claim was passed on to `relay_to`, the closer node that the
// claimant cannot reach, and is to be answered with what that says. Also for this node's own
// claims.
std::optional<ClaimReply> AnswerClaim(Turn& turn, const ClaimQuery& query, Peer* relay_to);

// As above for a query from outside; relays where that is called for.
void AnswerClaimQuery(Turn& turn, RpcId rpc, const ClaimQuery& query);

// Whether one of this node's own attempts still stands (rule 3).
ContestReply AnswerContest(Turn& turn, const ContestQuery& query);

}  // namespace reef::dsht
