// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/disk/work_queue.h"

#include <pthread.h>

#include <utility>

namespace reef::http {

WorkQueue::WorkQueue(const std::string& name, int threads) : running_(threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), name.substr(0, 15).c_str());
  }
}

bool WorkQueue::Push(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (running_ == 0) return false;
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
  return true;
}

void WorkQueue::FinishAndStop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkQueue::Run() {
  while (true) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) {
        --running_;
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace reef::http
