// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/event_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace reef {
namespace {

using namespace std::chrono_literals;

TEST(EventLoopTest, RunsPostedTasksInOrderOnItsThread) {
  LoopThread thread("test");
  std::vector<int> seen;

  for (int i = 0; i < 100; ++i) {
    thread.loop().Post([&, i] {
      EXPECT_TRUE(thread.loop().OnLoopThread());
      seen.push_back(i);
    });
  }
  thread.RunAndWait([] {});

  ASSERT_EQ(seen.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST(EventLoopTest, TakesTasksFromManyThreads) {
  LoopThread thread("test");
  int sum = 0;
  std::vector<std::thread> posters;

  for (int t = 0; t < 4; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) thread.loop().Post([&] { ++sum; });
    });
  }
  for (std::thread& poster : posters) poster.join();
  thread.RunAndWait([] {});

  EXPECT_EQ(sum, 4000);
}

TEST(EventLoopTest, TaskPostedByATaskRunsAfterThoseBeforeIt) {
  EventLoop loop;
  std::vector<int> seen;
  loop.Post([&] {
    seen.push_back(1);
    loop.Post([&] {
      seen.push_back(3);
      loop.Stop();
    });
  });
  loop.Post([&] { seen.push_back(2); });

  loop.Run();

  EXPECT_EQ(seen, (std::vector{1, 2, 3}));
}

TEST(TimerTest, FiresOnceAndNotBeforeItsTime) {
  EventLoop loop;
  const Instant start = loop.Now();
  Instant fired = kNever;
  Timer timer(loop, [&] {
    fired = loop.Now();
    loop.Stop();
  });
  timer.ArmAt(start + 5ms);

  loop.Run();

  EXPECT_GE(fired, start + 5ms);
  EXPECT_FALSE(timer.armed());
}

TEST(TimerTest, CancelledOneNeverFires) {
  EventLoop loop;
  Timer cancelled(loop, [&] { FAIL() << "fired"; });
  Timer end(loop, [&] { loop.Stop(); });
  cancelled.ArmIn(1ms);
  end.ArmIn(5ms);

  cancelled.Cancel();
  loop.Run();
}

}  // namespace
}  // namespace reef
