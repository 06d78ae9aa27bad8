// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/output_queue.h"

#include <gmock/gmock.h>

#include <string>

namespace reef::http {
namespace {

// What would be sent now.
std::string Gathered(OutputQueue& queue) {
  iovec pieces[OutputQueue::kIovecsMax];
  const size_t count = queue.Gather(pieces);
  std::string all;
  for (size_t i = 0; i < count; ++i) {
    all.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return all;
}

std::shared_ptr<const std::string> Shared(const std::string& text) {
  return std::make_shared<const std::string>(text);
}

TEST(OutputQueueTest, KeepsTextAndPinnedBytesInOrder) {
  OutputQueue queue;
  const auto body = Shared("body");
  queue.Text() += "head ";
  queue.AddPinned(*body, body);
  queue.Text() += " next";

  EXPECT_EQ(queue.size(), 14u);
  EXPECT_EQ(Gathered(queue), "head body next");
}

TEST(OutputQueueTest, AdjoiningTextIsOnePiece) {
  OutputQueue queue;
  queue.Text() += "one ";
  queue.Text() += "two";
  iovec pieces[OutputQueue::kIovecsMax];

  EXPECT_EQ(queue.Gather(pieces), 1u);
}

TEST(OutputQueueTest, GoesOnWhereAPartialWriteEnded) {
  OutputQueue queue;
  const auto body = Shared("0123456789");
  queue.Text() += "abc";
  queue.AddPinned(*body, body);

  queue.Consume(2);
  EXPECT_EQ(Gathered(queue), "c0123456789");
  EXPECT_TRUE(queue.begun());
  queue.Consume(5);

  EXPECT_EQ(Gathered(queue), "456789");
  EXPECT_EQ(queue.size(), 6u);
}

TEST(OutputQueueTest, LetsGoOfPinnedBytesOnceTheyAreSent) {
  OutputQueue queue;
  auto body = Shared("body");
  const std::weak_ptr<const std::string> watched = body;
  queue.AddPinned(*body, body);
  body.reset();
  queue.Text() += "tail";

  queue.Consume(3);
  EXPECT_FALSE(watched.expired());
  queue.Consume(1);

  EXPECT_TRUE(watched.expired());
  EXPECT_FALSE(queue.empty());
}

TEST(OutputQueueTest, IsAsNewWhenAllIsSent) {
  OutputQueue queue;
  queue.Text() += "text";
  ASSERT_EQ(Gathered(queue), "text");

  queue.Consume(4);

  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.begun());
  EXPECT_EQ(queue.Text(), "");
}

TEST(OutputQueueTest, GathersNoMoreThanOneWriteTakes) {
  OutputQueue queue;
  std::string expected;
  for (size_t i = 0; i < OutputQueue::kIovecsMax; ++i) {
    const auto body = Shared(std::to_string(i));
    queue.AddPinned(*body, body);
    queue.Text() += ",";
    expected += *body + ",";
  }

  const std::string first = Gathered(queue);
  queue.Consume(first.size());

  EXPECT_EQ(first + Gathered(queue), expected);
}

TEST(OutputQueueTest, ChangesPlacesWithItsContent) {
  OutputQueue full, empty;
  full.Text() += "text";

  swap(full, empty);

  EXPECT_TRUE(full.empty());
  EXPECT_EQ(Gathered(empty), "text");
}

}  // namespace
}  // namespace reef::http
