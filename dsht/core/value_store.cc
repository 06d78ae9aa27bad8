// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/value_store.h"

#include <algorithm>

#include "base/check.h"

namespace reef::dsht {

namespace {

// What a key costs beside its values: map and order nodes.
constexpr size_t kKeyCost = 160;
constexpr size_t kSignatureBytesMax = 128;

}  // namespace

ValueStore::ValueStore(const Options& options, Stats& stats) : options_(options), stats_(stats) {}

Instant ValueStore::Earliest(const Values& values) {
  REEF_CHECK(!values.empty());
  return std::min_element(values.begin(), values.end(),
                          [](const Stored& a, const Stored& b) { return a.expires < b.expires; })
      ->expires;
}

size_t ValueStore::Cost(const Value& value) {
  return sizeof(Stored) + value.bytes.size() + value.signature.size();
}

void ValueStore::Count(const Value& value) {
  ++value_count_;
  ++by_source_[value.publisher];
  bytes_ += Cost(value);
}

void ValueStore::Discount(const Value& value) {
  --value_count_;
  bytes_ -= Cost(value);
  const auto it = by_source_.find(value.publisher);
  REEF_CHECK(it != by_source_.end() && it->second > 0);
  if (--it->second == 0) by_source_.erase(it);
}

void ValueStore::Reorder(Keys::iterator it, Instant before) {
  expiry_.erase({before, it->first});
  if (!it->second.empty()) {
    expiry_.emplace(Earliest(it->second), it->first);
    return;
  }
  keys_.erase(it);
  bytes_ -= kKeyCost;
}

size_t ValueStore::DropIf(Keys::iterator it, const std::function<bool(const Stored&)>& gone) {
  Values& values = it->second;
  const Instant before = Earliest(values);
  const auto keep = std::stable_partition(values.begin(), values.end(),
                                          [&](const Stored& s) { return !gone(s); });
  const size_t dropped = static_cast<size_t>(values.end() - keep);
  for (auto v = keep; v != values.end(); ++v) Discount(v->value);
  values.erase(keep, values.end());
  if (dropped > 0) Reorder(it, before);
  return dropped;
}

ValueStore::Stored* ValueStore::ShortestIfFull(Values& values, int level) const {
  Stored* shortest = nullptr;
  size_t count = 0;
  for (Stored& s : values) {
    if (s.value.level != level) continue;
    ++count;
    if (shortest == nullptr || s.expires < shortest->expires) shortest = &s;
  }
  return count >= options_.values_per_key_max ? shortest : nullptr;
}

StoreOutcome ValueStore::Store(Instant now, const Key& key, const Value& value, From from) {
  if (value.ttl <= Duration::zero() || value.ttl > options_.ttl_max || value.bytes.empty() ||
      value.bytes.size() > kValueBytesMax || value.signature.size() > kSignatureBytesMax ||
      value.level >= options_.diameters.size()) {
    ++stats_.stores_invalid;
    return StoreOutcome::kInvalid;
  }
  auto it = keys_.find(key);
  if (it != keys_.end()) {
    stats_.values_expired += DropIf(it, [now](const Stored& s) { return s.expires <= now; });
    it = keys_.find(key);
  }
  const Instant expires = now + value.ttl;
  if (it != keys_.end()) {
    for (Stored& s : it->second) {
      if (s.value.publisher != value.publisher || s.value.bytes != value.bytes ||
          s.value.level != value.level) {
        continue;
      }
      ++stats_.stores_accepted;
      if (from == From::kCopy && s.expires >= expires) return StoreOutcome::kStored;
      const Instant before = Earliest(it->second);
      bytes_ -= Cost(s.value);
      s.value = value;
      bytes_ += Cost(s.value);
      s.expires = expires;
      Reorder(it, before);
      return StoreOutcome::kStored;
    }
  }
  const auto source = by_source_.find(value.publisher);
  if (source != by_source_.end() && source->second >= options_.values_per_source_max) {
    ++stats_.stores_source_limit;
    return StoreOutcome::kSourceLimit;
  }
  if (it != keys_.end()) {
    const Instant soonest = Earliest(it->second);
    Stored* const shortest = ShortestIfFull(it->second, value.level);
    if (shortest != nullptr) {
      if ((shortest->expires - now) * 2 >= value.ttl) {
        ++stats_.stores_full;
        return StoreOutcome::kFull;
      }
      Discount(shortest->value);
      *shortest = {value, expires};
      Count(value);
      Reorder(it, soonest);
      ++stats_.values_displaced;
      ++stats_.stores_accepted;
      return StoreOutcome::kStored;
    }
  }
  const size_t cost = Cost(value) + (it == keys_.end() ? kKeyCost : 0);
  if (bytes_ + cost > options_.stored_bytes_max ||
      (it == keys_.end() && keys_.size() >= options_.stored_keys_max)) {
    ++stats_.stores_no_room;
    return StoreOutcome::kNoRoom;
  }
  if (it == keys_.end()) {
    it = keys_.emplace(key, Values{}).first;
    bytes_ += kKeyCost;
  } else {
    expiry_.erase({Earliest(it->second), key});
  }
  it->second.push_back({value, expires});
  Count(value);
  expiry_.emplace(Earliest(it->second), key);
  ++stats_.stores_accepted;
  return StoreOutcome::kStored;
}

std::vector<Value> ValueStore::Live(Instant now, const Key& key, Levels levels) const {
  std::vector<Value> live;
  const auto it = keys_.find(key);
  if (it == keys_.end()) return live;
  for (const Stored& s : it->second) {
    if (s.expires <= now || ((levels >> s.value.level) & 1) == 0) continue;
    live.push_back(s.value);
    live.back().ttl = s.expires - now;
  }
  return live;
}

ValueStore::Fill ValueStore::FillOf(Instant now, const Key& key, int level) const {
  Fill fill;
  const auto it = keys_.find(key);
  if (it == keys_.end()) return fill;
  for (const Stored& s : it->second) {
    if (s.expires <= now || s.value.level != level) continue;
    const Duration left = s.expires - now;
    fill.shortest_ttl = fill.value_count == 0 ? left : std::min(fill.shortest_ttl, left);
    ++fill.value_count;
  }
  return fill;
}

bool ValueStore::Remove(const Key& key, const NodeId& publisher, const std::string& bytes) {
  const auto it = keys_.find(key);
  if (it == keys_.end()) return false;
  return DropIf(it, [&](const Stored& s) {
           return s.value.publisher == publisher && s.value.bytes == bytes;
         }) > 0;
}

void ValueStore::DropExpired(Instant now) {
  while (!expiry_.empty() && expiry_.begin()->first <= now) {
    const auto it = keys_.find(expiry_.begin()->second);
    REEF_CHECK(it != keys_.end());
    stats_.values_expired += DropIf(it, [now](const Stored& s) { return s.expires <= now; });
  }
}

void ValueStore::DropLevel(int level) {
  for (auto it = keys_.begin(); it != keys_.end();) {
    const auto here = it++;  // it may go with its last value
    DropIf(here, [level](const Stored& s) { return s.value.level == level; });
  }
}

const Key* ValueStore::KeyAfter(const Key* after) const {
  const auto it = after == nullptr ? keys_.begin() : keys_.upper_bound(*after);
  return it == keys_.end() ? nullptr : &it->first;
}

}  // namespace reef::dsht
