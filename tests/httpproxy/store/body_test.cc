// SPDX-License-Identifier: Apache-2.0
//
// What body.h promises, over every kind of body: of a memory-only cache, of a cache with a disk
// tier, and passing through.
#include "httpproxy/store/body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "httpproxy/store/segmented_body.h"
#include "tests/httpproxy/store/support.h"
#include "tests/httpproxy/store/temp_folder.h"

namespace reef::http {
namespace {

using What = Body::Chunk::What;

// Makes bodies of one kind, inserted where that applies.
class Kind {
 public:
  explicit Kind(const std::string& name) : name_(name) {
    Cache::Options options;
    options.memory_bytes_max = 64 << 20;
    if (name == "disk") options.directory = folder_.path();
    if (name != "window") cache_ = *Cache::Open(options);
  }

  std::shared_ptr<Body> NewBody() {
    if (cache_ == nullptr) return Cache::NewPassThroughBody(4 * kSegmentBytes);
    std::shared_ptr<Body> body = cache_->NewBody();
    cache_->Insert(MakeObject("body", body));
    return body;
  }
  bool is_window() const { return cache_ == nullptr; }

 private:
  std::string name_;
  TempFolder folder_;
  std::unique_ptr<Cache> cache_;
};

class BodyTest : public testing::TestWithParam<std::string> {
 protected:
  Kind kind_{GetParam()};
  LoopThread loop_{"loop"};
};

TEST_P(BodyTest, GivesAReaderTheBytesInOrderAndThenTheEnd) {
  const auto body = kind_.NewBody();
  body->Append("one ");
  body->Append("two");
  body->Complete();

  EXPECT_EQ(ReadWhole(body), (ReadResult{"one two", What::kEnd}));
  EXPECT_EQ(body->size(), 7u);
  EXPECT_EQ(body->state(), Body::State::kComplete);
}

TEST_P(BodyTest, OfNothingEndsAtOnce) {
  const auto body = kind_.NewBody();
  body->Complete();

  EXPECT_EQ(ReadWhole(body), (ReadResult{"", What::kEnd}));
}

TEST_P(BodyTest, LetsAReaderReadWhatIsThereWhileItFills) {
  const auto body = kind_.NewBody();
  loop_.RunAndWait([&] {
    const auto reader = body->NewReader(loop_.loop(), 0);
    EXPECT_EQ(reader->Peek(10).what, What::kWait);
    body->Append("abc");

    EXPECT_EQ(reader->Peek(10).bytes, "abc");
    EXPECT_EQ(reader->Peek(2).bytes, "ab");
    reader->Advance(3);
    EXPECT_EQ(reader->offset(), 3u);
    EXPECT_EQ(reader->Peek(10).what, What::kWait);
  });
  body->Complete();
}

TEST_P(BodyTest, ReadsFromAnyOffset) {
  const std::string content = ContentOf(1, 2 * kSegmentBytes + 77);
  const auto body = kind_.NewBody();
  AppendAll(*body, loop_.loop(), content);
  body->Complete();

  loop_.RunAndWait([&] {
    const auto reader = body->NewReader(loop_.loop(), kSegmentBytes - 2);
    EXPECT_EQ(reader->Peek(100).bytes, std::string_view(content).substr(kSegmentBytes - 2, 2));
    reader->Advance(2);
    EXPECT_EQ(reader->Peek(100).bytes, std::string_view(content).substr(kSegmentBytes, 100));
    EXPECT_EQ(body->NewReader(loop_.loop(), content.size())->Peek(1).what, What::kEnd);
    EXPECT_EQ(body->NewReader(loop_.loop(), content.size() + 5)->Peek(1).what, What::kEnd);
  });
}

TEST_P(BodyTest, ThatAbortsGivesWhatItHasAndThenSaysSo) {
  const auto body = kind_.NewBody();
  body->Append("half");
  body->Abort("origin went away");

  EXPECT_EQ(ReadWhole(body), (ReadResult{"half", What::kAborted}));
  EXPECT_EQ(body->state(), Body::State::kAborted);
  EXPECT_EQ(body->abort_reason(), "origin went away");
}

TEST_P(BodyTest, WakesAReaderThatWaitsWhenBytesComeAndWhenItEnds) {
  const auto body = kind_.NewBody();
  WholeReader reader(body, loop_.loop());
  loop_.RunAndWait([] {});  // the reader waits now
  body->Append("late");
  loop_.RunAndWait([] {});
  body->Complete();

  EXPECT_EQ(reader.Wait(), (ReadResult{"late", What::kEnd}));
}

TEST_P(BodyTest, RunsAWakeUpAtOnceIfThereIsSomethingToRead) {
  const auto body = kind_.NewBody();
  body->Append("x");
  std::promise<void> woken;
  std::unique_ptr<Body::Reader> reader;
  loop_.RunAndWait([&] {
    reader = body->NewReader(loop_.loop(), 0);
    reader->WhenReadable([&] { woken.set_value(); });
  });

  woken.get_future().get();
  loop_.RunAndWait([&] { reader.reset(); });
  body->Complete();
}

TEST_P(BodyTest, RunsAWakeUpOnceOnly) {
  const auto body = kind_.NewBody();
  int woken = 0;
  std::unique_ptr<Body::Reader> reader;
  loop_.RunAndWait([&] {
    reader = body->NewReader(loop_.loop(), 0);
    reader->WhenReadable([&] { ++woken; });
  });
  body->Append("x");
  body->Append("y");
  loop_.RunAndWait([] {});
  body->Complete();
  loop_.RunAndWait([] {});
  loop_.RunAndWait([&] {
    EXPECT_EQ(woken, 1);
    reader.reset();
  });
}

TEST_P(BodyTest, RunsNoWakeUpOfAReaderThatIsGone) {
  const auto body = kind_.NewBody();
  bool woken = false;
  loop_.RunAndWait([&] {
    auto reader = body->NewReader(loop_.loop(), 0);
    reader->WhenReadable([&] { woken = true; });
    body->Append("x");  // posts the wake-up
    reader.reset();     // and it must not run any more
  });
  body->Complete();
  loop_.RunAndWait([&] { EXPECT_FALSE(woken); });
}

TEST_P(BodyTest, LetsAWakeUpDestroyAnotherReaderOfTheSameLoop) {
  const auto body = kind_.NewBody();
  std::unique_ptr<Body::Reader> first, second;
  int woken = 0;
  loop_.RunAndWait([&] {
    first = body->NewReader(loop_.loop(), 0);
    second = body->NewReader(loop_.loop(), 0);
    first->WhenReadable([&] {
      ++woken;
      second.reset();
    });
    second->WhenReadable([&] {
      ++woken;
      first.reset();
    });
  });
  body->Append("x");
  loop_.RunAndWait([] {});
  loop_.RunAndWait([&] {
    EXPECT_EQ(woken, 1);
    first.reset();
    second.reset();
  });
  body->Complete();
}

TEST_P(BodyTest, KeepsTheBytesOfAChunkWhileItIsPinned) {
  auto body = kind_.NewBody();
  Body::Chunk chunk;
  loop_.RunAndWait([&] {
    const auto reader = body->NewReader(loop_.loop(), 0);
    body->Append("pinned");
    chunk = reader->Peek(100);
    body->Append(std::string(1000, 'x'));  // the first segment grows: it moves
  });
  body->Complete();
  body.reset();

  EXPECT_EQ(chunk.bytes, "pinned");
}

TEST_P(BodyTest, GivesManyReadersOnManyLoopsTheSameBytesWhileItFills) {
  const std::string content = ContentOf(2, 5 * kSegmentBytes + 1234);
  const auto body = kind_.NewBody();
  LoopThread other("other");
  std::vector<std::unique_ptr<WholeReader>> readers;
  for (size_t i = 0; i < 40; ++i) {
    EventLoop& loop = i % 2 == 0 ? loop_.loop() : other.loop();
    readers.push_back(std::make_unique<WholeReader>(body, loop, 1000 + 5000 * i));
  }
  loop_.RunAndWait([] {});  // all are there before the first byte: a window lets nobody in late
  other.RunAndWait([] {});
  LoopThread writer("writer");
  AppendAll(*body, writer.loop(), content, 10'007);
  body->Complete();

  for (const auto& reader : readers) {
    EXPECT_EQ(reader->Wait(), (ReadResult{content, What::kEnd}));
  }
}

TEST_P(BodyTest, LosesNoWakeUpBetweenAFastWriterAndAFastReader) {
  for (int round = 0; round < 50; ++round) {
    const std::string content = ContentOf(3, 3000);
    const auto body = kind_.NewBody();
    WholeReader reader(body, loop_.loop());
    for (const char c : content) body->Append({&c, 1});
    body->Complete();

    ASSERT_EQ(reader.Wait(), (ReadResult{content, What::kEnd}));
  }
}

TEST_P(BodyTest, OffersItsContentWithoutAReaderOnceItIsCompleteAndSmall) {
  const auto body = kind_.NewBody();
  body->Append("small");
  EXPECT_EQ(body->WholeIfSmall(), std::nullopt);
  body->Complete();

  // What passes through is dropped as it is read, so there is nothing to lend.
  if (kind_.is_window()) {
    EXPECT_EQ(body->WholeIfSmall(), std::nullopt);
  } else {
    EXPECT_EQ(body->WholeIfSmall(), "small");
  }
}

TEST_P(BodyTest, OfMoreThanOneSegmentIsNotSmall) {
  const auto body = kind_.NewBody();
  AppendAll(*body, loop_.loop(), ContentOf(4, kSegmentBytes + 1));
  body->Complete();

  EXPECT_EQ(body->WholeIfSmall(), std::nullopt);
}

TEST_P(BodyTest, SaysAtOnceThatThereIsRoomWhenThereIs) {
  const auto body = kind_.NewBody();
  std::promise<void> room;
  body->WhenRoom(loop_.loop(), [&] { room.set_value(); });

  room.get_future().get();
  body->Complete();
}

INSTANTIATE_TEST_SUITE_P(Kinds, BodyTest, testing::Values("memory", "disk", "window"),
                         [](const auto& each) { return each.param; });

// ---- Passing through ----

class PassThroughTest : public testing::Test {
 protected:
  static constexpr size_t kWindow = 4 * kSegmentBytes;
  std::shared_ptr<Body> body_ = Cache::NewPassThroughBody(kWindow);
  LoopThread loop_{"loop"};
};

TEST(SegmentedBodyTest, IsChargedForAtMostTwiceWhatHasComeAndForItsPagesInTheEnd) {
  const auto body = SegmentedBody::MakeHeld(nullptr);
  std::string content;
  while (content.size() < 3 * kSegmentBytes) {
    const std::string piece(7000, static_cast<char>('a' + content.size() % 26));
    body->Append(piece);
    content += piece;
    // A segment that was begun has its whole size from the second on.
    const size_t begun = content.size() > kSegmentBytes ? kSegmentBytes : content.size();
    ASSERT_LE(body->resident_bytes(), content.size() + begun + 1000) << content.size();
  }
  body->Complete();
  EXPECT_LE(body->resident_bytes(), content.size() + 4096 + 1000);
  EXPECT_EQ(ReadWhole(body), (ReadResult{{content}, What::kEnd}));
}

TEST_F(PassThroughTest, PausesTheWriterUntilTheReaderHasCaughtUp) {
  std::unique_ptr<Body::Reader> reader;
  loop_.RunAndWait([&] { reader = body_->NewReader(loop_.loop(), 0); });
  const std::string piece(kSegmentBytes, 'x');
  int appended = 1;
  while (body_->Append(piece)) ++appended;
  std::promise<void> room;
  auto has_room = room.get_future();
  body_->WhenRoom(loop_.loop(), [&] { room.set_value(); });
  EXPECT_EQ(appended, 5);  // the one that crossed the window was taken too

  loop_.RunAndWait([&] {
    reader->Advance(reader->Peek(kSegmentBytes).bytes.size());  // still more than half a window
  });
  loop_.RunAndWait([&] {
    EXPECT_EQ(has_room.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    for (int i = 0; i < 2; ++i) reader->Advance(reader->Peek(kSegmentBytes).bytes.size());
  });
  has_room.get();
  loop_.RunAndWait([&] { reader.reset(); });
  body_->Complete();
}

TEST_F(PassThroughTest, IsBoundedByTheSlowestReader) {
  std::unique_ptr<Body::Reader> fast, slow;
  loop_.RunAndWait([&] {
    fast = body_->NewReader(loop_.loop(), 0);
    slow = body_->NewReader(loop_.loop(), 0);
    while (body_->Append(std::string(kSegmentBytes, 'x'))) fast->Advance(kSegmentBytes);

    EXPECT_EQ(slow->Peek(1).bytes, "x");
    EXPECT_EQ(body_->size(), kWindow + kSegmentBytes);
  });
  // The slow one leaves: now nothing holds the writer back.
  std::promise<void> room;
  body_->WhenRoom(loop_.loop(), [&] { room.set_value(); });
  loop_.RunAndWait([&] {
    fast->Advance(kSegmentBytes);
    slow.reset();
  });
  room.get_future().get();
  loop_.RunAndWait([&] { fast.reset(); });
  body_->Complete();
}

TEST_F(PassThroughTest, TellsALateReaderThatTheBeginningIsGone) {
  loop_.RunAndWait([&] {
    const auto reader = body_->NewReader(loop_.loop(), 0);
    body_->Append(std::string(2 * kSegmentBytes, 'x'));
    reader->Advance(kSegmentBytes);

    EXPECT_EQ(body_->NewReader(loop_.loop(), 0)->Peek(1).what, What::kGone);
    EXPECT_EQ(body_->NewReader(loop_.loop(), kSegmentBytes)->Peek(1).what, What::kBytes);
  });
  body_->Complete();
}

TEST_F(PassThroughTest, ReplacesTheTaskThatWaitsForRoom) {
  std::unique_ptr<Body::Reader> reader;
  loop_.RunAndWait([&] { reader = body_->NewReader(loop_.loop(), 0); });
  while (body_->Append(std::string(kSegmentBytes, 'x'))) {
  }
  bool first = false;
  std::promise<void> second;
  body_->WhenRoom(loop_.loop(), [&] { first = true; });
  body_->WhenRoom(loop_.loop(), [&] { second.set_value(); });
  loop_.RunAndWait([&] { reader->Advance(body_->size()); });

  second.get_future().get();
  EXPECT_FALSE(first);
  loop_.RunAndWait([&] { reader.reset(); });
  body_->Complete();
}

TEST_F(PassThroughTest, RunsNoTaskForRoomOfAWriterThatHasEnded) {
  while (body_->Append(std::string(kSegmentBytes, 'x'))) {
  }
  bool has_run = false;
  body_->WhenRoom(loop_.loop(), [&] { has_run = true; });
  body_->Abort("enough");

  loop_.RunAndWait([&] { EXPECT_FALSE(has_run); });
}

}  // namespace
}  // namespace reef::http
