// SPDX-License-Identifier: Apache-2.0
//
// ValueStore: the references this node keeps for others, a few for each key, each until its ttl
// ends. "Full" is as in CoralCDN (NSDI 2004, 4.2): values_per_key_max values of a level, each with
// at least half of the new value's ttl left; a longer ttl displaces the shortest.
//
// Bounded: keys, bytes, and values of one publisher. At a bound a new value is refused; one that
// replaces the same publisher's equal value is not new.
//
// Owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/instant.h"
#include "dsht/core/id.h"
#include "dsht/core/message.h"
#include "dsht/core/options.h"
#include "dsht/core/stats.h"

namespace reef::dsht {

class ValueStore {
 public:
  // Borrows both, which outlive it.
  ValueStore(const Options& options, Stats& stats);

  // From the publisher itself, or a copy that another node kept, which may be older than what the
  // publisher has said here meanwhile.
  enum class From : uint8_t { kPublisher, kCopy };

  // Value::ttl counts from `now`.
  StoreOutcome Store(Instant now, const Key& key, const Value& value, From from);

  // The live values of `levels`, with what is left of their ttl.
  std::vector<Value> Live(Instant now, const Key& key, Levels levels) const;

  struct Fill {
    uint32_t value_count = 0;
    Duration shortest_ttl{};
  };
  // Of the values kept for `level`.
  Fill FillOf(Instant now, const Key& key, int level) const;

  // True if the publisher had this value here.
  bool Remove(const Key& key, const NodeId& publisher, const std::string& bytes);

  void DropExpired(Instant now);
  // All that is kept for `level`.
  void DropLevel(int level);

  // The first stored key after `after` (or the very first), to go through all in pieces.
  const Key* KeyAfter(const Key* after) const;

  size_t key_count() const { return keys_.size(); }
  size_t value_count() const { return value_count_; }
  size_t bytes() const { return bytes_; }

 private:
  struct Stored {
    Value value;
    Instant expires;
  };
  using Values = std::vector<Stored>;
  using Keys = std::map<Key, Values>;

  static Instant Earliest(const Values& values);
  static size_t Cost(const Value& value);
  void Count(const Value& value);
  void Discount(const Value& value);
  // Drops the values for which `gone` holds; returns how many.
  size_t DropIf(Keys::iterator it, const std::function<bool(const Stored&)>& gone);
  void Reorder(Keys::iterator it, Instant before);
  // Of a level that has no room for another value; null: it has.
  Stored* ShortestIfFull(Values& values, int level) const;

  const Options& options_;
  Stats& stats_;
  Keys keys_;
  std::set<std::pair<Instant, Key>> expiry_;  // one element a key: its earliest
  std::map<NodeId, size_t> by_source_;
  size_t value_count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace reef::dsht
