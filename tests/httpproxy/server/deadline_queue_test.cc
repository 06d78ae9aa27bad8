// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/deadline_queue.h"

#include <gmock/gmock.h>

#include <vector>

namespace reef::http {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

struct Named : DeadlineQueue::Entry {
  explicit Named(int i) : id(i) {}
  const int id;
};

class DeadlineQueueTest : public ::testing::Test {
 protected:
  // Runs the loop until `count` entries have expired.
  void RunUntilExpired(size_t count) {
    expected_ = count;
    loop_.Run();
  }

  EventLoop loop_;
  std::vector<int> expired_;
  size_t expected_ = 0;
  DeadlineQueue queue_{loop_, 5ms, [this](DeadlineQueue::Entry& entry) {
                         expired_.push_back(static_cast<Named&>(entry).id);
                         if (expired_.size() == expected_) loop_.Stop();
                       }};
};

TEST_F(DeadlineQueueTest, ExpiresInTheOrderOfArming) {
  Named a(1), b(2), c(3);
  const Instant now = loop_.Now();
  queue_.Arm(a, now);
  queue_.Arm(b, now);
  queue_.Arm(c, now);

  RunUntilExpired(3);

  EXPECT_THAT(expired_, ElementsAre(1, 2, 3));
  EXPECT_FALSE(a.armed());
}

TEST_F(DeadlineQueueTest, ArmingAgainMovesTheEntryBehindTheOthers) {
  Named a(1), b(2);
  const Instant now = loop_.Now();
  queue_.Arm(a, now);
  queue_.Arm(b, now);
  queue_.Arm(a, now + 1ms);

  RunUntilExpired(2);

  EXPECT_THAT(expired_, ElementsAre(2, 1));
}

TEST_F(DeadlineQueueTest, DoesNotExpireBeforeItsTimeThoughItsTimerRuns) {
  Named a(1), b(2);
  const Instant start = loop_.Now();
  queue_.Arm(a, start);
  queue_.Arm(b, start + 20ms);
  a.Cancel();

  RunUntilExpired(1);

  EXPECT_THAT(expired_, ElementsAre(2));
  EXPECT_GE(loop_.Now(), start + 25ms);
}

TEST_F(DeadlineQueueTest, DestroyedEntryNeverExpires) {
  Named b(2);
  {
    Named a(1);
    queue_.Arm(a, loop_.Now());
  }
  queue_.Arm(b, loop_.Now());

  RunUntilExpired(1);

  EXPECT_THAT(expired_, ElementsAre(2));
}

TEST_F(DeadlineQueueTest, NamesTheEntryThatWaitsLongest) {
  Named a(1), b(2);
  EXPECT_EQ(queue_.First(), nullptr);

  queue_.Arm(a, loop_.Now());
  queue_.Arm(b, loop_.Now());

  EXPECT_EQ(queue_.First(), &a);
}

TEST_F(DeadlineQueueTest, AnEntryLeavesOneQueueForAnother) {
  Named a(1);
  DeadlineQueue other(loop_, 1ms, [this](DeadlineQueue::Entry&) {
    expired_.push_back(100);
    loop_.Stop();
  });
  queue_.Arm(a, loop_.Now());

  other.Arm(a, loop_.Now());
  loop_.Run();

  EXPECT_THAT(expired_, ElementsAre(100));
  EXPECT_EQ(queue_.First(), nullptr);
}

}  // namespace
}  // namespace reef::http
