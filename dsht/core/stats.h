// SPDX-License-Identifier: Apache-2.0
//
// Stats: what a Node counts. Its driver exports them as metrics, the simulator sums them.
//
// A value; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <variant>

#include "dsht/core/message.h"

namespace reef::dsht {

struct Stats {
  // By position in Body: queries sent and received, replies sent and received.
  std::array<uint64_t, std::variant_size_v<Body>> sent{};
  std::array<uint64_t, std::variant_size_v<Body>> received{};

  uint64_t rpc_timeouts = 0;
  uint64_t rpc_unreachable = 0;
  uint64_t late_replies = 0;        // the rpc was no longer waited for
  uint64_t unexpected_replies = 0;  // wrong kind or wrong sender
  uint64_t invalid_messages = 0;    // beyond a limit or impossible: refused
  uint64_t version_mismatches = 0;  // older than we understand
  uint64_t peers_added = 0;
  uint64_t peers_dropped = 0;   // stopped answering
  uint64_t peers_left = 0;      // said so
  uint64_t bucket_full = 0;     // a live peer found no room
  uint64_t prefix_limited = 0;  // Options::bucket_prefix_max

  uint64_t surveys = 0;         // of clusters, by us
  uint64_t cluster_moves = 0;   // to another cluster, or to be alone
  uint64_t clusters_left = 0;   // of those: to be alone
  uint64_t level_refusals = 0;  // queries for a cluster that this node is not in

  uint64_t gets = 0;
  uint64_t gets_found = 0;
  uint64_t get_hops = 0;  // queries sent for gets
  uint64_t puts = 0;
  uint64_t puts_stored = 0;
  uint64_t puts_saturated = 0;
  uint64_t puts_refused = 0;
  uint64_t put_hops = 0;
  uint64_t withdraws = 0;

  uint64_t claims = 0;
  uint64_t claims_first = 0;
  uint64_t claims_held = 0;
  uint64_t claims_uncacheable = 0;
  uint64_t claims_no_answer = 0;     // the budget ran out
  uint64_t claims_leader_apart = 0;  // the leader stands but cannot be reached from here
  uint64_t claims_unconfirmed = 0;   // acted on a grant although a confirmer was silent
  uint64_t claims_lost = 0;
  uint64_t claims_yielded = 0;  // to a rival found by a confirmer
  uint64_t claim_hops = 0;
  uint64_t markers_used = 0;  // answered from this node's own memory, no walk

  uint64_t stores_accepted = 0;
  uint64_t stores_full = 0;
  uint64_t stores_no_room = 0;
  uint64_t stores_source_limit = 0;
  uint64_t stores_invalid = 0;
  uint64_t values_displaced = 0;  // by a longer ttl
  uint64_t values_expired = 0;
  uint64_t loaded_answers = 0;
  uint64_t guard_evictions = 0;  // a tracked key was forgotten early

  uint64_t leases_granted = 0;
  uint64_t leases_confirmed = 0;
  uint64_t leases_expired = 0;
  uint64_t leases_revoked = 0;
  uint64_t leases_no_room = 0;
  uint64_t leases_source_limit = 0;
  uint64_t relays = 0;
  uint64_t relays_refused = 0;
  uint64_t checks_refused = 0;  // Options::checks_max
  uint64_t source_limited = 0;
  uint64_t operations_refused = 0;  // Options::operations_max or rpcs_max

  uint64_t handed_over = 0;  // entries sent
  uint64_t taken_over = 0;   // entries accepted

  friend bool operator==(const Stats&, const Stats&) = default;
};

}  // namespace reef::dsht
