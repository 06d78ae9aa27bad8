// SPDX-License-Identifier: Apache-2.0
//
// LeaseTable: the leases that this node keeps for claimants, at most one for each key and level,
// apart from the values and bounded on its own (docs/claim.md, rule 1). A lease that ended leaves a
// vacancy, which remembers the epoch so that the next grant outranks late copies of the last.
//
// Owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/instant.h"
#include "dsht/core/id.h"
#include "dsht/core/message.h"
#include "dsht/core/options.h"
#include "dsht/core/stats.h"

namespace reef::dsht {

// What another node may claim. An epoch grows by one with each holder that is lost; near its end it
// could not grow any more.
inline constexpr uint32_t kEpochMax = 1u << 30;

// A fetch is under way.
inline bool IsHeld(const Lease& lease) {
  return lease.state == LeaseState::kPending || lease.state == LeaseState::kStreaming;
}

// Whether a lease granted elsewhere may take the place of what is kept here.
bool MayReplace(const std::optional<Lease>& here, const Lease& lease);

class LeaseTable {
 public:
  // Borrows both, which outlive it.
  LeaseTable(const Options& options, Stats& stats);

  // The lease, marker or vacancy (state kFailed) with what is left of its duration.
  std::optional<Lease> Find(Instant now, const Key& key, uint8_t level) const;

  // Stores `lease` in place of whatever is there; false at a bound. Lease::duration counts from
  // `now`.
  bool Put(Instant now, const Key& key, const Lease& lease);

  // If `attempt` holds the lease: leaves a vacancy.
  void Vacate(Instant now, const Key& key, uint8_t level, const Attempt& attempt);

  void DropExpired(Instant now);

  // The first key with a lease after `after` (or the very first).
  const Key* KeyAfter(const Key* after) const;

  size_t size() const { return leases_.size(); }

 private:
  using Place = std::pair<Key, uint8_t>;
  struct Stored {
    Lease lease;
    Instant expires;
  };
  using Leases = std::map<Place, Stored>;

  void Forget(Leases::iterator it);

  const Options& options_;
  Stats& stats_;
  Leases leases_;
  std::set<std::pair<Instant, Place>> expiry_;
  std::map<NodeId, size_t> by_source_;  // of leases and markers, not of vacancies
};

}  // namespace reef::dsht
