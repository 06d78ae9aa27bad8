// SPDX-License-Identifier: Apache-2.0
//
// EventLoop: one thread's libevent loop. Everything a loop owns is touched by its thread alone;
// Post is the one door for other threads.
//
// A turn: (1) ready file descriptors and expired timers, in libevent's order; (2) the tasks posted
// before the wake-up was read, in order, unlocked. A task posted by a task runs in the next turn,
// so posting cannot starve the sockets.
//
// Threads: Post, Stop and OnLoopThread from any; everything else on the loop's own thread, or
// before Run. Nothing run by a loop may block.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/instant.h"
#include "base/runtime/clock.h"

struct event;
struct event_base;

namespace reef {

using Task = absl::AnyInvocable<void()>;

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();  // Requires: Run has returned or was never called. Posted tasks are dropped unrun.
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs until Stop. The calling thread becomes the loop's thread.
  void Run();

  // Ends Run after the current turn.
  void Stop();

  // Runs `task` on the loop's thread, in order. Never runs it inline. Tasks posted after Run has
  // returned are kept and destroyed with the loop.
  void Post(Task task);

  // The clocks, read afresh (25 ns): libevent 2.1 has no hook at the start of a turn to cache them.
  Instant Now() const { return MonotonicNow(); }
  WallTime Wall() const { return WallNow(); }

  bool OnLoopThread() const {
    return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

  // For code that owns libevent events of its own (the servers' hot paths).
  event_base* base() { return base_.get(); }

 private:
  friend class Timer;
  struct FreeBase {
    void operator()(event_base* base) const;
  };
  struct FreeEvent {
    void operator()(event* e) const;
  };

  void RunPosted();

  std::unique_ptr<event_base, FreeBase> base_;
  int wake_fd_ = -1;
  std::unique_ptr<event, FreeEvent> wake_;
  std::atomic<std::thread::id> thread_;
  std::atomic<bool> stop_{false};

  std::mutex mutex_;
  std::vector<Task> posted_;   // guarded by mutex_
  bool wake_pending_ = false;  // guarded by mutex_: the eventfd was written and not read yet
};

// Timer: runs a task on its loop once per Arm. Owned and used on the loop's thread; destroying it
// cancels. The task may re-arm or destroy nothing but through Post.
class Timer {
 public:
  Timer(EventLoop& loop, Task task);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces an earlier deadline. A deadline in the past fires in the next turn; kNever cancels.
  void ArmAt(Instant deadline);
  void ArmIn(Duration delay) { ArmAt(loop_.Now() + delay); }
  void Cancel();
  bool armed() const { return armed_; }

 private:
  EventLoop& loop_;
  Task task_;
  bool armed_ = false;
  std::unique_ptr<event, EventLoop::FreeEvent> event_;
};

// LoopThread: an EventLoop and the thread that runs it. The destructor stops and joins.
class LoopThread {
 public:
  explicit LoopThread(std::string name);  // at most 15 characters are shown by ps and gdb
  ~LoopThread();

  EventLoop& loop() { return loop_; }
  // Stops the loop and waits for the thread. Idempotent; not from the loop's own thread.
  void StopAndJoin();

  // Runs `task` on the loop and waits for it: for start-up and shut-down only.
  void RunAndWait(Task task);

 private:
  EventLoop loop_;
  std::thread thread_;
};

}  // namespace reef
