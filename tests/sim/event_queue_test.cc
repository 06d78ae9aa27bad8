// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/event_queue.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"

namespace reef::sim {
namespace {

using namespace std::chrono_literals;

constexpr Instant At(Duration d) {
  return Instant(d);
}

TEST(EventQueueTest, GivesTheEarliestFirst) {
  EventQueue<int> queue;
  queue.Add(At(3s), 3);
  queue.Add(At(1s), 1);
  queue.Add(At(2s), 2);

  EXPECT_EQ(queue.NextAt(), At(1s));
  EXPECT_EQ(queue.TakeNext(), 1);
  EXPECT_EQ(queue.TakeNext(), 2);
  EXPECT_EQ(queue.TakeNext(), 3);
  EXPECT_EQ(queue.NextAt(), kNever);
}

TEST(EventQueueTest, EventsOfOneInstantComeInTheOrderAdded) {
  EventQueue<int> queue;
  for (int i = 0; i < 1000; ++i) queue.Add(At(1s), i);

  for (int i = 0; i < 1000; ++i) ASSERT_EQ(queue.TakeNext(), i);
}

TEST(EventQueueTest, SlotsAreUsedAgainWithoutMixingPayloads) {
  EventQueue<int64_t> queue;
  Rng rng(1);
  int64_t last_ms = 0;
  for (int i = 0; i < 100; ++i) queue.Add(At(std::chrono::milliseconds(i)), i);

  for (int i = 0; i < 10'000; ++i) {
    const Instant at = queue.NextAt();
    const int64_t ms = queue.TakeNext();
    ASSERT_EQ(at, At(std::chrono::milliseconds(ms)));
    ASSERT_GE(ms, last_ms);
    last_ms = ms;
    const int64_t next_ms = ms + static_cast<int64_t>(rng.Below(50));
    queue.Add(At(std::chrono::milliseconds(next_ms)), next_ms);
  }
  EXPECT_EQ(queue.size(), 100u);
}

}  // namespace
}  // namespace reef::sim
