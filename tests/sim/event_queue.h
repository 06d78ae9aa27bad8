// SPDX-License-Identifier: Apache-2.0
//
// EventQueue: what is still to happen in a simulated world, earliest first; events of the same
// instant come in the order in which they were added, so that a run depends on nothing else.
//
// Owned by World. One thread. The heap orders small entries; payloads stay where they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/instant.h"

namespace reef::sim {

template <typename Payload>
class EventQueue {
 public:
  void Add(Instant at, Payload payload) {
    uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(slots_.size());
      slots_.push_back(std::move(payload));
    } else {
      slot = free_.back();
      free_.pop_back();
      slots_[slot] = std::move(payload);
    }
    heap_.push_back({at, added_++, slot});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }

  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }

  // kNever if there is none.
  Instant NextAt() const { return heap_.empty() ? kNever : heap_.front().at; }

  // Requires: not empty.
  Payload TakeNext() {
    REEF_CHECK(!heap_.empty());
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    const uint32_t slot = heap_.back().slot;
    heap_.pop_back();
    free_.push_back(slot);
    return std::move(slots_[slot]);
  }

 private:
  struct Entry {
    Instant at;
    uint64_t sequence;
    uint32_t slot;
  };
  static bool Later(const Entry& a, const Entry& b) {
    return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
  }

  std::vector<Entry> heap_;
  std::vector<Payload> slots_;
  std::vector<uint32_t> free_;
  uint64_t added_ = 0;
};

}  // namespace reef::sim
