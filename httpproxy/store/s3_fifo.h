// SPDX-License-Identifier: Apache-2.0
//
// S3Fifo: which object of the memory tier goes next. Yang et al., "FIFO queues are all you need for
// cache eviction" (SOSP 2023): new objects enter a small queue of a tenth of the bytes; those that
// were touched there move to the main queue, the others leave quickly (so a scan passes by) and are
// remembered in a ghost queue of hashes; who comes back while remembered enters the main queue.
// A hit only sets a counter: no list is touched. Sizes count in bytes, not in objects.
//
// Deviation: an object that fills or is being written to disk is passed over (IsBusy).
//
// Owned by Store. Not thread-safe, except that `touches` may be set at any time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "httpproxy/store/cache.h"

namespace reef::http {

// An object in the memory tier.
struct Resident {
  enum class Phase : uint8_t {
    kFilling,  // its body still grows
    kWriting,  // complete, on its way to disk
    kSettled,  // may be evicted
  };
  enum class Admission : uint8_t { kUndecided, kAdmitted, kRefused };

  std::shared_ptr<const Object> object;
  std::shared_ptr<const Object> previous;  // whole; found again if `object` aborts
  Phase phase = Phase::kFilling;
  Admission admission = Admission::kUndecided;  // to the disk tier

  // S3Fifo's own, but for `touches`, which a hit raises.
  std::atomic<uint8_t> touches{0};
  bool in_main = false;
  uint64_t bytes = 0;
  Resident* newer = nullptr;
  Resident* older = nullptr;

  bool IsBusy() const { return phase != Phase::kSettled; }
  void Touch() {
    const uint8_t now = touches.load(std::memory_order_relaxed);
    if (now < 3) touches.store(now + 1, std::memory_order_relaxed);
  }
};

class S3Fifo {
 public:
  explicit S3Fifo(uint64_t bytes_max) : small_max_(bytes_max / 10) {}

  void Add(Resident& resident, uint64_t bytes);
  void Resize(Resident& resident, uint64_t bytes);
  void Remove(Resident& resident);
  // The one to evict next; it is still in its queue. nullptr: all are busy.
  Resident* Victim();
  // So that it enters the main queue if it comes back soon. For victims.
  void Remember(const Resident& resident);

  uint64_t bytes() const { return small_.bytes + main_.bytes; }
  size_t count() const { return small_.count + main_.count; }

 private:
  struct Queue {
    Resident* newest = nullptr;
    Resident* oldest = nullptr;
    uint64_t bytes = 0;
    size_t count = 0;

    void Push(Resident& resident);
    void Unlink(Resident& resident);
    Resident* OldestIdle();  // passes over busy ones by making them newest
  };

  Queue small_;
  Queue main_;
  uint64_t small_max_;
  std::deque<uint64_t> ghosts_;  // oldest first; may hold hashes that came back meanwhile
  absl::flat_hash_set<uint64_t> ghost_set_;
};

}  // namespace reef::http
