// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/s3_fifo.h"

#include <algorithm>

namespace reef::http {

void S3Fifo::Queue::Push(Resident& resident) {
  resident.newer = nullptr;
  resident.older = newest;
  (newest == nullptr ? oldest : newest->newer) = &resident;
  newest = &resident;
  bytes += resident.bytes;
  ++count;
}

void S3Fifo::Queue::Unlink(Resident& resident) {
  (resident.newer == nullptr ? newest : resident.newer->older) = resident.older;
  (resident.older == nullptr ? oldest : resident.older->newer) = resident.newer;
  resident.newer = resident.older = nullptr;
  bytes -= resident.bytes;
  --count;
}

Resident* S3Fifo::Queue::OldestIdle() {
  for (size_t i = count; i > 0; --i) {
    Resident& resident = *oldest;
    if (!resident.IsBusy()) return &resident;
    Unlink(resident);
    Push(resident);
  }
  return nullptr;
}

void S3Fifo::Add(Resident& resident, uint64_t bytes) {
  resident.bytes = bytes;
  // The hash stays in ghosts_ until it is the oldest there.
  resident.in_main = ghost_set_.erase(resident.object->key.Bits()) > 0;
  (resident.in_main ? main_ : small_).Push(resident);
}

void S3Fifo::Resize(Resident& resident, uint64_t bytes) {
  Queue& queue = resident.in_main ? main_ : small_;
  queue.bytes = queue.bytes - resident.bytes + bytes;
  resident.bytes = bytes;
}

void S3Fifo::Remove(Resident& resident) {
  (resident.in_main ? main_ : small_).Unlink(resident);
}

Resident* S3Fifo::Victim() {
  while (true) {
    const bool small_is_due = small_.bytes > small_max_ || main_.count == 0;
    Resident* candidate = small_is_due ? small_.OldestIdle() : main_.OldestIdle();
    if (candidate == nullptr) candidate = small_is_due ? main_.OldestIdle() : small_.OldestIdle();
    if (candidate == nullptr) return nullptr;

    const uint8_t touches = candidate->touches.load(std::memory_order_relaxed);
    if (touches <= (candidate->in_main ? 0 : 1)) return candidate;
    Remove(*candidate);
    candidate->touches.store(candidate->in_main ? static_cast<uint8_t>(touches - 1) : 0,
                             std::memory_order_relaxed);
    candidate->in_main = true;
    main_.Push(*candidate);
  }
}

void S3Fifo::Remember(const Resident& resident) {
  if (resident.in_main) return;
  const uint64_t hash = resident.object->key.Bits();
  if (!ghost_set_.insert(hash).second) return;
  ghosts_.push_back(hash);
  const size_t limit = std::max<size_t>(count(), 64);
  while (ghosts_.size() > limit) {
    ghost_set_.erase(ghosts_.front());
    ghosts_.pop_front();
  }
}

}  // namespace reef::http
