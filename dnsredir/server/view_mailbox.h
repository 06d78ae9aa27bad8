// SPDX-License-Identifier: Apache-2.0
//
// ViewMailbox: hands the newest ProxyView to one thread without a lock: the writer leaves it, the
// reader takes it before its next answer. Neither ever waits for the other.
//
// Put from any thread; Current from the one reading thread. An old view is freed by whoever
// replaces it.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "dnsredir/core/proxy_view.h"

namespace reef::dns {

using ViewPtr = std::shared_ptr<const ProxyView>;

class ViewMailbox {
 public:
  explicit ViewMailbox(ViewPtr first) : current_(std::move(first)) {}
  ~ViewMailbox() { delete next_.load(std::memory_order_relaxed); }
  ViewMailbox(const ViewMailbox&) = delete;
  ViewMailbox& operator=(const ViewMailbox&) = delete;

  void Put(ViewPtr view) {
    delete next_.exchange(new ViewPtr(std::move(view)), std::memory_order_acq_rel);
  }

  // Borrowed until the next call.
  const ProxyView& Current() {
    if (next_.load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
      const std::unique_ptr<ViewPtr> taken(next_.exchange(nullptr, std::memory_order_acquire));
      current_ = std::move(*taken);  // only this thread takes, so it is still there
    }
    return *current_;
  }

 private:
  ViewPtr current_;
  std::atomic<ViewPtr*> next_{nullptr};
};

}  // namespace reef::dns
