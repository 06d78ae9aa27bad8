// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/lease_table.h"

#include "base/check.h"

namespace reef::dsht {

bool MayReplace(const std::optional<Lease>& here, const Lease& lease) {
  if (!here || here->attempt == lease.attempt) return true;
  if (here->attempt.node == lease.attempt.node) {
    return here->attempt.counter < lease.attempt.counter;
  }
  return !IsHeld(*here) ? here->epoch <= lease.epoch : here->epoch < lease.epoch;
}

LeaseTable::LeaseTable(const Options& options, Stats& stats) : options_(options), stats_(stats) {}

std::optional<Lease> LeaseTable::Find(Instant now, const Key& key, uint8_t level) const {
  const auto it = leases_.find({key, level});
  if (it == leases_.end() || it->second.expires <= now) return std::nullopt;
  Lease lease = it->second.lease;
  lease.duration = it->second.expires - now;
  return lease;
}

bool LeaseTable::Put(Instant now, const Key& key, const Lease& lease) {
  REEF_CHECK(lease.duration > Duration::zero());
  const Place place{key, lease.level};
  const auto old = leases_.find(place);
  const bool counted = lease.state != LeaseState::kFailed;
  const bool renewed = old != leases_.end() && old->second.lease.state != LeaseState::kFailed &&
                       old->second.lease.attempt.node == lease.attempt.node;
  if (counted && !renewed) {
    const auto source = by_source_.find(lease.attempt.node);
    if (source != by_source_.end() && source->second >= options_.leases_per_source_max) {
      ++stats_.leases_source_limit;
      return false;
    }
  }
  if (old == leases_.end() && leases_.size() >= options_.leases_max) {
    ++stats_.leases_no_room;
    return false;
  }
  if (old != leases_.end()) Forget(old);
  if (counted) ++by_source_[lease.attempt.node];
  leases_.emplace(place, Stored{lease, now + lease.duration});
  expiry_.emplace(now + lease.duration, place);
  return true;
}

void LeaseTable::Vacate(Instant now, const Key& key, uint8_t level, const Attempt& attempt) {
  const auto it = leases_.find({key, level});
  if (it == leases_.end() || it->second.lease.attempt != attempt) return;
  Lease vacancy = it->second.lease;
  vacancy.state = LeaseState::kFailed;
  vacancy.value.clear();
  vacancy.duration = options_.lease;
  Put(now, key, vacancy);
}

void LeaseTable::Forget(Leases::iterator it) {
  expiry_.erase({it->second.expires, it->first});
  if (it->second.lease.state != LeaseState::kFailed) {
    const auto source = by_source_.find(it->second.lease.attempt.node);
    REEF_CHECK(source != by_source_.end());
    if (--source->second == 0) by_source_.erase(source);
  }
  leases_.erase(it);
}

void LeaseTable::DropExpired(Instant now) {
  while (!expiry_.empty() && expiry_.begin()->first <= now) {
    const auto it = leases_.find(expiry_.begin()->second);
    REEF_CHECK(it != leases_.end());
    if (!IsHeld(it->second.lease)) {
      Forget(it);
      continue;
    }
    ++stats_.leases_expired;
    const Place place = it->first;
    Vacate(now, place.first, place.second, Attempt(it->second.lease.attempt));
  }
}

const Key* LeaseTable::KeyAfter(const Key* after) const {
  const auto it =
      after == nullptr ? leases_.begin() : leases_.upper_bound({*after, uint8_t{UINT8_MAX}});
  return it == leases_.end() ? nullptr : &it->first.first;
}

}  // namespace reef::dsht
