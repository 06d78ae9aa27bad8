// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/deadline_queue.h"

#include <utility>

namespace reef::http {

void DeadlineQueue::Entry::Cancel() {
  if (next_ == nullptr) return;
  prev_->next_ = next_;
  next_->prev_ = prev_;
  prev_ = next_ = nullptr;
}

DeadlineQueue::DeadlineQueue(EventLoop& loop, Duration timeout, Expired expired)
    : timeout_(timeout),
      expired_(std::move(expired)),
      loop_(loop),
      timer_(loop, [this] { OnTimer(); }) {
  ends_.prev_ = ends_.next_ = &ends_;
}

DeadlineQueue::~DeadlineQueue() {
  while (ends_.next_ != &ends_) ends_.next_->Cancel();
  ends_.prev_ = ends_.next_ = nullptr;
}

void DeadlineQueue::Arm(Entry& entry, Instant now) {
  entry.Cancel();
  entry.at_ = now + timeout_;
  entry.prev_ = ends_.prev_;
  entry.next_ = &ends_;
  entry.prev_->next_ = &entry;
  ends_.prev_ = &entry;
  // The timer may run for an entry that has moved on: it then finds nothing due and follows the
  // new first. So it is armed once a timeout, not once a request.
  if (!timer_.armed()) timer_.ArmAt(entry.at_);
}

void DeadlineQueue::OnTimer() {
  const Instant now = loop_.Now();
  while (ends_.next_ != &ends_ && ends_.next_->at_ <= now) {
    Entry& entry = *ends_.next_;
    entry.Cancel();
    expired_(entry);
  }
  if (ends_.next_ != &ends_) timer_.ArmAt(ends_.next_->at_);
}

}  // namespace reef::http
