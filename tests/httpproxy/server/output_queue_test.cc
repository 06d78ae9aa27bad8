// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/output_queue.h"

#include <gmock/gmock.h>

#include <string>

#include "httpproxy/store/body.h"

namespace reef::http {
namespace {

// What would be sent now.
std::string Gathered(OutputQueue& queue) {
  iovec pieces[OutputQueue::kIovecsMax];
  const size_t count = queue.empty() ? 0 : queue.Gather(pieces).count;
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

  EXPECT_EQ(queue.Gather(pieces).count, 1u);
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

// A segment that may be lent, since as many bytes as it has were sent of it.
std::shared_ptr<char[]> LendableSegment() {
  std::shared_ptr<char[]> segment = AllocateSegment(kSendableMin).bytes;
  LendSegment(segment.get(), kSegmentBytes);
  return segment;
}

TEST(OutputQueueTest, LeavesLongPiecesInTheMemoryFileToSendfile) {
  OutputQueue queue;
  const std::shared_ptr<char[]> segment = LendableSegment();
  const uint64_t at = LendSegment(segment.get(), 1)->offset;
  iovec pieces[OutputQueue::kIovecsMax];
  queue.Text() += "head";
  queue.AddPinned({segment.get(), kSendableMin}, segment);
  queue.Text() += "tail";

  OutputQueue::Next next = queue.Gather(pieces);
  EXPECT_EQ(next.count, 1u);
  EXPECT_EQ(next.bytes, 4u);
  EXPECT_TRUE(next.file_follows);
  queue.Consume(4);

  next = queue.Gather(pieces);
  EXPECT_EQ(next.count, 0u);
  EXPECT_EQ(next.file.offset, at);
  EXPECT_EQ(next.bytes, kSendableMin);
  queue.Consume(1000);

  next = queue.Gather(pieces);
  EXPECT_EQ(next.file.offset, at + 1000) << "goes on where a partial write ended";
  EXPECT_EQ(next.bytes, kSendableMin - 1000);
  queue.Consume(next.bytes);

  next = queue.Gather(pieces);
  EXPECT_EQ(next.count, 1u);
  EXPECT_FALSE(next.file_follows);
}

TEST(OutputQueueTest, SendsShortRestsInTheMemoryFileTogetherWithWhatFollows) {
  OutputQueue queue;
  const std::shared_ptr<char[]> segment = LendableSegment();
  iovec pieces[OutputQueue::kIovecsMax];
  queue.AddPinned({segment.get(), kSendableMin}, segment);
  queue.Text() += "tail";

  queue.Consume(kSendableMin - 100);
  const OutputQueue::Next next = queue.Gather(pieces);

  EXPECT_EQ(next.count, 2u);
  EXPECT_EQ(next.bytes, 104u);
}

TEST(OutputQueueTest, CopiesWhatWasHardlySentBefore) {
  OutputQueue queue;
  const std::shared_ptr<char[]> segment = AllocateSegment(kSendableMin).bytes;
  iovec pieces[OutputQueue::kIovecsMax];
  queue.AddPinned({segment.get(), kSendableMin}, segment);

  EXPECT_EQ(queue.Gather(pieces).count, 1u);
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
