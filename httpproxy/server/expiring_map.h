// SPDX-License-Identifier: Apache-2.0
//
// ExpiringMap: what a loop remembers for a while about keys that strangers choose: bounded, the
// entry that was set longest ago goes first. One thread.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <utility>

#include "base/instant.h"

namespace reef::http {

template <typename K, typename V>
class ExpiringMap {
 public:
  explicit ExpiringMap(size_t entries_max) : entries_max_(entries_max) {}

  // nullptr: nothing that lives at `now`. Borrowed until the next call that is not const.
  V* Find(const K& key, Instant now) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    if (found->second.until > now) return &found->second.value;
    Erase(found);
    return nullptr;
  }

  void Set(const K& key, V value, Instant until) {
    if (entries_max_ == 0) return;
    if (const auto old = entries_.find(key); old != entries_.end()) Erase(old);
    if (entries_.size() >= entries_max_) Erase(entries_.find(order_.front()));
    order_.push_back(key);
    entries_.emplace(key, Entry{std::move(value), until, std::prev(order_.end())});
  }

  void Erase(const K& key) {
    if (const auto found = entries_.find(key); found != entries_.end()) Erase(found);
  }

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    V value;
    Instant until;
    typename std::list<K>::iterator place;
  };
  void Erase(typename std::map<K, Entry>::iterator entry) {
    order_.erase(entry->second.place);
    entries_.erase(entry);
  }

  const size_t entries_max_;
  std::map<K, Entry> entries_;
  std::list<K> order_;  // oldest first
};

}  // namespace reef::http
