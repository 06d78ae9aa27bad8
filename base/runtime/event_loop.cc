// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/event_loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/check.h"

namespace reef {

void EventLoop::FreeBase::operator()(event_base* base) const {
  event_base_free(base);
}
void EventLoop::FreeEvent::operator()(event* e) const {
  event_free(e);
}

EventLoop::EventLoop() {
  event_config* config = event_config_new();
  // One thread a base: libevent's own locks would only cost.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  base_.reset(event_base_new_with_config(config));
  event_config_free(config);
  REEF_CHECK(base_ != nullptr) << "libevent could not create an event base";

  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  REEF_CHECK(wake_fd_ >= 0) << "eventfd: out of file descriptors";
  const auto on_wake = [](evutil_socket_t, short, void* self) {
    static_cast<EventLoop*>(self)->RunPosted();
  };
  wake_.reset(event_new(base_.get(), wake_fd_, EV_READ | EV_PERSIST, on_wake, this));
  event_add(wake_.get(), nullptr);
}

EventLoop::~EventLoop() {
  wake_.reset();
  // Tasks may own timers and events of this base: they go before it does.
  posted_.clear();
  base_.reset();
  close(wake_fd_);
}

void EventLoop::Run() {
  thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  while (!stop_.load(std::memory_order_acquire)) {
    event_base_loop(base_.get(), EVLOOP_ONCE);
  }
}

void EventLoop::Stop() {
  stop_.store(true, std::memory_order_release);
  Post([] {});
}

void EventLoop::Post(Task task) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
    wake = !std::exchange(wake_pending_, true);
  }
  if (wake) {
    // Cannot fail: the counter is far from overflow, since one write is outstanding at most.
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = write(wake_fd_, &one, sizeof one);
  }
}

void EventLoop::RunPosted() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = read(wake_fd_, &count, sizeof count);
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
    wake_pending_ = false;
  }
  for (Task& task : tasks) task();
}

Timer::Timer(EventLoop& loop, Task task) : loop_(loop), task_(std::move(task)) {
  const auto on_timeout = [](evutil_socket_t, short, void* self) {
    auto* timer = static_cast<Timer*>(self);
    timer->armed_ = false;
    timer->task_();
  };
  event_.reset(event_new(loop.base(), -1, EV_TIMEOUT, on_timeout, this));
}

Timer::~Timer() = default;

void Timer::ArmAt(Instant deadline) {
  Cancel();
  if (deadline == kNever) return;
  const Duration delay = std::max(deadline - loop_.Now(), Duration::zero());
  // Rounded up: a timer that fires early makes its owner find nothing due and arm again.
  const int64_t us = (delay.count() + 999) / 1000;
  const timeval after = {us / 1000000, us % 1000000};
  event_add(event_.get(), &after);
  armed_ = true;
}

void Timer::Cancel() {
  if (std::exchange(armed_, false)) event_del(event_.get());
}

LoopThread::LoopThread(std::string name) {
  thread_ = std::thread([this, name = std::move(name)] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    loop_.Run();
  });
}

LoopThread::~LoopThread() {
  StopAndJoin();
}

void LoopThread::StopAndJoin() {
  if (!thread_.joinable()) return;
  loop_.Stop();
  thread_.join();
}

void LoopThread::RunAndWait(Task task) {
  std::promise<void> done;
  loop_.Post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace reef
