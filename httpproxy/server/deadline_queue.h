// SPDX-License-Identifier: Apache-2.0
//
// DeadlineQueue: one kind of timeout (idle, slow head, stalled write, ...) of everything on one
// loop. All its entries wait equally long, so the order of arming is the order of expiry: an
// intrusive list. Arming again costs a few stores, no system call and no libevent timer; one
// Timer a queue follows the first entry lazily.
//
// Owned by the LoopContext. On its loop's thread; never blocks.
#pragma once

#include "base/instant.h"
#include "base/runtime/event_loop.h"

namespace reef::http {

class DeadlineQueue {
 public:
  // A member of what can time out. In one queue at a time; leaves it when destroyed.
  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { Cancel(); }

    void Cancel();
    bool armed() const { return next_ != nullptr; }

   private:
    friend class DeadlineQueue;
    Entry* prev_ = nullptr;
    Entry* next_ = nullptr;
    Instant at_{};
  };

  using Expired = absl::AnyInvocable<void(Entry&)>;

  // `expired` runs for each entry whose time is over, after it has left the queue. It may arm,
  // cancel and destroy any entry.
  DeadlineQueue(EventLoop& loop, Duration timeout, Expired expired);
  ~DeadlineQueue();  // Entries still queued are taken out, without running.
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;

  // The entry expires `timeout` after `now`, whatever queue it was in before.
  void Arm(Entry& entry, Instant now);

  // The entry that waits longest; nullptr if there is none.
  Entry* First() { return ends_.next_ == &ends_ ? nullptr : ends_.next_; }

 private:
  void OnTimer();

  const Duration timeout_;
  Expired expired_;
  EventLoop& loop_;
  Timer timer_;
  Entry ends_;  // sentinel: ends_.next_ is the first to expire
};

}  // namespace reef::http
