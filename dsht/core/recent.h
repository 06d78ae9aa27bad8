// SPDX-License-Identifier: Apache-2.0
//
// Recent: remembers, for a bounded number of things, that something is so until an instant: which
// addresses did not answer, which keys cannot be shared. At the bound the one that ends first is
// forgotten.
//
// Owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/instant.h"

namespace reef::dsht {

template <typename Thing>
class Recent {
 public:
  explicit Recent(size_t things_max) : things_max_(things_max) { REEF_CHECK(things_max > 0); }

  // True if another had to be forgotten for it.
  bool Add(const Thing& thing, Instant until) {
    Remove(thing);
    const bool full = until_.size() >= things_max_;
    if (full) Remove(Thing(order_.begin()->second));
    until_.emplace(thing, until);
    order_.emplace(until, thing);
    return full;
  }

  void Remove(const Thing& thing) {
    const auto it = until_.find(thing);
    if (it == until_.end()) return;
    order_.erase({it->second, thing});
    until_.erase(it);
  }

  bool Has(Instant now, const Thing& thing) const { return Until(thing) > now; }

  // The epoch of the clock if it is not remembered.
  Instant Until(const Thing& thing) const {
    const auto it = until_.find(thing);
    return it == until_.end() ? Instant{} : it->second;
  }

  void DropExpired(Instant now) {
    while (!order_.empty() && order_.begin()->first <= now) Remove(Thing(order_.begin()->second));
  }

  size_t size() const { return until_.size(); }

 private:
  size_t things_max_;
  std::map<Thing, Instant> until_;
  std::set<std::pair<Instant, Thing>> order_;
};

}  // namespace reef::dsht
