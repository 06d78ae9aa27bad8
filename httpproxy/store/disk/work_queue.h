// SPDX-License-Identifier: Apache-2.0
//
// WorkQueue: threads that run tasks in the order they were pushed (with one thread: one after the
// other). For what blocks on disk. Any thread; tasks may push.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/runtime/event_loop.h"

namespace reef::http {

class WorkQueue {
 public:
  WorkQueue(const std::string& name, int threads);
  ~WorkQueue() { FinishAndStop(); }

  // False, and the task is destroyed unrun, once the threads have ended.
  bool Push(Task task);
  // Runs what was pushed, and what that pushes, and ends the threads. Idempotent; not from one of
  // them.
  void FinishAndStop();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;    // guarded by mutex_
  bool is_stopping_ = false;  // guarded by mutex_
  int running_;               // threads; guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace reef::http
